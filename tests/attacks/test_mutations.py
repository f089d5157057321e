"""No random change of bundle, manifest, digest, marker or signature opens a gate or ends in a traceback."""

from __future__ import annotations

from collections import Counter

import pytest
from signers import ANN, SignedRun

from attacks.mutations import HARMLESS, KINDS, OPENED, RAISED, REFUSED, TARGETS, campaign, table, taken_from
from workflow.gate import quorum, signatures, verdict
from workflow.proof import verification

COUNT = 100


def judged(held: SignedRun, count: int = COUNT) -> Counter[tuple[str, str, str]]:
    """The counts of a campaign; everything that judges or verifies looks at each mutation."""
    assert held.judge().is_open

    def is_open() -> bool:
        verification.verify_phase(held.run.folder, "plan", [])
        return held.judge().is_open

    return campaign(held.run.folder, is_open, count, seed=20261126)


@pytest.mark.long
def test_no_mutation_that_changes_a_byte_with_authority_opens_the_gate(held: SignedRun) -> None:
    held.approve(ANN)
    found = judged(held)
    print(table(found))
    for target in TARGETS:
        for kind in KINDS:
            assert sum(found[target, kind, end] for end in (REFUSED, HARMLESS, OPENED, RAISED)) == COUNT
            assert found[target, kind, REFUSED] > 0 or (target, kind) == ("signature", "append")  # what follows its end is no part of it
            assert found[target, kind, OPENED] == found[target, kind, RAISED] == 0, table(found)
    assert all(found["marker", kind, REFUSED] == COUNT for kind in KINDS), "every byte of a marker has authority"
    assert held.judge().is_open


def test_the_same_with_few_mutations(held: SignedRun) -> None:
    held.approve(ANN)
    found = judged(held, 5)
    assert not [key for key in found if key[2] in (OPENED, RAISED)], table(found)


@pytest.mark.long
def test_the_campaign_sees_a_gate_that_does_not_look(held: SignedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a step of the verification the campaign finds gates that open: it can fail."""
    held.approve(ANN)
    for module, name, value, target in (
        (verification, "packed_problems", lambda *_: [], "bundle"),
        (signatures, "verify", lambda _, __, principal, *___: signatures.Signer(principal, frozenset([principal]), "x"), "marker"),
        (signatures, "verify", lambda _, __, principal, *___: signatures.Signer(principal, frozenset([principal]), "x"), "signature"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, value)
            opened = {key[0] for key, count in campaign(held.run.folder, lambda: held.judge().is_open, 5, 1).items() if key[2] == OPENED}
            assert target in opened, name
    with monkeypatch.context() as patch:
        patch.setattr(verification, "packed_problems", lambda *_: [])
        patch.setattr(verdict, "is_named", lambda *_: True)
        patch.setattr(quorum, "CHECKS", tuple(check for check in quorum.CHECKS if check is not quorum.names_the_digest))
        opened = {key[0] for key, count in campaign(held.run.folder, lambda: held.judge().is_open, 5, 1).items() if key[2] == OPENED}
        assert {"manifest", "digest"} <= opened


def test_no_bit_of_a_bundles_headers_has_a_meaning_that_is_not_verified(held: SignedRun) -> None:
    """Every single bit of the directory of the zip and of its first entry's header; what opens is taken for the same as before."""
    path = held.run.folder / "bundles/plan.zip"
    whole, digest = path.read_bytes(), (held.folder / "digest").read_text().strip()
    before, directory = taken_from("bundle", whole), whole.index(b"PK\x01\x02")
    meant = []
    for place in [*range(60), *range(directory, len(whole))]:
        for bit in range(8):
            mutated = whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
            path.write_bytes(mutated)
            if not verification.packed_problems(held.run.folder, "plan", digest) and taken_from("bundle", mutated) != before:
                meant.append((place - directory, bit))
    assert meant == []
