"""Totals: what the frames of a run (`figures`) say of the run as a whole, and sums in which the unknown stays unknown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from workflow.view.intervals import Span, covered, most_at_once
from workflow.view.records import RunRecord

COUNTS = ("agents", "succeeded", "failed", "skipped", "pending", "worked", "attempts")


def of_run(record: RunRecord, found: Mapping[str, pd.DataFrame], phases: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, Any]:
    """The run as a whole.

    `wall_s`: from its start to its last event (or to `as_of` while a gate waits). `work_s`: while at least one agent worked (its
    `setup` included); `agent_s`: the time of their programs, added up; `gate_s`: while a gate waited and no agent worked;
    `idle_s`: the rest (checks, packing, a run that nobody carried on). `critical_s`: the work of `critical_path`.
    """
    wall_s = max(0.0, (as_of - pd.Timestamp(record.begun["started_at"])).total_seconds())
    gates = found["gates"]
    waiting = gates["ended_at"].isna() & gates["ended_by"].isna()
    waits = spans(gates.assign(ended_at=gates["ended_at"].mask(waiting, as_of)), "shown_at")
    worked, done = work(found["attempts"]), spans(found["attempts"], "started_at")
    either_s, known = covered([*done, *waits]), worked["work_s"] is not None and not (gates["ended_by"] == "unknown").any()
    path, critical_s = critical(record, found["agents"])
    return {
        "type": record.begun.get("type"),
        "started_at": record.begun["started_at"],
        "wall_s": round(wall_s, 3),
        **worked,
        "agent_s": total(found["agents"]["agent_s"]),
        "gate_s": round(either_s - worked["work_s_known"], 3) if known else None,
        "idle_s": round(max(0.0, wall_s - either_s), 3) if known else None,
        **_side_by_side(done),
        "critical_s": critical_s,
        "critical_path": path,
        **{name: int(phases[name].sum()) for name in COUNTS},
        **score(next((phase.hygiene for phase in list(record.phases.values())[::-1] if phase.hygiene), None)),
    }


def work(attempts: pd.DataFrame) -> dict[str, Any]:
    """Time in which at least one of the attempts went on; unknown where one has no end (interrupted, or at work)."""
    known = covered(spans(attempts, "started_at"))
    return {"work_s": None if attempts["ended_at"].isna().any() else known, "work_s_known": known}


def _side_by_side(done: list[Span]) -> dict[str, Any]:
    """`parallelism`: agents at work on average while any works; `peak`: the most at once; `efficiency`: the one by the other."""
    busy, peak = covered(done), most_at_once(done)
    parallelism = sum(covered([span]) for span in done) / busy if busy else None
    efficiency = None if parallelism is None else round(min(1.0, parallelism / peak), 3)
    return {"parallelism": None if parallelism is None else round(parallelism, 3), "peak": peak, "efficiency": efficiency}


def score(hygiene: Mapping[str, Any] | None) -> dict[str, Any]:
    """Cleanliness, and the scanners without which it is unknown; all unknown where there is no record."""
    found = hygiene or {}
    known = found.get("score")
    return {"score": known, "grade": None if known is None else found["grade"], "unmeasured": ", ".join(found.get("unknown", [])) or None}


def critical(record: RunRecord, agents: pd.DataFrame) -> tuple[list[str], float | None]:
    """The longest chain of agents (`phase_agent`) that had to wait for each other, and its work; unknown where an agent's work is."""
    if agents["agent_s"].isna().any() or not (agents["attempts"] > 0).any():
        return [], None
    took = {(row.phase, row.agent): float(row.agent_s) for row in agents.itertuples()}
    ends: dict[str, tuple[float, list[str]]] = {}
    for name, phase in record.phases.items():
        start = max((ends[other] for other in phase.plan.after), key=lambda end: end[0], default=(0.0, []))
        longest: dict[str, tuple[float, list[str]]] = {}
        left = list(phase.plan.agents)
        while left:
            agent = next(item for item in left if set(item.needs) <= longest.keys())
            left.remove(agent)
            before = max((longest[other] for other in agent.needs), key=lambda end: end[0], default=start)
            longest[agent.name] = (before[0] + took[name, agent.name], [*before[1], agent.rule])
        ends[name] = max(longest.values(), key=lambda end: end[0])
    seconds, path = max(ends.values(), key=lambda end: end[0])
    worked = {f"{row.phase}_{row.agent}" for row in agents.itertuples() if row.attempts > 0}
    return [rule for rule in path if rule in worked], round(seconds, 3)


def last_event(record: RunRecord, found: Mapping[str, pd.DataFrame]) -> pd.Timestamp:
    """When the last thing happened that is on record."""
    times = [pd.Timestamp(record.begun["started_at"]), found["attempts"]["ended_at"].max(), found["gates"]["ended_at"].max()]
    times += [pd.Timestamp(phase.gate["shown"][-1]["at"]) for phase in record.phases.values() if phase.gate["shown"]]
    return max(time for time in times if not pd.isna(time))


def spans(frame: pd.DataFrame, start: str) -> list[Span]:
    """From `start` to `ended_at` of each row in which both are known."""
    return list(frame[[start, "ended_at"]].dropna().itertuples(index=False, name=None))


def total(values: pd.Series) -> Any:
    """The sum, or None where something is unknown; whole numbers stay whole."""
    if values.isna().any():
        return None
    found = values.sum()
    return int(found) if values.dtype == "Int64" else round(float(found), 6)
