"""The figures of a run, computed with pandas from its outcomes, checks and gates each time they are asked for.

Times are UTC, durations seconds, money US dollars. NA is unknown: a sum in which something is unknown is unknown, and
`..._known` beside it is the sum of what is known. Work is measured by intervals: what several agents do at once counts once
in `work_s` and once for each in `agent_s`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workflow import files
from workflow.gate import verdict
from workflow.view import totals
from workflow.view.records import PhaseRecord, RunRecord
from workflow.view.totals import total
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

    `run` are the totals (see `totals.of_run`); `as_of` is the moment up to which gates wait that nobody has decided on.
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
    gates = found["gates"]
    going_on = gates["ended_at"].isna() & gates["ended_by"].isna()
    as_of = ((now or pd.Timestamp.now("UTC")) if going_on.any() else totals.last_event(record, found)).as_unit("ms")
    gates["waiting_s"] = _seconds(gates["ended_at"].mask(going_on, as_of) - gates["shown_at"]).clip(lower=0.0)
    phases = pd.DataFrame([_phase_row(phase, found) for phase in record.phases.values()]).convert_dtypes()
    run = totals.of_run(record, found, phases, as_of) | usage(found["agents"])
    return Figures(record.run, record.state.state, as_of, run, phases, **found)


def _frame(name: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame with the columns and types of COLUMNS."""
    frame = pd.DataFrame(list(rows), columns=list(COLUMNS[name]))
    for column, kind in COLUMNS[name].items():
        if kind.startswith("datetime"):
            known = frame[column].where(frame[column].map(files.is_time), None)
            frame[column] = pd.to_datetime(known, utc=True, format="ISO8601").dt.as_unit("ms")
        else:
            frame[column] = frame[column].astype(kind)
    return frame


def _agent_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    for phase in record.phases.values():
        for agent in phase.plan.agents:
            outcome, tries = phase.outcomes.get(agent.name), phase.tries(agent.name)
            spent = [attempt["duration_s"] for attempt in tries]
            yield {
                "phase": phase.plan.name,
                "agent": agent.name,
                "status": PENDING,
                **(_published(outcome) if outcome else {}),
                "attempts": len(tries),
                "agent_s": None if None in spent else round(sum(max(0.0, took) for took in spent), 3),
                **{name: phase.used(agent.name, name) for name in USAGE},
                "estimated": phase.estimated(agent.name),
            }


def _published(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """What only an outcome says."""
    worked, runner = bool(outcome["attempts"]), outcome["runner"]
    return {
        "status": outcome["status"],
        **({name: runner.get(key) for name, key in (("runner", "name"), ("version", "version"), ("model", "model"))} if worked else {}),
        "exit_code": outcome["exit_code"],
        "duration_s": max(0.0, outcome["duration_s"]) if worked and outcome["duration_s"] is not None else None,
        "started_at": outcome["started_at"],
        "ended_at": outcome["ended_at"],
        "artifacts": len(outcome["artifacts"]),
    }


def _attempt_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    for phase in record.phases.values():
        for agent in phase.plan.agents:
            yield from ({"phase": phase.plan.name, "agent": agent.name, **attempt} for attempt in phase.tries(agent.name))


def _check_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    for phase in record.phases.values():
        for row in (phase.validation or {}).get("checks", []):
            yield {"phase": phase.plan.name, "check": row["name"]} | row


def _gate_rows(record: RunRecord) -> Iterator[dict[str, Any]]:
    """One row for each version that was shown to a person and waited for a decision."""
    for phase in record.phases.values():
        shown = phase.gate["shown"] if phase.plan.gate != "none" else []
        for entry, later in itertools.zip_longest(shown, [item["at"] for item in shown[1:]]):
            row = {"phase": phase.plan.name, "digest": entry["digest"], "shown_at": entry["at"]}
            yield row | (_decision(phase, entry, later) or _no_decision(phase, later))


def _decision(phase: PhaseRecord, entry: Mapping[str, Any], later: str | None) -> dict[str, Any] | None:
    """The first decision on a version between its being shown and the next one; None where there is none on record."""
    asked = [(item["at"], "changes_requested") for item in phase.rounds if item["reviewed"]["digest"] == entry["digest"]]
    opened = [(item["at"], "approved") for item in phase.gate["opened"] if item["digest"] == entry["digest"]]
    words = {"open": "approved", "changes_requested": "changes_requested"}
    if later is None and phase.state.state in words:
        opened.append((max(phase.state.since, entry["at"]), words[phase.state.state]))
    at, by = min((item for item in (*asked, *opened) if entry["at"] <= item[0] and item[0] <= (later or item[0])), default=("", ""))
    return {"ended_at": at, "ended_by": by} if by else None


def _no_decision(phase: PhaseRecord, later: str | None) -> dict[str, Any]:
    """Replaced by the next version; else it waits still, or nobody knows until when (a gate before it was closed)."""
    if later:
        return {"ended_at": later, "ended_by": "replaced"}
    return {} if phase.state.state in verdict.HOLDING else {"ended_by": "unknown"}


ROWS = {"agents": _agent_rows, "attempts": _attempt_rows, "checks": _check_rows, "gates": _gate_rows}


def _phase_row(phase: PhaseRecord, found: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    name = phase.plan.name
    mine = {kind: frame[frame["phase"] == name] for kind, frame in found.items()}
    validation, checks = phase.validation, mine["checks"]
    return {
        "phase": name,
        "state": phase.state.state,
        "trust": phase.state.trust,
        **_counts(mine["agents"]),
        **totals.work(mine["attempts"]),
        "agent_s": total(mine["agents"]["agent_s"]),
        "checks_s": total(checks["duration_s"]) if validation else None,
        "gate_s": total(mine["gates"]["waiting_s"]),
        "validation": (validation or {}).get("status"),
        "checks": len(checks) if validation else None,
        "checks_passed": int((checks["status"] == "pass").sum()) if validation else None,
        "artifacts": (phase.state.manifest or {}).get("artifact_count"),
        **totals.score(phase.hygiene),
        **usage(mine["agents"]),
    }


def _counts(agents: pd.DataFrame) -> dict[str, int]:
    """Agents by what became of them, how many of them have worked, and their attempts."""
    ended = agents["status"].value_counts()
    succeeded, pending, skipped = (int(ended.get(word, 0)) for word in (outcomes.SUCCEEDED, PENDING, "skipped"))
    failed = len(agents) - succeeded - pending - skipped
    counts = {"agents": len(agents), "succeeded": succeeded, "failed": failed, "skipped": skipped, "pending": pending}
    return counts | {"worked": int((agents["attempts"] > 0).sum()), "attempts": int(agents["attempts"].sum())}


def usage(agents: pd.DataFrame) -> dict[str, Any]:
    """Sums of tokens, calls and cost; unknown where an agent did not say; `..._known` are the sums of what was said."""
    worked = agents[agents["attempts"] > 0]
    sums: dict[str, Any] = {name: total(worked[name]) for name in SUMMED}
    sums |= {"cost_usd_known": round(float(worked["cost_usd"].sum()), 6), "cost_unknown": int(worked["cost_usd"].isna().sum())}
    return sums | {"estimated": bool(worked["estimated"].any())}


def _seconds(spans: pd.Series) -> pd.Series:
    return spans.dt.total_seconds().round(3).astype("Float64")
