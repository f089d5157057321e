"""The story of tasks that wait at gates of their own (`gate: each`)."""

from __future__ import annotations

import json

import pytest
from conftest import Desk, sh

ID = "id=$(python3 -c \"import json, os; print(json.load(open(os.environ['PHASEGATE_BRIEF']))['task']['id'])\"); "
PLAN = [
    {"id": "a", "title": "A", "accept": ["test -s a.txt"]},
    {"id": "b", "title": "B", "needs": ["a"]},
    {"id": "c", "title": "C"},
    {"id": "d", "title": "D", "needs": ["c"]},
]


@pytest.fixture
def fanned(desk: Desk) -> Desk:
    """Planning without a gate, and four tasks that each have one."""
    runners = {
        "planner": sh(f"mkdir plan; echo '{json.dumps(PLAN)}' > plan/tasks.yaml"),
        "worker": sh(ID + 'grep -q "say more" "$PHASEGATE_PROMPT" && echo more >> $id.txt || echo $id > $id.txt'),
    }
    build = {"gate": "each", "agents": {"many": {"runner": "worker", "for_each": "plan/tasks.yaml"}}}
    desk.configure({"plan": {"gate": "none", "agents": {"planner": {"runner": "planner"}}}, "build": build}, runners)
    return desk


def tries(desk: Desk) -> dict[str, int]:
    folder = desk.path / "runs/demo/build/agents/many/tasks"
    return {path.name: len(list(path.glob("attempts/*/begin.json"))) for path in sorted(folder.iterdir())}


def states(desk: Desk) -> dict[str, str]:
    found = desk.json("runs/demo/status.json")["phases"]["build"]
    return {name.split("/")[-1]: state for name, state in found.get("tasks", {}).items()}


def test_what_builds_on_a_task_waits_for_its_gate_and_the_others_go_on(fanned: Desk) -> None:
    done = fanned.run()
    assert tries(fanned) == {"a": 1, "c": 1}
    assert states(fanned) == {"a": "waiting", "c": "waiting"}
    assert "build: 2 tasks wait for your review (a, c)" in done.said
    page = fanned.read("runs/demo/build/agents/many/tasks/a/REQUEST.md")
    assert "<code>test -s a.txt</code> pass" in page
    assert "+a\n" in page

    said = fanned.run("approve", "--config", "phase=build", "tasks=a", "by=Ann").out
    assert "approved: task a of build" in said
    fanned.run()
    assert tries(fanned) == {"a": 1, "b": 1, "c": 1}
    assert states(fanned) == {"a": "open", "b": "waiting", "c": "waiting"}

    (fanned.path / "runs/demo/build/agents/many/tasks/c/APPROVED").touch()
    fanned.run()
    assert tries(fanned) == {"a": 1, "b": 1, "c": 1, "d": 1}
    assert not (fanned.path / "runs/demo/build/REQUEST.md").exists()

    fanned.run("approve", "--config", "phase=build", "tasks=all", "by=Ann")
    done = fanned.run()
    assert "build waits for your review" in done.said
    fanned.run("approve", "--config", "phase=build", "by=Ann")
    assert "delivered" in fanned.run().said
    assert tries(fanned) == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_a_task_that_is_sent_back_is_done_again_alone_and_closes_its_gate(fanned: Desk) -> None:
    fanned.run()
    fanned.run("approve", "--config", "phase=build", "tasks=all", "by=Ann")
    fanned.run("request_changes", "--config", "phase=build", "tasks=a", "note=say more", "by=Ann")
    done = fanned.run(check=0)
    assert tries(fanned) == {"a": 2, "c": 1, "d": 1}
    assert states(fanned)["a"] == "stale"
    page = fanned.read("runs/demo/build/agents/many/tasks/a/REQUEST.md")
    assert "+more" in page
    assert "tasks wait for your review" in done.said
    fanned.run("approve", "--config", "phase=build", "tasks=a,d", "by=Ann")
    fanned.run()
    assert tries(fanned) == {"a": 2, "b": 1, "c": 1, "d": 1}


def test_a_rollback_keeps_the_attempts_of_tasks_and_a_run_after_it_pays_for_nothing(fanned: Desk) -> None:
    fanned.run()
    fanned.run("approve", "--config", "phase=build", "tasks=all", "by=Ann")
    fanned.run()
    before = tries(fanned)
    said = fanned.run("rollback", "--config", "to=plan").out
    assert not (fanned.path / "runs/demo/build/agents/many/tasks/a/outcome.json").exists()
    assert not (fanned.path / "runs/demo/build/agents/many/tasks/a/APPROVED").exists()
    assert "a, b, c, d" in said.replace("many, ", "")
    fanned.run()
    assert tries(fanned) == before
    assert states(fanned) == {"a": "waiting", "c": "waiting"}


def test_names_that_are_no_tasks_are_refused_in_one_line(fanned: Desk) -> None:
    fanned.run()
    done = fanned.run("approve", "--config", "phase=build", "tasks=a,nobody", check=1)
    assert "nobody is no task that is shown; known: a, c" in done.err
    done = fanned.run("approve", "--config", "phase=plan", "tasks=all", "waive=x=y", check=1)
    assert "no task of it is shown by itself" in done.err


def test_a_marker_of_one_task_opens_no_other(fanned: Desk) -> None:
    fanned.run()
    fanned.run("approve", "--config", "phase=build", "tasks=a", "by=Ann")
    folder = fanned.path / "runs/demo/build/agents/many/tasks"
    (folder / "c/APPROVED").write_bytes((folder / "a/APPROVED").read_bytes())
    fanned.run()
    assert states(fanned)["c"] == "stale"
    assert tries(fanned) == {"a": 1, "b": 1, "c": 1}
