"""The plan that the embedded architect writes: what development does, task by task, for every type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import INTAKE, ROOT

from workflow import globs
from workflow.plan import documents, tasks
from workflow.plan.tasks import Task
from workflow.work.runners.scaffold import scaffold

KINDS = ["webapp", "analytics", "ml"]
OVERLAPS = {"webapp": ("api", "pages"), "analytics": ("plots", "report"), "ml": ("dataset", "store")}


def intake_of(kind: str, **project: str) -> dict[str, Any]:
    """The intake that quickstart starts from, complete; a minimal one where there is none."""
    path = ROOT / "config" / "intakes" / f"{kind}.yaml"
    asked = yaml.safe_load(path.read_text()) if path.is_file() else INTAKE
    asked["project"] = asked["project"] | project
    return documents.fill_defaults(asked, documents.schema("intake"))


def render(folder: Path, role: str, intake: dict[str, Any], **more: Any) -> list[str]:
    """Let the scaffold runner do a role's work; the paths that it wrote."""
    return scaffold(folder, {"role": role, "intake": intake, "upstream": [], "feedback": [], **more})


def planned(folder: Path, intake: dict[str, Any]) -> list[Task]:
    """The tasks that the architect plans, in merge order."""
    render(folder, "architect", intake)
    found, problems = tasks.parse((folder / "plan/tasks.yaml").read_text(), "plan/tasks.yaml")
    assert problems == []
    return tasks.in_order(found)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def overlaps(listed: list[Task]) -> list[tuple[str, str]]:
    """Every pair of tasks that may touch the same file and do not need each other."""
    above: dict[str, set[str]] = {}
    for task in listed:
        above[task.id] = set(task.needs).union(*(above[other] for other in task.needs))
    pairs = [(one, other) for index, one in enumerate(listed) for other in listed[index + 1 :] if one.id not in above[other.id]]
    return [(one.id, other.id) for one, other in pairs if any(globs.overlap(a, b) for a in one.touches for b in other.touches)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tasks_together_make_what_the_roles_of_development_make_and_each_makes_something(kind: str, tmp_path: Path) -> None:
    intake = intake_of(kind)
    by_roles, by_tasks = tmp_path / "roles", tmp_path / "tasks"
    for folder in (by_roles, by_tasks):
        folder.mkdir()
        listed = planned(folder, intake)
        if kind != "webapp":
            render(folder, "data_engineer", intake)
    for role in ("developer", "tester", "documentarian"):
        render(by_roles, role, intake)
    for task in listed:
        before = contents(by_tasks)
        render(by_tasks, "developer", intake, task=task.as_json())
        assert contents(by_tasks) != before, f"{task.id} changes nothing"
    assert contents(by_tasks) == contents(by_roles)


@pytest.mark.parametrize("kind", KINDS)
def test_one_pair_of_tasks_overlaps_and_is_put_in_order(kind: str, tmp_path: Path) -> None:
    listed = planned(tmp_path, intake_of(kind))
    assert overlaps(listed) == [OVERLAPS[kind]]
    assert {task.id: task.after for task in listed if task.after} == {OVERLAPS[kind][1]: (OVERLAPS[kind][0],)}


@pytest.mark.parametrize("source", ["", "../old"])
def test_the_todo_app_has_twelve_tasks_also_where_it_starts_from_a_repository(source: str, tmp_path: Path) -> None:
    listed = planned(tmp_path, intake_of("webapp", **({"source": source, "ref": "v1"} if source else {})))
    assert len(listed) == 12
    assert [task.id for task in listed if not task.needs] == ["skeleton"]
    assert ("First run the tests of the existing repository (../old at v1)" in listed[0].description) == bool(source)
    assert all(task.accept for task in listed)


def test_a_project_of_no_ready_made_type_gets_a_plan_for_other_agents(tmp_path: Path) -> None:
    listed = planned(tmp_path, intake_of("other"))
    assert [task.id for task in listed] == ["skeleton", "core", "storage", "command", "secondary-goals", "acceptance", "guides", "readme"]
    assert all(task.touches and task.accept for task in listed)


def test_the_configuration_that_fans_out_differs_from_the_default_in_who_develops() -> None:
    default, fanning = (yaml.safe_load((ROOT / "config" / name).read_text()) for name in ("config.yaml", "fanout.yaml"))
    assert list(fanning) == ["phases"]
    agents = fanning["phases"]["development"].pop("agents")
    assert set(default["phases"]["development"].pop("agents")) == {"developer", "tester", "documentarian"}
    assert fanning["phases"] == default["phases"]
    assert {key: agents["developer"][key] for key in ("for_each", "environment")} == {
        "for_each": "plan/tasks.yaml",
        "environment": "python",
    }
