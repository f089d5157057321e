"""Bisection: which merged step it is since which a check fails; and plans that are judged where they are written."""

from __future__ import annotations

import json

import pytest
from runs import Run, check

from workflow import files
from workflow.gate.approvals import blockers
from workflow.proof.bisection import first_bad
from workflow.work import trees

TWELVE = [f"a{number:02d}" for number in range(1, 13)]


@pytest.mark.parametrize("bad", range(12))
def test_the_first_bad_state_is_found_in_few_steps(bad: int) -> None:
    asked: list[int] = []

    def status(number: int) -> str:
        asked.append(number)
        return "fail" if number >= bad else "pass"

    assert first_bad(12, status) == bad
    assert len(asked) <= 4


def test_a_state_that_cannot_be_checked_names_nobody() -> None:
    assert first_bad(12, lambda number: "unknown") is None


@pytest.fixture
def twelve(run: Run) -> Run:
    """Twelve agents that each add a number; the sum may not be above 100, and the seventh adds too much."""
    run.start({"limit": "100"})
    run.phase()
    for number, name in enumerate(TWELVE, 1):
        run.agent(name, f"echo {90 if number == 7 else number} > {name}.n")
    return run


ADD = check("sum", "python3", "-c", "import glob, sys; sys.exit(sum(int(open(f).read()) for f in glob.glob('*.n')) > 100)")


def test_twelve_are_good_alone_and_the_seventh_breaks_the_merge(twelve: Run) -> None:
    twelve.merge(*TWELVE)
    record = twelve.validate(checks=(ADD,))
    [row] = record["checks"]
    assert (row["status"], row["culprit"]["agent"], row["culprit"]["passes_before"]) == ("fail", "a07", "a06")
    assert row["culprit"]["runs"] <= 5
    twelve.score()
    manifest = twelve.show(*TWELVE)
    assert "check sum failed, since a07 was merged" in [item.text for item in blockers(manifest["subject"])]
    page = (twelve.folder / "plan/REQUEST.md").read_text()
    assert "it fails since a07 was merged" in page


def test_a_check_that_failed_before_names_nobody_and_says_why(twelve: Run) -> None:
    twelve.merge(*TWELVE)
    [row] = twelve.validate(checks=(check("never", "false"),))["checks"]
    assert row["culprit"] == {"agent": None, "reason": "fails on what the phase began with, too, so no single step can be named", "runs": 1}


def test_a_check_that_passes_is_not_run_again(twelve: Run) -> None:
    twelve.merge(*TWELVE)
    [row] = twelve.validate(checks=(check("always", "true"),))["checks"]
    assert "culprit" not in row


def plan_of(run: Run, text: str | None, must: bool = True) -> dict[str, object]:
    run.start()
    run.phase()
    script = f"mkdir plan; printf %s '{text}' > plan/tasks.yaml" if text is not None else "echo > other"
    assert run.agent("planner", script)["status"] == "succeeded"
    run.merge("planner")
    record = run.validate()
    criteria = files.read_json(run.folder / "plan/criteria.json") | {"plans": [{"path": "plan/tasks.yaml", "must": must}]}
    files.write_json(run.folder / "plan/criteria.json", criteria)
    from workflow.proof import validation

    options = {"timeouts_s": {}, "sandbox": "off", "environments": None, "declared": ()}
    assert record["plans"] == []
    return validation.validate_phase(run.folder, "plan", options)


GOOD = json.dumps([{"id": "a", "title": "A"}, {"id": "b", "title": "B", "needs": ["a"]}])


@pytest.mark.parametrize(
    ("text", "must", "status", "words"),
    [
        (GOOD, True, "pass", ""),
        (GOOD.replace('["a"]', '["c"]'), True, "fail", "needs the unknown task `c`"),
        (GOOD.replace('"b"', '"a"'), False, "fail", "two tasks have the id `a`"),
        (None, True, "fail", "there is no such file"),
        (None, False, "pass", ""),
    ],
)
def test_a_bad_plan_blocks_the_gate_of_the_phase_that_writes_it(run: Run, text: str | None, must: bool, status: str, words: str) -> None:
    record = plan_of(run, text, must)
    assert record["status"] == status
    run.score()
    subject = run.show("planner")["subject"]
    assert [item.id for item in blockers(subject)] == ([] if status == "pass" else ["plan:plan/tasks.yaml"])
    page = (run.folder / "plan/REQUEST.md").read_text()
    assert words.replace("`", "\\`").replace("_", "\\_") in page or words in page
    assert trees.files(run.repo, "refs/phases/plan")
