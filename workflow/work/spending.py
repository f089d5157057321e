"""Spending: what attempts have used, and the budgets of run, phases and agents that they count against.

`attempts/<n>/usage.json` holds what an attempt has used so far (the fields of `events.Usage`, and `wall_s`). It is written
while the program runs, so that neither a crash nor a new process resets a budget; attempts are never deleted. What is not
known is null: it adds nothing to a sum, and the sum says how many attempts are missing from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files

USAGE = "usage.json"
KINDS = {"usd": "USD", "tokens": "tokens", "model_calls": "model calls", "wall_s": "seconds of work"}


@dataclass(frozen=True)
class Spent:
    """What one attempt has used; None is unknown."""

    phase: str
    agent: str
    attempt: str
    amounts: Mapping[str, float | None]
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Limit:
    """A budget: what it is for in words, whose attempts count (None: everybody's), and the most that they may use."""

    name: str
    phases: tuple[str, ...] | None
    agent: str | None
    most: Mapping[str, float]

    def counts(self, phase: str, agent: str) -> bool:
        """Whether what this agent, or task of an agent, uses counts against it."""
        return (self.phases is None or phase in self.phases) and self.agent in (None, agent.split("/")[0])


def limits(record: Iterable[Mapping[str, Any]]) -> list[Limit]:
    """The budgets in an agent's policy: mappings with name, phases, agent, most."""
    return [Limit(item["name"], tuple(item["phases"]) if item["phases"] else None, item["agent"], item["most"]) for item in record]


def amounts(usage: Mapping[str, Any], wall_s: float | None) -> dict[str, float | None]:
    """The amounts that budgets speak of."""
    tokens = [usage.get(name) for name in ("input_tokens", "output_tokens")]
    total = None if None in tokens else float(sum(filter(None, tokens)))
    return {"usd": usage.get("cost_usd"), "tokens": total, "model_calls": usage.get("model_calls"), "wall_s": wall_s}


def all_of(run_dir: Path) -> list[Spent]:
    """What every attempt of a run that started a program has used, whether it has ended or not, in the order of their folders."""
    return list(_all_of(run_dir))


def _all_of(run_dir: Path) -> Iterator[Spent]:
    begun = [path for folder in ("*/agents/*", "*/agents/*/tasks/*") for path in run_dir.glob(f"{folder}/attempts/[0-9]*/begin.json")]
    for folder in sorted(path.parent for path in begun):
        found = files.try_read_json(folder / USAGE) or {}
        ended = files.try_read_json(folder / "exit.json") or {}
        if ended.get("started", True):
            wall_s = ended.get("duration_s", found.get("wall_s"))
            phase, _, *names = folder.relative_to(run_dir).parts[:-2]
            yield Spent(phase, "/".join(names), folder.name, amounts(found, wall_s), found)


def total(spent: Iterable[Spent], kind: str) -> tuple[float, int]:
    """The sum of what is known, and the number of attempts of which it is not."""
    values = [item.amounts[kind] for item in spent]
    return sum(filter(None, values)), sum(value is None for value in values)


def reached(wanted: Sequence[Limit], spent: Sequence[Spent]) -> str:
    """Which budget is used up, in words; empty where none is."""
    for limit in wanted:
        for kind, most in limit.most.items():
            used, _ = total((item for item in spent if limit.counts(item.phase, item.agent)), kind)
            if used >= most:
                return f"the budget of {limit.name} is spent: {amount(used)} of {amount(most)} {KINDS[kind]}"
    return ""


def left(wanted: Sequence[Limit], spent: Sequence[Spent], kind: str) -> float | None:
    """How much of an amount every budget still allows; None where no budget speaks of it."""
    rests = [
        limit.most[kind] - total((item for item in spent if limit.counts(item.phase, item.agent)), kind)[0]
        for limit in wanted
        if kind in limit.most
    ]
    return min(rests) if rests else None


def amount(value: float) -> str:
    """A number as people write it."""
    return f"{value:,.4f}".rstrip("0").rstrip(".")
