"""Outcomes: `outcome.json`, what came of an agent's work, success or not.

Statuses: succeeded, failed, timed_out, no_changes, skipped, conflict. `errors` is never empty unless the agent
succeeded. `again`: its program could not be started, so that nothing was paid, and the next run tries again by itself.
What is not known is null.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow import files
from workflow.work import journal, trees
from workflow.work.journal import Attempt

SUCCEEDED = "succeeded"
UNKNOWN_USAGE = {"input_tokens": None, "output_tokens": None, "cost_usd": None}


def blank(brief: dict[str, Any], status: str, errors: list[str], base: trees.Commit | None) -> dict[str, Any]:
    """The outcome of an agent that did not run (skipped, or its parents do not merge)."""
    return {
        "run": brief["run"],
        "phase": brief["phase"],
        "agent": brief["agent"],
        "task": None,
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
        "log": None,
        "again": False,
    }


def from_attempt(
    brief: dict[str, Any], attempt: Attempt, agent_dir: Path, base: trees.Commit, result: trees.Commit, changed: list[dict[str, Any]]
) -> dict[str, Any]:
    """The outcome that a settled attempt stands for, re-based on `base`."""
    settled, ended, began = attempt.result or {}, attempt.exit or {}, attempt.begin
    tries = [summary(other) for other in journal.attempts(agent_dir) if other.number <= attempt.number]
    return blank(brief, settled["status"], settled["errors"], base) | {
        "exit_code": ended["exit_code"],
        "attempts": tries,
        "started_at": began["started_at"],
        "ended_at": ended["ended_at"],
        "duration_s": round(ended["duration_s"], 3),
        "runner": {"name": brief["runner"]["name"], "version": settled.get("runner_version"), "model": None},
        "prompt_sha256": began.get("prompt_sha256"),
        "result": {"commit": result.commit, "tree": result.tree},
        "artifacts": [item for item in changed if item["change"] != "deleted"],
        "deleted": [item["path"] for item in changed if item["change"] == "deleted"],
        "sandbox": began.get("sandbox"),
        "feedback": settled.get("feedback", []),
        "log": f"attempts/{attempt.folder.name}/output.log",
        "again": not ended.get("started", True),
    }


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
        "retryable": settled.get("retryable"),
        "killed": settled.get("killed", []),
    }


def read(run_dir: Path, phase: str, agent: str) -> dict[str, Any] | None:
    """The published outcome of an agent, or None where there is none."""
    return files.try_read_json(run_dir / phase / "agents" / agent / "outcome.json")
