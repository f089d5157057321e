"""The commands that a task is accepted by: run in a clean checkout, once for each result."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from runs import OPEN_AIR, Run

from workflow.proof import acceptance
from workflow.work import agents

POLICY = replace(OPEN_AIR, environments="environments")


def accepted(run: Run, counter: Path, plan: str, also: str = "") -> dict[str, Any]:
    """The outcome of a task of `plan.yaml` whose one command leaves a line in `counter` and wants what the task made."""
    run.start({"plan.yaml": plan, "other.txt": also})
    run.phase()
    command = ["sh", "-c", f"echo once >> {counter}; test -s made.txt"]
    task = {"id": "one", "title": "One", "description": "", "touches": [], "accept": [command], "lineage": ""}
    run.brief("dev/tasks/one", "echo made > made.txt", task=task, for_each="plan.yaml", touches="findings")
    return agents.run_agent(run.folder, "plan", "dev/tasks/one", POLICY, acceptance.by_commands)


def test_commands_run_again_for_another_tree_and_not_where_only_the_plan_was_edited(run: Run, tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    for plan, also, paid in (("one, two", "", 1), ("two, one", "", 1), ("two, one", "new", 2)):
        outcome = accepted(run, counter, plan, also)
        assert (outcome["status"], [row["status"] for row in outcome["accept"]]) == ("succeeded", ["pass"])
        assert len(counter.read_text().splitlines()) == len(run.attempts("dev/tasks/one")) == paid
