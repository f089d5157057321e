"""Forgeries keep the gate closed and are named; without the step of the verification that catches them they would open it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from signers import ANN, SignedRun

from attacks.forgeries import FORGERIES, OTHER_CONTENT
from attacks.held import by_hand
from workflow.errors import RunError
from workflow.gate import approvals, quorum, signatures, verdict
from workflow.gate.guard import require_open
from workflow.gate.signatures import Signer
from workflow.plan import policies
from workflow.proof import verification


def attacked(held: SignedRun, name: str) -> verdict.Verdict:
    """What the gate says after a forgery."""
    forgery = FORGERIES[name]
    policy = forgery.attack(held) or held.terms
    return verdict.judge(held.run.folder, forgery.phase, "required", policy)


@pytest.mark.parametrize("name", FORGERIES)
def test_forgery_opens_no_gate_and_is_named(held: SignedRun, name: str) -> None:
    found = attacked(held, name)
    assert (found.is_open, found.trust) == (False, "none")
    assert FORGERIES[name].reason in "; ".join(found.reasons)


def test_no_job_of_the_next_phase_begins_after_a_forgery(held: SignedRun) -> None:
    attacked(held, "everything_forged_together")
    with pytest.raises(RunError, match=f"the gate of plan is not open any more .*is not signed by {ANN}"):
        require_open(held.run.folder, {"plan": "required"}, policies.as_json(held.terms))


def test_the_same_desk_opens_for_an_honest_approval(held: SignedRun) -> None:
    by_hand(held, ANN)
    assert held.judge().is_open
    require_open(held.run.folder, {"plan": "required"}, policies.as_json(held.terms))


Patch = Callable[[pytest.MonkeyPatch], None]
VERIFY = signatures.verify


def without(check: quorum.Check) -> Patch:
    """The judgement of an approval without one of its checks."""
    return lambda patch: patch.setattr(quorum, "CHECKS", tuple(other for other in quorum.CHECKS if other is not check))


def believed(content: bytes, signature: bytes, principal: str, *_: Any) -> Signer:
    """A signer who is who they say they are."""
    return Signer(principal, frozenset([principal]), str(hash(signature)))


def any_namespace(content: bytes, signature: bytes, principal: str, keys: signatures.Keys, *_: Any) -> Signer:
    return VERIFY(content, signature, principal, keys, "git")


def long_ago(content: bytes, signature: bytes, principal: str, keys: signatures.Keys, namespace: str, *_: Any) -> Signer:
    return VERIFY(content, signature, principal, keys, namespace, datetime(2019, 1, 1, tzinfo=UTC))


def follow(path: Path) -> tuple[bytes, int]:
    return path.read_bytes(), path.stat().st_mtime_ns


def put(module: Any, name: str, value: Any) -> Patch:
    return lambda patch: patch.setattr(module, name, value)


STEPS: dict[str, tuple[Patch, str]] = {
    "the statement names run and phase": (without(quorum.names_the_place), "statement_for_another_place"),
    "the statement names what is shown": (without(quorum.names_the_digest), "replay_of_older_content"),
    "the statement names the start of the run": (without(quorum.names_the_start), "restarted_by_the_signer"),
    "the signer may approve": (without(quorum.is_an_approver), "not_an_approver"),
    "the signer did not start the run": (without(quorum.is_not_the_starter), "starter_of_the_run"),
    "the approval has not expired": (without(quorum.is_in_time), "expired_approval"),
    "the approval waives what is wrong": (without(quorum.waives_what_is_wrong), "blocked_phase"),
    "the signature is good: text": (put(signatures, "verify", believed), "everything_forged_together"),
    "the signature is good: key": (put(signatures, "verify", believed), "unlisted_key"),
    "the signature is good: name": (put(signatures, "verify", believed), "false_name"),
    "the signature is for approvals": (put(signatures, "verify", any_namespace), "another_namespace"),
    "the key is valid": (put(signatures, "verify", long_ago), "expired_key"),
    "signers are different people: keys": (put(quorum, "is_the_same", lambda *_: False), "two_keys_of_one_person"),
    "signers are different people: names": (put(quorum, "is_the_same", lambda *_: False), "two_names_of_one_key"),
    "the bundle is what the digest names": (put(verification, "packed_problems", lambda *_: []), "bundle_replaced"),
    "the manifest is what the digest names": (put(verdict, "is_named", lambda *_: True), "manifest_tampered"),
    "the chain holds": (put(verdict, "outdated", lambda *_: ""), "upstream_replaced"),
    "the marker is a plain file": (put(approvals, "read_marker", follow), "marker_is_a_link"),
    "the signers lie outside of runs": (put(signatures, "refuse_inside", lambda *_: None), "signers_inside_the_run"),
    "the signers are not for all to write": (put(signatures, "refuse_shared", lambda *_: None), "signers_that_all_can_write"),
}


@pytest.mark.parametrize("step", STEPS)
def test_each_step_of_the_verification_is_needed(held: SignedRun, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """With the step switched off, the test of this forgery above would fail: the gate opens."""
    switch_off, forgery = STEPS[step]
    switch_off(monkeypatch)
    assert attacked(held, forgery).is_open


def test_all_checks_of_an_approval_are_among_the_steps() -> None:
    patched = pytest.MonkeyPatch()
    left: set[str] = set()
    for switch_off, _ in STEPS.values():
        with patched.context() as patch:
            before = set(quorum.CHECKS)
            switch_off(patch)
            left |= {check.__name__ for check in before - set(quorum.CHECKS)}
    assert left == {check.__name__ for check in quorum.CHECKS}


@pytest.mark.parametrize("replaced", ["all of it", "the bundle alone"])
def test_an_approval_while_the_bundle_is_being_replaced_approves_nothing_else(
    held: SignedRun, monkeypatch: pytest.MonkeyPatch, replaced: str
) -> None:
    """The files change after `approve` has looked at them and before it has written the marker."""
    plain_sign = signatures.sign

    def slow(content: bytes, key: Path, namespace: str) -> bytes:
        made = plain_sign(content, key, namespace)
        kept = (held.run.folder / "plan/manifest.json").read_bytes(), (held.run.folder / "plan/digest").read_bytes()
        held.run.shown(OTHER_CONTENT)
        if replaced == "the bundle alone":
            (held.run.folder / "plan/manifest.json").write_bytes(kept[0])
            (held.run.folder / "plan/digest").write_bytes(kept[1])
        return made

    monkeypatch.setattr(signatures, "sign", slow)
    held.approve(ANN)
    found = held.judge()
    assert not found.is_open
    reason = "shown is" if replaced == "all of it" else "is not the manifest in bundles/plan.zip"
    assert reason in "; ".join(found.reasons)
