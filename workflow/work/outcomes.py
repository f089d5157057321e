"""Outcomes: `outcome.json`, what came of an agent's work, success or not.

Statuses: succeeded, failed, timed_out, no_changes, skipped, conflict, parked (out of quota, neither failed nor done),
over_budget. `errors` is never empty unless the agent succeeded. `again`: the next run tries again by itself, because its
program could not be started or is parked. `usage` is the sum over all attempts. What is not known is null.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow import files
from workflow.plan import tasks
from workflow.work import journal, spending, trees
from workflow.work.journal import Attempt

SUCCEEDED = "succeeded"
SUMS = ("input_tokens", "output_tokens", "cached_tokens", "cost_usd", "model_calls")
UNKNOWN_USAGE: dict[str, Any] = dict.fromkeys(SUMS) | {"estimated": False}


def blank(brief: dict[str, Any], status: str, errors: list[str], base: trees.Commit | None) -> dict[str, Any]:
    """The outcome of an agent that did not run (skipped, or its parents do not merge)."""
    return {
        "run": brief["run"],
        "phase": brief["phase"],
        "agent": brief["agent"],
        "task": _named(brief.get("task")),
        "role": brief["role"],
        "status": status,
        "exit_code": None,
        "errors": errors,
        "attempts": [],
        "started_at": None,
        "ended_at": None,
        "duration_s": 0.0,
        "runner": {"name": brief["runner"]["name"], "version": None, "model": None},
        "prompt_sha256": None,
        "brief_sha256": files.sha256_json(brief),
        "base": {"commit": base.commit, "tree": base.tree} if base else None,
        "result": None,
        "artifacts": [],
        "deleted": [],
        "usage": dict(UNKNOWN_USAGE),
        "sandbox": None,
        "feedback": [],
        "findings": [],
        "findings_count": 0,
        "log": None,
        "again": False,
    }


def _named(task: dict[str, Any] | None) -> dict[str, Any] | None:
    """What an outcome says of the task that it is of; None for an agent."""
    return {"id": task["id"], "title": task["title"]} if task else None


def from_attempt(
    brief: dict[str, Any], attempt: Attempt, agent_dir: Path, base: trees.Commit, result: trees.Commit, changed: list[dict[str, Any]]
) -> dict[str, Any]:
    """The outcome that a settled attempt stands for, re-based on `base`."""
    settled, ended, began = attempt.result or {}, attempt.exit or {}, attempt.begin
    model = (settled.get("usage") or {}).get("model") or began.get("model")
    return blank(brief, settled["status"], settled["errors"], base) | {
        **made(agent_dir, attempt.number),
        "exit_code": ended["exit_code"],
        "started_at": began["started_at"],
        "ended_at": ended["ended_at"],
        "duration_s": round(ended["duration_s"], 3),
        "runner": {"name": began.get("runner", brief["runner"]["name"]), "version": began.get("version"), "model": model},
        "prompt_sha256": began.get("prompt_sha256"),
        "result": {"commit": result.commit, "tree": result.tree},
        "artifacts": [item for item in changed if item["change"] != "deleted"],
        "deleted": [item["path"] for item in changed if item["change"] == "deleted"],
        "sandbox": began.get("sandbox"),
        "feedback": settled.get("feedback", []),
        "findings": settled.get("findings", []),
        "findings_count": settled.get("findings_count", 0),
        "log": f"attempts/{attempt.folder.name}/output.log",
        "again": settled["status"] == "parked" or not ended.get("started", True),
    }


def made(agent_dir: Path, last: int | None = None) -> dict[str, Any]:
    """The attempts that an agent has made (up to number `last`), and what they have used together."""
    tries = [attempt for attempt in journal.attempts(agent_dir) if last is None or attempt.number <= last]
    return {"attempts": [summary(attempt) for attempt in tries], "usage": usage_of(tries)}


def usage_of(tries: list[Attempt]) -> dict[str, Any]:
    """The sums over attempts; null where one of them that ran did not say."""
    ran = [files.try_read_json(attempt.folder / spending.USAGE) or {} for attempt in tries if (attempt.exit or {}).get("started", True)]
    found = dict(UNKNOWN_USAGE)
    for name in SUMS if ran else ():
        values = [used.get(name) for used in ran]
        found[name] = None if None in values else sum(value for value in values if value is not None)
    return found | {"estimated": any(used.get("estimated") for used in ran)}


def summary(attempt: Attempt) -> dict[str, Any]:
    """One line of the list of attempts."""
    began, ended, settled = attempt.begin, attempt.exit or {}, attempt.result or {}
    return {
        "number": attempt.number,
        "status": settled.get("status", "interrupted"),
        "exit_code": ended.get("exit_code"),
        "started_at": began.get("started_at"),
        "ended_at": ended.get("ended_at"),
        "duration_s": round(ended["duration_s"], 3) if "duration_s" in ended else None,
        "runner": began.get("runner"),
        "error": next(iter(settled.get("errors") or []), None),
        "retryable": settled.get("retryable"),
        "killed": settled.get("killed", []),
    }


def whole(value: Any) -> bool:
    """Whether a value has the shape of an outcome: what its views rely on is there, and of the right kind."""
    if not isinstance(value, dict) or not {"exit_code", "started_at", "ended_at", "log", "duration_s"} <= value.keys():
        return False
    kinds = [isinstance(value.get("status"), str), isinstance(value.get("runner"), dict), _is_usage(value.get("usage"))]
    kinds += [isinstance(value.get(name), list) for name in ("errors", "attempts", "artifacts", "deleted")]
    return all(kinds) and _is_timed(value) and all(map(_is_attempt, value["attempts"]))


def _is_attempt(value: Any) -> bool:
    return isinstance(value, dict) and {"number", "status", "exit_code", "duration_s"} <= value.keys() and _is_timed(value)


def _is_timed(value: dict[str, Any]) -> bool:
    """Whether times, duration and exit code are what they should be, or not known."""
    times = [value.get(name) is None or files.is_time(value[name]) for name in ("started_at", "ended_at")]
    code, took = value["exit_code"], value["duration_s"]
    return all(times) and (code is None or isinstance(code, int)) and (took is None or isinstance(took, int | float))


def _is_usage(value: Any) -> bool:
    """Whether amounts are numbers, whole ones but for the cost, or not known."""
    known = {name: value.get(name) for name in SUMS} if isinstance(value, dict) else {"": ""}
    kinds = {name: (int, float) if name == "cost_usd" else (int,) for name in known}
    return all(amount is None or (isinstance(amount, kinds[name]) and amount >= 0) for name, amount in known.items())


def with_tasks(run_dir: Path, phase: str, agent: str) -> Iterator[dict[str, Any]]:
    """The outcome of an agent, and after it those of its tasks."""
    folder = run_dir / phase / "agents"
    outcome = files.read_json(folder / agent / "outcome.json")
    yield outcome
    for row in outcome.get("tasks") or ():
        yield files.read_json(folder / tasks.unit(agent, row["id"]) / "outcome.json")


def read(run_dir: Path, phase: str, agent: str) -> dict[str, Any] | None:
    """The published outcome of an agent, or None where there is none."""
    return files.try_read_json(run_dir / phase / "agents" / agent / "outcome.json")
