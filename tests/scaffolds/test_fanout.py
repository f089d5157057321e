"""The story of the todo app with its development done task by task: the plan is the work, and stays it when it is edited."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from typing import Any

import pytest
import yaml
from conftest import ROOT, Desk

RUN = "my-todo-app"
PLAN = "plan/tasks.yaml"
CONFIG = ("--configfile", str(ROOT / "config" / "fanout.yaml"))
TASKS = f"runs/{RUN}/development/agents/developer/tasks"


def edit_plan(desk: Desk, change: Any) -> None:
    """What a person does who does not like the plan: edit it, commit, adopt, read, approve."""
    path = desk.path / "runs" / RUN / "project" / PLAN
    path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text())), sort_keys=False))
    author = ("-c", "user.name=Ann", "-c", "user.email=ann@example.org")
    subprocess.run(["git", *author, "commit", "-qam", "my plan"], cwd=path.parent, env=desk.environment(), check=True)
    desk.run("adopt", *CONFIG, "--config", "phase=planning", "by=Ann")
    desk.touch("planning", RUN)
    assert "development waits for your review" in desk.run(*CONFIG, timeout=900).err


def attempts(desk: Desk) -> Counter[str]:
    """How many attempts each task has made."""
    return Counter(path.parts[-4] for path in (desk.path / TASKS).glob("*/attempts/*/begin.json"))


def delivered_plan(desk: Desk) -> list[str]:
    """The ids in the plan as the development hands it on."""
    made = desk.json(f"runs/{RUN}/development/agents/developer/outcome.json")["result"]["commit"]
    repo = desk.path / "runs" / RUN / "project.git"
    shown = subprocess.run(["git", "--git-dir", repo, "show", f"{made}:{PLAN}"], capture_output=True, check=True, text=True).stdout
    return [task["id"] for task in yaml.safe_load(shown)]


def reworded(plan: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [task | ({"description": "The same, in other words."} if task["id"] == "api" else {}) for task in plan]


def written(desk: Desk) -> set[str]:
    """The files that the tasks have made."""
    return {item["path"] for item in desk.json(f"runs/{RUN}/development/agents/developer/outcome.json")["artifacts"]}


@pytest.mark.long
def test_the_todo_app_is_developed_task_by_task_and_pays_only_for_what_the_plan_changes(desk: Desk) -> None:
    desk.run("quickstart", *CONFIG, "--config", "type=webapp", f"name={RUN}")
    plan = yaml.safe_load(desk.read(f"runs/{RUN}/project/{PLAN}"))
    names = {task["id"] for task in plan}
    assert len(names) == 12
    desk.touch("planning", RUN)
    stop = desk.run(*CONFIG, timeout=900)
    assert "development waits for your review (READY FOR REVIEW)" in stop.last[-5]
    assert stop.last[-3].endswith("2 of 2 checks passed (tests pass, coverage pass)")

    page = desk.read(f"runs/{RUN}/development/REQUEST.md")
    (row,) = [line.split(" | ") for line in page.splitlines() if line.startswith("| developer")]
    assert (row[0], row[1], row[4]) == ("| developer (12 tasks)", "succeeded", "12")
    assert re.fullmatch(r"[0-9.]+ s", row[2])
    (graph,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    node = dict(re.findall(r'^  (t\d+)\["([\w-]+)<br/>.*"\]:::succeeded$', graph, re.MULTILINE))
    assert set(node.values()) == names
    arrows = {(node[one], node[other]) for one, other in re.findall(r"^  (t\d+) --> (t\d+)$", graph, re.MULTILINE)}
    assert arrows == {(other, task["id"]) for task in plan for other in task["needs"]}
    assert [(node[one], node[other]) for one, other in re.findall(r"(t\d+) -\. same files \.-> (t\d+)", graph)] == [("api", "pages")]
    assert attempts(desk) == Counter(names)
    assert "is not among the files that the task touches" not in page

    edit_plan(desk, lambda tasks: tasks[::-1])
    assert attempts(desk) == Counter(names), "the order of the plan means nothing"
    assert delivered_plan(desk) == [task["id"] for task in plan[::-1]], "the tasks leave the plan as it was approved"
    assert PLAN not in written(desk)

    edit_plan(desk, reworded)
    again = attempts(desk) - Counter(names)
    assert again == Counter(["api", "application", "command", "guides", "readme"]), "the task and what needs it, not what comes after it"
    assert PLAN not in written(desk)
