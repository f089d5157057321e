"""Costs for a request: what the agents of a phase have used, and how far that uses up the budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow.work import spending
from workflow.work.spending import KINDS, Spent, amount

UNKNOWN = "unknown"


def of_phase(run_dir: Path, phase: str, budgets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`agents`: a row for each agent that worked, over all its attempts; `budgets`: a row for each amount of each budget.

    Amounts are texts; what no attempt told is unknown, and a sum in which some are missing says how many.
    """
    spent = spending.all_of(run_dir)
    names = list(dict.fromkeys(item.agent for item in spent if item.phase == phase))
    rows = [_row(name, [item for item in spent if (item.phase, item.agent) == (phase, name)]) for name in names]
    return {"agents": rows, "budgets": [row for limit in spending.limits(budgets) for row in _budget_rows(limit, spent)]}


def _row(name: str, spent: list[Spent]) -> dict[str, Any]:
    estimated = any(item.usage.get("estimated") for item in spent)
    models = ", ".join(dict.fromkeys(str(item.usage["model"]) for item in spent if item.usage.get("model")))
    told = {kind: _told(spent, kind) for kind in KINDS}
    told["usd"] += " (estimated)" if estimated and told["usd"] != UNKNOWN else ""
    return {"agent": name, "attempts": len(spent), "models": models or UNKNOWN, **told}


def _told(spent: Sequence[Spent], kind: str) -> str:
    """The sum as a text."""
    known, missing = spending.total(spent, kind)
    if missing == len(spent):
        return UNKNOWN
    digits = f"{known:,.1f}" if kind == "wall_s" else amount(known)
    return f"{digits} and {missing} attempts {UNKNOWN}" if missing else digits


def _budget_rows(limit: spending.Limit, spent: Sequence[Spent]) -> list[dict[str, str]]:
    mine = [item for item in spent if limit.counts(item.phase, item.agent)]
    return [
        {"name": limit.name, "used": _told(mine, kind) if mine else "0", "most": amount(most), "unit": KINDS[kind]}
        for kind, most in limit.most.items()
    ]


def told_at_all(costs: Mapping[str, Any]) -> bool:
    """Whether anything beyond the time was told, or a budget is set: else there is nothing to show."""
    measured = any(row[kind] != UNKNOWN for row in costs["agents"] for kind in ("usd", "tokens", "model_calls"))
    return measured or bool(costs["budgets"])
