"""Signed approvals: whose signature counts, how many are needed, and what a person is told who is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from runs import Run, check
from signers import ANN, BOB, EVE, SignedRun, held_run, make_key, public, sign, write_allowed

from workflow.errors import UsageError
from workflow.gate import decisions, quorum, signatures
from workflow.gate.signatures import SignatureError
from workflow.plan.policies import Signed


@pytest.fixture
def held(run: Run, tmp_path_factory: pytest.TempPathFactory) -> SignedRun:
    return held_run(run, tmp_path_factory.mktemp("keys"))


def refused(held: SignedRun, name: str, terms: Signed | None = None) -> str:
    """Why a person's approval is refused; nothing is written."""
    before = sorted(path.name for path in held.folder.iterdir())
    with pytest.raises(UsageError) as error:
        held.approve(name, terms)
    assert sorted(path.name for path in held.folder.iterdir()) == before
    return str(error.value)


def test_a_signed_approval_opens_the_gate_and_says_who_signed(held: SignedRun) -> None:
    assert held.judge().state == "waiting"
    given = held.approve(ANN)
    found = held.judge()
    assert (found.state, found.trust, found.by, found.since) == ("open", "signed", ANN, given.at)
    key = signatures.fingerprint(public(held.key(ANN)).split()[1])
    assert found.signers == ({"by": ANN, "key": key, "at": given.at, "file": "APPROVED"},)
    assert found.reasons == (f"signed by {ANN} with {key} (APPROVED)",)
    said = json.loads((held.folder / "APPROVED").read_bytes())["predicate"]
    assert said["started"] == {"by": ["zoe", "Zoe Z", "zoe@example.org"], "at": "2026-01-01T00:00:00.000Z"}
    assert said["terms"] == {"approvals": 1, "approvers": [], "expires_days": None}


def test_the_name_may_be_left_out_where_the_key_stands_for_one(held: SignedRun) -> None:
    given = decisions.approve(held.run.folder, "plan", [], "", "", "", None, held.terms, held.key(BOB))
    assert given.by == BOB
    write_allowed(held.allowed, {f"{ANN},annie": held.key(ANN)})
    with pytest.raises(UsageError, match="say by=NAME, as allowed_signers has it .the key stands for ann@example.org, annie"):
        decisions.approve(held.run.folder, "plan", [], "", "", "", None, held.terms, held.key(ANN))
    with pytest.raises(UsageError, match="eve.pub is not there, or not in allowed_signers"):
        decisions.approve(held.run.folder, "plan", [], "", "", "", None, held.terms, held.key(EVE))


def test_two_approvals_need_two_people(held: SignedRun) -> None:
    two = replace(held.terms, approvals=2)
    held.approve(ANN, two)
    found = held.judge(two)
    assert (found.state, found.reasons) == ("waiting", (f"1 of 2 signed approvals (by {ANN})",))
    held.approve(BOB, two)
    found = held.judge(two)
    assert (found.state, found.trust, found.by) == ("open", "signed", f"{ANN}, {BOB}")
    assert sorted(path.name for path in held.folder.glob("APPROVED*")) == [
        f"APPROVED.{ANN}", f"APPROVED.{ANN}.sig", f"APPROVED.{BOB}", f"APPROVED.{BOB}.sig"
    ]  # fmt: skip


def test_only_approvers_of_the_phase_count(held: SignedRun) -> None:
    only = replace(held.terms, approvers=(BOB,))
    assert f"would not count: it is by {ANN}; may approve: {BOB}" in refused(held, ANN, only)
    held.approve(ANN)
    assert held.judge(only).reasons == ("0 of 1 signed approvals", f"APPROVED is by {ANN}; may approve: {BOB}")
    held.approve(BOB, only)
    assert held.judge(only).is_open


def test_without_a_key_or_with_one_that_is_not_listed_approval_is_refused(held: SignedRun) -> None:
    with pytest.raises(UsageError, match="add key=PATH, such as key=~/.ssh/id_ed25519"):
        decisions.approve(held.run.folder, "plan", [], ANN, "", "", None, held.terms, None)
    with pytest.raises(UsageError, match="ssh-keygen did not sign .*No such file or directory"):
        decisions.approve(held.run.folder, "plan", [], ANN, "", "", None, held.terms, held.keys / "none")
    assert f"is not signed by {EVE}" in refused(held, EVE)
    held.allowed.unlink()
    assert "cannot be read (No such file or directory); mend it, then sign again" in refused(held, ANN)
    assert held.judge().reasons == (f"allowed_signers {held.allowed} cannot be read (No such file or directory)",)


def test_a_key_under_another_policy_is_refused_since_nobody_would_look(held: SignedRun) -> None:
    with pytest.raises(UsageError, match="the policy of plan is `digest`, which reads no signature"):
        decisions.approve(held.run.folder, "plan", [], ANN, "", "", None, "digest", held.key(ANN))


def test_each_signature_has_to_waive_what_is_wrong(held: SignedRun) -> None:
    held.run.validate(("plan.md",), checks=(check("bad", "false"),))
    held.run.show("writer")
    two = replace(held.terms, approvals=2)
    held.approve(ANN, two, waive="check:bad=known")
    assert held.judge(two).state == "blocked"
    held.approve(BOB, two, waive="check:bad=seen")
    found = held.judge(two)
    assert (found.state, set(found.waived)) == ("open", {("check:bad", "known"), ("check:bad", "seen")})
    marker = held.folder / f"APPROVED.{BOB}"
    marker.write_bytes(marker.read_bytes().replace(b'{"item":"check:bad","reason":"seen"}', b""))
    sign(marker, held.key(BOB))
    assert "gives no reason for check:bad" in "; ".join(held.judge(two).reasons)


ODD_FILES = {
    "*@example.org {key}": "`*@example.org` is not the name of one person",
    f"{ANN},!{EVE} {{key}}": "is not the name of one person",
    f"{ANN} cert-authority {{key}}": "names a certificate authority",
    f"{ANN} ssh-ed25519": "is not `names [options] key-type key`",
    f"{ANN} ssh-ed25519 ???": "holds a key that is not base64",
    "just words": "is not `names [options] key-type key`",
}


def test_allowed_signers_that_cannot_be_understood_or_trusted_keep_the_gate_closed(held: SignedRun) -> None:
    held.approve(ANN)
    good = held.allowed.read_text()
    for line, message in ODD_FILES.items():
        held.allowed.write_text(f"# people\n\n{good}{line.format(key=public(held.key(ANN)))}\n")
        found = held.judge()
        assert (found.state, message in found.reasons[0], ":5:" in found.reasons[0]) == ("waiting", True, True), found.reasons
    held.allowed.write_text(good)
    held.allowed.chmod(0o664)
    assert "can be written by others than its owner; chmod go-w it" in held.judge().reasons[0]
    held.allowed.chmod(0o644)
    assert held.judge().is_open
    inside = held.run.folder / "allowed_signers"
    inside.write_text(good)
    assert "lies inside runs" in held.judge(replace(held.terms, allowed_signers=str(inside))).reasons[0]
    link = held.keys / "link"
    link.symlink_to(inside.absolute())
    assert "lies inside runs" in held.judge(replace(held.terms, allowed_signers=str(link))).reasons[0]


def test_names_make_files_that_cannot_be_mistaken(tmp_path: Path) -> None:
    one, two = Signed("x"), Signed("x", approvals=2)
    assert quorum.file_name(ANN, one) == "APPROVED"
    assert quorum.file_name(ANN, two) == f"APPROVED.{ANN}"
    odd = ["a/b", "a_b", "../../x", "x.sig", "é", "a" * 300]
    names = [quorum.file_name(name, two) for name in odd]
    assert len(set(names)) == len(odd)
    assert all("/" not in name and not name.endswith(".sig") and len(name) < 120 for name in names)


def test_people_are_recognised_by_login_name_and_address() -> None:
    for principal, other in (("ann", "ann"), ("Ann@Example.org", "ann@example.org"), (ANN, "ann"), ("ann", ANN)):
        assert quorum.same_person(principal, other)
    for principal, other in ((ANN, "ann@example.com"), (ANN, "an"), ("ann", "annie")):
        assert not quorum.same_person(principal, other)


def test_a_signature_by_hand_counts_like_one_by_approve(held: SignedRun) -> None:
    held.approve(ANN)
    sign(held.folder / "APPROVED", held.key(ANN))
    assert held.judge().is_open


def test_without_ssh_keygen_everything_stays_closed_and_says_so(held: SignedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    held.approve(ANN)
    monkeypatch.setattr(signatures, "PROGRAM", "no-such-program")
    assert "no-such-program is not installed; install OpenSSH" in "; ".join(held.judge().reasons)
    assert "is not installed" in refused(held, ANN)


def test_a_key_that_is_valid_only_for_a_time_counts_at_that_time(tmp_path: Path) -> None:
    key = make_key(tmp_path, "ann")
    path = write_allowed(tmp_path / "allowed", {ANN: key}, 'valid-before="20200101"')
    content, keys = b"text", signatures.read_keys(path)
    signature = signatures.sign(content, key, signatures.APPROVAL)
    from workflow import files

    signer = signatures.verify(content, signature, ANN, keys, signatures.APPROVAL, files.parse_time("2019-06-01T00:00:00Z"))
    assert signer.principal == ANN
    with pytest.raises(SignatureError, match="key has expired"):
        signatures.verify(content, signature, ANN, keys, signatures.APPROVAL)
