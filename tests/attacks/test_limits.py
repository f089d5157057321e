"""What signatures do not protect against, as config/README.md#trust says it, and who sees it all the same."""

from __future__ import annotations

from dataclasses import replace

from signers import ANN, BOB, EVE, SignedRun, write_allowed

from attacks.held import by_hand
from attacks.test_copies import copy_of, problems
from workflow import files
from workflow.gate import approvals, verdict


def test_whoever_starts_a_run_under_another_name_may_approve_it_and_two_approvals_need_somebody_else(held: SignedRun) -> None:
    """run.json is a file: before anybody has signed, it says what the one who started the run wrote there."""
    held.allow(ANN, "zoe@example.org")
    held.run.rewrite("run.json", lambda record: record.update(starter=["nobody"], started_by="nobody"))
    held.approve("zoe@example.org")
    assert held.judge().is_open
    assert not held.judge(replace(held.terms, approvals=2)).is_open


def test_a_stolen_key_counts_until_it_is_taken_out_of_the_file(held: SignedRun) -> None:
    by_hand(held, ANN)
    assert held.judge().is_open
    held.allow(BOB)
    assert not held.judge().is_open


def test_whoever_changes_the_configuration_lowers_the_policy_and_an_outsider_sees_it(held: SignedRun) -> None:
    digest = (held.folder / "digest").read_text().strip()
    (held.folder / "APPROVED").write_bytes(approvals.statement("demo", "plan", approvals.Approval(digest, ANN, files.now())))
    found = verdict.judge(held.run.folder, "plan", "required", "digest")
    assert (found.is_open, found.trust) == (True, "recorded")
    assert "0 of 1 signed approvals" in problems(copy_of(held), held.allowed)["plan"]


def test_whoever_changes_the_allowed_signers_opens_gates_and_an_outsider_with_another_copy_sees_it(held: SignedRun) -> None:
    theirs = write_allowed(held.keys / "theirs", {EVE: held.key(EVE)})
    by_hand(held, EVE)
    assert held.judge(replace(held.terms, allowed_signers=str(theirs))).is_open
    assert f"is not signed by {EVE}" in problems(copy_of(held), held.allowed)["plan"]
