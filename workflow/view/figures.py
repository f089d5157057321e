"""The figures of a run, computed with pandas from its outcomes, checks and gates each time they are asked for.

Times are UTC, durations seconds, money US dollars. NA is unknown: a sum in which something is unknown is unknown, and
`..._known` beside it is the sum of what is known. Work is measured by intervals: what several agents do at once counts once
in `work_s` and once for each in `agent_s`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workflow.view.intervals import covered, most_at_once
from workflow.view.records import PhaseRecord, RunRecord
from workflow.work import outcomes

PENDING = "pending"  # an agent without an outcome
USAGE = ("input_tokens", "output_tokens", "cached_tokens", "model_calls", "cost_usd")
SUMMED = ("input_tokens", "output_tokens", "model_calls", "cost_usd")
COLUMNS = {
    "agents": {
        "phase": "string", "agent": "string", "status": "string", "runner": "string", "version": "string", "model": "string",
        "attempts": "Int64", "exit_code": "Int64", "duration_s": "Float64", "agent_s": "Float64",
        "started_at": "datetime64[ms, UTC]", "ended_at": "datetime64[ms, UTC]", "input_tokens": "Int64", "output_tokens": "Int64",
        "cached_tokens": "Int64", "model_calls": "Int64", "cost_usd": "Float64", "estimated": "boolean", "artifacts": "Int64",
    },
    "attempts": {
        "phase": "string", "agent": "string", "number": "Int64", "status": "string", "exit_code": "Int64",
        "started_at": "datetime64[ms, UTC]", "ended_at": "datetime64[ms, UTC]", "duration_s": "Float64", "runner": "string",
        "error": "string",
    },
    "checks": {
        "phase": "string", "check": "string", "status": "string", "exit_code": "Int64", "duration_s": "Float64",
    },
    "gates": {
        "phase": "string", "digest": "string", "shown_at": "datetime64[ms, UTC]", "ended_at": "datetime64[ms, UTC]",
        "waiting_s": "Float64", "ended_by": "string",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Figures:
    """What was measured. Frames have the columns of COLUMNS, `phases` those of `_phase_row`, in plan order.

    `run` are the totals (see `_totals`); `as_of` is the moment up to which gates wait that nobody has decided on.
    """

    name: str
    state: str
    as_of: pd.Timestamp
    run: Mapping[str, Any]
    phases: pd.DataFrame
    agents: pd.DataFrame
    attempts: pd.DataFrame
    checks: pd.DataFrame
    gates: pd.DataFrame


def compute(record: RunRecord, now: pd.Timestamp | None = None) -> Figures:
    """All figures of a run. `now` ends the waits that go on; a run in which nothing waits does not depend on it."""
    found = {name: _frame(name, rows(record)) for name, rows in ROWS.items()}
    gates, going_on = found["gates"], found["gates"]["ended_at"].isna()
    as_of = ((now or pd.Timestamp.now("UTC")) if going_on.any() else _last_event(record, found)).as_unit("ms")
    gates["waiting_s"] = _seconds(gates["ended_at"].fillna(as_of) - gates["shown_at"]).clip(lower=0.0)
    phases = pd.DataFrame([_phase_row(phase, found) for phase in record.phases.values()]).convert_dtypes()
    return Figures(record.run, record.state.state, as_of, _totals(record, found, phases, as_of), phases, **found)


def _frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with the columns and types of COLUMNS."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS[name]))
    for column, kind in COLUMNS[name].items():
        time = kind.startswith("datetime")
        frame[column] = pd.to_datetime(frame[column], utc=True, format="ISO8601").dt.as_unit("ms") if time else frame[column].astype(kind)
    return frame


def _agent_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    for phase in record.phases.values():
        for agent in phase.plan.agents:
            outcome = phase.outcomes.get(agent.name)
            yield {"phase": phase.plan.name, "agent": agent.name, **(_agent_row(outcome) if outcome else {"status": PENDING})}


def _agent_row(outcome: Mapping[str, Any]) -> dict[str, Any]:
    spent = [attempt["duration_s"] for attempt in outcome["attempts"]]
    worked, runner = bool(spent), outcome["runner"]
    return {
        "status": outcome["status"],
        **({"runner": runner["name"], "version": runner["version"], "model": runner["model"]} if worked else {}),
        "attempts": len(spent),
        "exit_code": outcome["exit_code"],
        "duration_s": outcome["duration_s"] if worked else None,
        "agent_s": None if None in spent else round(sum(spent), 3),
        "started_at": outcome["started_at"],
        "ended_at": outcome["ended_at"],
        **({name: outcome["usage"].get(name) for name in USAGE} if worked else dict.fromkeys(USAGE, 0)),
        "estimated": outcome["usage"].get("estimated", False),
        "artifacts": len(outcome["artifacts"]),
    }


def _attempt_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    for phase in record.phases.values():
        for name, outcome in phase.outcomes.items():
            yield from ({"phase": phase.plan.name, "agent": name} | attempt for attempt in outcome["attempts"])


def _check_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    for phase in record.phases.values():
        for row in (phase.validation or {}).get("checks", []):
            yield {"phase": phase.plan.name, "check": row["name"]} | row


def _gate_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    """One row for each version that was shown to a person and waited for a decision."""
    for phase in record.phases.values():
        shown = phase.gate["shown"] if phase.plan.gate != "none" else []
        asked = {entry["reviewed"]["digest"]: entry["at"] for entry in phase.rounds}
        for index, entry in enumerate(shown):
            row = {"phase": phase.plan.name, "digest": entry["digest"], "shown_at": entry["at"]}
            if index + 1 < len(shown):
                later = shown[index + 1]["at"]
                decided = entry["digest"] in asked
                yield row | {"ended_at": asked.get(entry["digest"], later), "ended_by": "changes_requested" if decided else "replaced"}
            elif phase.state.state == "open":
                yield row | {"ended_at": phase.state.since, "ended_by": "approved"}
            elif phase.state.state == "changes_requested":
                yield row | {"ended_at": phase.state.since, "ended_by": "changes_requested"}
            else:
                yield row


ROWS = {"agents": _agent_rows, "attempts": _attempt_rows, "checks": _check_rows, "gates": _gate_rows}


def _phase_row(phase: PhaseRecord, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    name = phase.plan.name
    mine = {kind: frame[frame["phase"] == name] for kind, frame in found.items()}
    agents, validation = mine["agents"], phase.validation or {}
    ended = agents["status"].value_counts()
    succeeded, pending, skipped = (int(ended.get(word, 0)) for word in (outcomes.SUCCEEDED, PENDING, "skipped"))
    checks_s = _sum(mine["checks"]["duration_s"])
    return {
        "phase": name,
        "state": phase.state.state,
        "trust": phase.state.trust,
        "agents": len(agents),
        "succeeded": succeeded,
        "failed": len(agents) - succeeded - pending - skipped,
        "skipped": skipped,
        "pending": pending,
        "attempts": int(agents["attempts"].sum()),
        "work_s": covered(_intervals(mine["attempts"], "started_at")),
        "agent_s": _sum(agents["agent_s"]),
        "checks_s": checks_s if len(mine["checks"]) else 0.0,
        "gate_s": float(mine["gates"]["waiting_s"].sum()),
        "validation": validation.get("status"),
        "checks": len(mine["checks"]) if validation else None,
        "checks_passed": int((mine["checks"]["status"] == "pass").sum()) if validation else None,
        "artifacts": (phase.state.manifest or {}).get("artifact_count"),
        **_score(phase.hygiene),
        **_usage(agents),
    }


def _usage(agents: pd.DataFrame) -> dict[str, Any]:
    """Sums of tokens, calls and cost; unknown where an agent did not say; `..._known` are the sums of what was said."""
    worked = agents[agents["attempts"].fillna(0) > 0]
    sums = {name: _sum(worked[name]) for name in SUMMED}
    return sums | {"cost_usd_known": round(float(worked["cost_usd"].sum()), 6), "cost_unknown": int(worked["cost_usd"].isna().sum())}


def _totals(record: RunRecord, found: Mapping[str, pd.DataFrame], phases: pd.DataFrame, as_of: pd.Timestamp) -> dict[str, Any]:
    """The run as a whole.

    `wall_s`: from its start to its last event (or to `as_of` while a gate waits). `work_s`: while at least one agent worked (its tree
    being set up included); `agent_s`: the time of their programs, added up;
    `gate_s`: while a gate waited and no agent worked; `idle_s`: the rest (checks, packing, a run that nobody carried on).
    `parallelism`: agents at work on average while any works; `peak`: the most at once; `efficiency`: the one by the other.
    `critical_s`: the agents of `critical_path`, the longest chain of agents that had to wait for each other.
    """
    started = pd.Timestamp(record.begun["started_at"])
    wall_s = max(0.0, (as_of - started).total_seconds())
    work, waits = _intervals(found["attempts"], "started_at"), _intervals(found["gates"].fillna({"ended_at": as_of}), "shown_at")
    work_s, either_s = covered(work), covered([*work, *waits])
    peak, parallelism = most_at_once(work), sum(covered([span]) for span in work) / work_s if work_s else None
    path, critical_s = _critical(record, found["agents"])
    return {
        "type": record.begun.get("type"),
        "started_at": record.begun["started_at"],
        "wall_s": round(wall_s, 3),
        "work_s": work_s,
        "agent_s": _sum(found["attempts"]["duration_s"]),
        "gate_s": round(either_s - work_s, 3),
        "idle_s": round(max(0.0, wall_s - either_s), 3),
        "parallelism": None if parallelism is None else round(parallelism, 3),
        "peak": peak,
        "efficiency": None if parallelism is None else round(min(1.0, parallelism / peak), 3),
        "critical_s": critical_s,
        "critical_path": path,
        **{name: int(phases[name].sum()) for name in ("agents", "succeeded", "failed", "skipped", "pending", "attempts")},
        **_score(next((phase.hygiene for phase in list(record.phases.values())[::-1] if phase.hygiene), None)),
        **_usage(found["agents"]),
    }


def _score(hygiene: Mapping[str, Any] | None) -> dict[str, Any]:
    """Cleanliness, and the scanners without which it is unknown; all unknown where there is no record."""
    found = hygiene or {}
    score = found.get("score")
    return {"score": score, "grade": None if score is None else found["grade"], "unmeasured": ", ".join(found.get("unknown", [])) or None}


def _critical(record: RunRecord, agents: pd.DataFrame) -> tuple[list[str], float | None]:
    """The chain of agents (`phase_agent`) with the longest time of work, and that time; unknown where an attempt's is."""
    if not agents["agent_s"].notna().any():
        return [], None
    took = {(row.phase, row.agent): 0.0 if pd.isna(row.agent_s) else row.agent_s for row in agents.itertuples()}
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
    worked = set(agents[agents["attempts"].fillna(0) > 0].agg("{0[phase]}_{0[agent]}".format, axis=1))
    return [rule for rule in path if rule in worked], round(float(seconds), 3)


def _last_event(record: RunRecord, found: Mapping[str, pd.DataFrame]) -> pd.Timestamp:
    """When the last thing happened that is on record."""
    times = [pd.Timestamp(record.begun["started_at"]), found["attempts"]["ended_at"].max(), found["gates"]["ended_at"].max()]
    times += [pd.Timestamp(phase.gate["shown"][-1]["at"]) for phase in record.phases.values() if phase.gate["shown"]]
    return max(time for time in times if not pd.isna(time))


def _intervals(frame: pd.DataFrame, start: str) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    whole = frame[[start, "ended_at"]].dropna()
    return list(whole.itertuples(index=False, name=None))


def _seconds(spans: pd.Series) -> pd.Series:
    return spans.dt.total_seconds().round(3).astype("Float64")


def _sum(values: pd.Series) -> Any:
    """The sum, or None where something is unknown; whole numbers stay whole."""
    if values.isna().any():
        return None
    total = values.sum()
    return int(total) if values.dtype == "Int64" else round(float(total), 6)
