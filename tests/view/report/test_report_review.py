"""The review page: what to look at first, and commands that work."""

from __future__ import annotations

import shlex
from typing import Any

from pages import plan_of, subject_of
from runs import COMMAND, check

from workflow import files
from workflow.gate import feedback
from workflow.view.report import review
from workflow.view.report.subject import PhaseView, views

PLAN = plan_of({"plan": {"writer": ()}})


def viewed(run: Any, plan: Any = PLAN) -> PhaseView:
    """The last phase as the page shows it."""
    subject = subject_of(run.folder, plan)
    return views(subject, subject.figures())[-1]


def told(view: PhaseView) -> list[tuple[str, str]]:
    """Kinds and texts of the points."""
    return [(point.kind, point.text) for point in view.points]


def test_what_blocks_comes_first_and_leads_to_its_place(run: Any) -> None:
    run.agent("writer", "echo x > plan.md")
    run.merge("writer")
    run.validate(("plan.md", "missing.md"), checks=(check("tests", "false"),))
    run.show("writer")
    view = viewed(run)
    assert view.held
    assert told(view)[:2] == [
        ("keeps the gate closed", "required artifact is missing: missing.md"),
        ("keeps the gate closed", "check tests failed"),
    ]
    assert view.points[1].place == view.checks[0].id
    wishes = [order.wish for order in view.orders]
    assert "approve in spite of what is wrong, with a reason for each" in wishes
    assert not any(wish.startswith("approve what") for wish in wishes)


def test_what_was_not_measured_is_said(run: Any) -> None:
    run.shown()
    kinds = [point.text for point in viewed(run).points if point.kind == "not measured"]
    assert kinds == ["cleanliness of the files", "cost of writer"]


def test_changes_at_the_top_deletions_and_repetitions_are_said(run: Any) -> None:
    run.start({"old.txt": "old\n", "kept/a.txt": "a\n"})
    run.phase()
    run.agent("writer", "rm old.txt; seq 50 > big.txt; echo x > kept/b.txt")
    run.rewrite("plan/agents/writer/outcome.json", lambda outcome: outcome["attempts"].append(dict(outcome["attempts"][0], number=2)))
    run.merge("writer")
    run.validate()
    run.show("writer")
    points = told(viewed(run))
    assert ("big change", "big.txt") in points
    assert ("new at the top", "big.txt") in points
    assert ("deleted", "old.txt") in points
    assert ("worked again", "agent writer") in points
    assert ("no sandbox", "agents that ran unprotected: writer") in points


def test_very_many_blockers_are_counted(run: Any) -> None:
    run.agent("writer", "echo x > plan.md")
    run.merge("writer")
    run.validate(tuple(f"missing{number}" for number in range(30)))
    run.show("writer")
    view = viewed(run)
    closed = [point.text for point in view.points if point.kind == "keeps the gate closed"]
    assert len(closed) == review.MOST_BLOCKERS + 1
    assert closed[-1] == "10 more"
    assert "and 27 more reasons" in view.why
    assert not any("in spite" in order.wish for order in view.orders)


def test_commands_are_whole_and_quoted(run: Any) -> None:
    run.shown()
    view = viewed(run)
    found = {order.wish: order.command for order in view.orders}
    assert found["approve what is shown here, and go on"] == f"touch runs/demo/plan/APPROVED && {COMMAND.go_on()}"
    assert shlex.split(found["ask for changes"]) == ["snakemake", "request_changes", "--config", "phase=plan", "note=what should change"]
    assert found["see the whole change"] == "snakemake diff --config phase=plan"


def test_answers_to_feedback_are_shown_with_the_change_since(run: Any) -> None:
    run.shown("one\n")
    feedback.write(run.folder, "plan", "say two", [], "somebody")
    rounds = feedback.settle(run.folder, "plan", ["writer"])
    feedback.keep(run.folder, "plan", rounds)
    answer = '[{"id": "F1", "status": "done", "why": "it says two"}]'
    told = feedback.for_agent(rounds, "writer") or {}
    rework = {"round": told["round"], "previous": told["previous"]}
    run.agent("writer", f"echo two > plan.md; echo '{answer}' > feedback.json", feedback=told["items"], rework=rework)
    run.merge("writer")
    run.validate()
    run.show("writer")
    view = viewed(run)
    assert view.answers is not None
    assert view.answers["items"] == [{"id": "F1", "text": "say two", "said": ["writer: done. it says two"]}]
    assert view.since is not None
    assert [item.path for item in view.since.files] == ["plan.md"]
    assert "see what changed since the last review" in [order.wish for order in view.orders]


def test_a_damaged_manifest_is_said(run: Any) -> None:
    run.shown()
    files.write_text(run.folder / "plan/manifest.json", "{")
    view = viewed(run)
    assert view.held
    assert told(view) == [("damaged", "manifest.json of this phase cannot be read")]
    assert view.orders[0].command.startswith("rm runs/demo/plan/manifest.json")
