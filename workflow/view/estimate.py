"""What the next run would take and cost, from the attempts that were made before; said at the end of a dry run."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow import files
from workflow.plan.phases import Agent
from workflow.work import journal, spending


def lines(run_dir: Path, waiting: Sequence[Agent]) -> list[str]:
    """One line about the agents that would work, where earlier attempts tell anything; else none.

    An agent is judged by its own attempts, or else by those of its runner in any run of this working directory.
    """
    known = [_expected(run_dir, agent) for agent in waiting]
    told = [found for found in known if found["attempts"]]
    if not told:
        return []
    seconds, costs = sum(found["wall_s"] for found in told), [found["usd"] for found in told if found["usd"] is not None]
    price = f"{spending.amount(sum(costs))} USD" if costs else "an unknown cost"
    missing = [f"{len(waiting) - len(told)} of them never worked before"] if len(told) < len(waiting) else []
    missing += [f"the cost of {len(told) - len(costs)} is unknown"] if costs and len(costs) < len(told) else []
    tries = sum(found["attempts"] for found in told)
    source = f"from {tries} earlier attempt{'' if tries == 1 else 's'}"
    count = "1 agent" if len(waiting) == 1 else f"{len(waiting)} agents"
    return [f"estimate: {count} would work, about {seconds:.0f} s and {price} ({'; '.join([source, *missing])})"]


def _expected(run_dir: Path, agent: Agent) -> dict[str, Any]:
    own = run_dir / agent.phase / "agents" / agent.name
    found = _figures(journal.attempts(own), None)
    if not found["attempts"]:
        others = [
            attempt
            for folder in sorted([*run_dir.parent.glob("*/*/agents/*"), *run_dir.parent.glob("*/*/agents/*/tasks/*")])
            for attempt in journal.attempts(folder)
        ]
        found = _figures(others, agent.runner)
    return found


def _figures(attempts: Sequence[journal.Attempt], runner: str | None) -> dict[str, Any]:
    """Number and means of the attempts that ended (of one runner, where it is given)."""
    ended = [attempt for attempt in attempts if attempt.exit and runner in (None, attempt.begin.get("runner"))]
    used = [files.try_read_json(attempt.folder / spending.USAGE) or {} for attempt in ended]
    costs = [item["cost_usd"] for item in used if item.get("cost_usd") is not None]
    seconds = [(attempt.exit or {}).get("duration_s", 0.0) for attempt in ended]
    return {
        "attempts": len(ended),
        "wall_s": statistics.fmean(seconds) if seconds else 0.0,
        "usd": statistics.fmean(costs) if costs else None,
    }
