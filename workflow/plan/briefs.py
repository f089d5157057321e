"""Briefs: what an agent is told, as a file that its job depends on.

`agents/<agent>/brief.json` holds all that may change what the agent does, and nothing else: no path of this
machine, no time limit. It is written only when its bytes change, so that Snakemake's `mtime` trigger runs an agent
again exactly when it would be told something else. The brief and the base tree together are the key of an attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.plan import roles, tasks
from workflow.plan.phases import Agent, Phase, Plan
from workflow.plan.settings import Settings


def make_brief(
    plan: Plan, agent: Agent, run_dir: Path, intake: Mapping[str, Any], settings: Settings, rework: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The brief of one agent. Reads what Phasegate's own checks found in the phases before.

    `rework`: the newest feedback for this agent (`items`, `round`, `previous`: the result that it starts from), or None.
    """
    phase = plan.phases[agent.phase]
    return {
        "run": run_dir.name,
        "phase": phase.name,
        "agent": agent.name,
        "role": agent.role,
        "instructions": agent.instructions,
        "runner": {"name": agent.runner, **settings["runners"].get(agent.runner, {})},
        "fallbacks": [{"name": name, **settings["runners"].get(name, {})} for name in agent.fallbacks],
        "prompt_template_sha256": roles.prompt_sha256(agent.role, settings["prompts"]),
        "intake": dict(intake),
        "attachments": [{"path": name, "sha256": _hash(run_dir / "attachments" / name)} for name in intake["attachments"]],
        "needs": list(agent.needs),
        "peers": [{"agent": other.name, "role": other.role} for other in _peers(phase, agent)],
        "artifacts": {"required": list(phase.required), "optional": list(phase.optional)},
        "checks": [{"name": check.name, "command": list(check.command), "purpose": check.purpose} for check in phase.checks],
        "upstream": [_found(plan.phases[name], run_dir) for name in plan.upstream(phase.name)],
        "environment": agent.environment,
        "produces": list(agent.produces),
        "protected": sorted({*phase.protected, *agent.protected}),
        "owns": list(agent.owns),
        "allow_no_changes": agent.allow_no_changes,
        **({"for_each": agent.for_each, "touches": agent.touches} if agent.for_each else {}),
        **rework_of(rework),
    }


def rework_of(rework: Mapping[str, Any] | None) -> dict[str, Any]:
    """What a brief says of feedback."""
    if not rework:
        return {"feedback": [], "rework": None}
    return {"feedback": list(rework["items"]), "rework": {"round": rework["round"], "previous": rework["previous"]}}


def _hash(path: Path) -> str | None:
    return files.sha256_file(path) if path.is_file() else None


def _peers(phase: Phase, agent: Agent) -> Iterable[Agent]:
    """The agents that may work at the same time: neither built on by this one nor building on it."""
    above = phase.lineages
    apart = above[agent.name] | {agent.name}
    return (other for other in phase.agents if other.name not in apart and agent.name not in above[other.name])


def _found(phase: Phase, run_dir: Path) -> dict[str, Any]:
    """What the checks of a finished phase found, without what varies between executions; without a result: unknown."""
    record = files.try_read_json(run_dir / phase.name / "validation.json") or {}
    kept = ("name", "command", "status", "exit_code")
    rows = {row.name: {"name": row.name, "command": list(row.command), "status": "unknown", "exit_code": None} for row in phase.checks}
    rows |= {row["name"]: {key: row[key] for key in kept} for row in record.get("checks", [])}
    return {"phase": phase.name, "checks": list(rows.values())}


def criteria(plan: Plan, phase: Phase, allow: Iterable[str] = (), answers: str | None = None) -> dict[str, Any]:
    """What a phase's result is held against; an input of its validation and its hygiene, written only when its bytes change.

    `allow` are globs of files in which the scan for secrets may find something; `answers` is the sha256 of the
    feedback that the result answers: checks run again for each round. `hygiene` names the artifacts of the phases before, too.
    """
    before = [
        pattern for name in plan.upstream(phase.name) for other in [plan.phases[name]] for pattern in (*other.required, *other.optional)
    ]
    checks = [
        {
            "name": check.name,
            "command": list(check.command),
            "purpose": check.purpose,
            "environment": check.environment,
        }
        for check in phase.checks
    ]
    return {
        "required": list(phase.required),
        "optional": list(phase.optional),
        "checks": checks,
        "protected": list(phase.protected),
        "hygiene": {**phase.hygiene, "artifacts": sorted({*before, *(agent.for_each for agent in plan.agents() if agent.for_each)})},
        "allow": list(allow),
        "answers": answers,
        **({"plans": plans} if (plans := _plans(plan, phase)) else {}),
    }


def _plans(plan: Plan, phase: Phase) -> list[dict[str, Any]]:
    """The files with tasks that later phases fan out on: {path, must}; the phase that alone comes right before must have it."""
    found: dict[str, bool] = {}
    for agent in plan.agents():
        if agent.for_each and tasks.is_file(agent.for_each) and phase.name in plan.upstream(agent.phase):
            path, must = agent.for_each, plan.phases[agent.phase].after == (phase.name,)
            found[path] = found.get(path, False) or must
    return [{"path": path, "must": must} for path, must in found.items()]
