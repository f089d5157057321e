"""Fan-out: the plan with the tasks that an agent has fanned out to, as far as they are known by now.

`agents/<agent>/tasks.json` (made by the rule `fan_out`) holds them: `for_each`, `tasks` in merge order, `problems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow import files
from workflow.plan import tasks
from workflow.plan.phases import Agent, Phase, Plan
from workflow.plan.tasks import Task


def path_of(run_dir: Path, phase: str, agent: str) -> Path:
    """Where the tasks of an agent stand."""
    return run_dir / phase / "agents" / agent / tasks.RECORD


def read(run_dir: Path, phase: str, agent: str) -> list[Task]:
    """The tasks of an agent in merge order; none where they are not known yet."""
    return [tasks.from_json(row) for row in files.try_read_object(path_of(run_dir, phase, agent)).get("tasks", [])]


def expanded(plan: Plan, run_dir: Path) -> Plan:
    """The plan with the known tasks in the place of the agents that fan out: what is seen, and what can be retried."""
    if not any(agent.for_each for agent in plan.agents()):
        return plan
    return Plan({name: _expanded(phase, run_dir) for name, phase in plan.phases.items()})


def _expanded(phase: Phase, run_dir: Path) -> Phase:
    known = {agent.name: read(run_dir, phase.name, agent.name) for agent in phase.agents if agent.for_each}
    found = [one for agent in phase.agents for one in (as_agents(agent, known[agent.name]) if known.get(agent.name) else [agent])]
    ends = {name: [tasks.unit(name, task.id) for task in listed] for name, listed in known.items() if listed}
    return replace(phase, agents=tuple(_needing(agent, ends) for agent in found))


def as_agents(agent: Agent, listed: list[Task]) -> list[Agent]:
    """The tasks of an agent, each as an agent of its own."""
    return [
        replace(
            agent,
            name=tasks.unit(agent.name, task.id),
            task=task.id,
            for_each=None,
            needs=(*agent.needs, *task.units(agent.name)),
        )
        for task in listed
    ]


def _needing(agent: Agent, ends: Mapping[str, list[str]]) -> Agent:
    """An agent that needs one that fans out needs all its tasks."""
    return replace(agent, needs=tuple(name for need in agent.needs for name in ends.get(need, [need])))


def brief(agent: Mapping[str, Any], task: Task, lineage: Mapping[str, str]) -> dict[str, Any]:
    """The brief of a task, from the one of its agent. `lineage`: see `lineages`."""
    name = agent["agent"]
    needs = [*agent["needs"], *task.units(name)]
    told = {key: value for key, value in task.as_json().items() if key not in ("needs", "after")}
    return {**agent, "agent": tasks.unit(name, task.id), "needs": needs, "task": {**told, "lineage": lineage[task.id]}}


def lineages(listed: list[Task]) -> dict[str, str]:
    """For each task a hash of what it and all the tasks that it needs are told: reword one, and those that need it change."""
    found: dict[str, str] = {}
    for task in listed:
        told = {key: value for key, value in task.as_json().items() if key != "after"}
        found[task.id] = files.sha256_json({"task": told, "needs": [found[other] for other in sorted(task.needs)]})
    return found
