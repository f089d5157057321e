"""`metrics.json`, `metrics.prom` and the tables of `snakemake metrics`: the figures of a run in the forms that others read.

metrics.json has a schema (workflow/schemas/metrics.schema.yaml). metrics.prom is in Prometheus' text format for the textfile
collector of its node exporter (https://github.com/prometheus/node_exporter#textfile-collector), names and units after
https://prometheus.io/docs/practices/naming/. What is unknown is null in the one and has no sample in the other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from workflow import files
from workflow.view.figures import PENDING, Figures
from workflow.view.freshness import JSON, PROMETHEUS

TABLES = ("phases", "agents", "attempts", "checks", "gates")
STATES = ("running", "waiting", "changes_requested", "blocked", "failed", "delivered")
GATES = ("open", "waiting", "stale", "changes_requested", "blocked", "pending", "running")
RUN, PHASE, AGENT = ("run",), ("run", "phase"), ("run", "phase", "agent", "status")
FAMILIES: dict[str, tuple[str, tuple[str, ...]]] = {
    "phasegate_run_duration_seconds": ("Time from the start of the run to its last event, or to now while a gate waits.", RUN),
    "phasegate_run_working_seconds": ("Time in which at least one agent worked.", RUN),
    "phasegate_run_waiting_seconds": ("Time in which a gate waited for a person and no agent worked.", RUN),
    "phasegate_run_critical_path_seconds": ("Work of the longest chain of agents that had to wait for each other.", RUN),
    "phasegate_run_efficiency_ratio": ("Agents at work on average, by the most that worked at once.", RUN),
    "phasegate_run_state": ("1 for the state that the run is in, 0 for the others.", (*RUN, "state")),
    "phasegate_phase_duration_seconds": ("Time in which at least one agent of the phase worked.", PHASE),
    "phasegate_phase_agents": ("Agents of the phase by what became of them.", (*PHASE, "status")),
    "phasegate_phase_artifacts": ("Files that the phase made or changed.", PHASE),
    "phasegate_phase_checks": ("Checks of the phase by their result.", (*PHASE, "status")),
    "phasegate_phase_validation_status": ("1 for the result of the validation.", (*PHASE, "status")),
    "phasegate_gate_state": ("1 for the state that the gate is in, 0 for the others.", (*PHASE, "state")),
    "phasegate_gate_waiting_seconds": ("Time for which the gate has waited for a person, over all versions shown.", PHASE),
    "phasegate_gate_shown_timestamp_seconds": ("When the newest version was shown, in seconds since 1970.", PHASE),
    "phasegate_cleanliness_score": ("Cleanliness of the merged tree of the phase, 0 to 100.", PHASE),
    "phasegate_agent_runtime_seconds": ("Time of the agent's program, over all attempts.", AGENT),
    "phasegate_agent_attempts": ("Attempts of the agent.", AGENT),
    "phasegate_agent_exit_code": ("Exit code of the agent's last attempt.", AGENT),
    "phasegate_agent_tokens": ("Tokens that the agent has used, over all attempts.", (*AGENT, "direction")),
    "phasegate_agent_cost_usd": ("US dollars that the agent has cost, over all attempts.", AGENT),
    "phasegate_agent_artifacts": ("Files that the agent made or changed.", AGENT),
}


def document(found: Figures) -> dict[str, Any]:
    """The content of metrics.json."""
    tables = {name: records(getattr(found, name)) for name in TABLES}
    return {"schema": 1, "run": found.name, "state": found.state, "as_of": _plain(found.as_of), "totals": dict(found.run), **tables}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame as JSON values: NA is null, a time is ISO 8601 with a `Z`."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return files.timestamp(value.to_pydatetime())
    return value.item() if hasattr(value, "item") else value


def exposition(found: Figures) -> bytes:
    """The content of metrics.prom."""
    registry = CollectorRegistry()
    gauges = {name: Gauge(name, text, labels, registry=registry) for name, (text, labels) in FAMILIES.items()}
    for name, labels, value in _samples(found):
        if value is not None and not pd.isna(value):
            gauges[name].labels(found.name, *map(_label, labels)).set(float(value))
    return generate_latest(registry)


def _label(text: str) -> str:
    """A label's value that can be written as UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


Sample = tuple[str, tuple[str, ...], Any]


def _samples(found: Figures) -> Iterator[Sample]:
    totals = found.run
    for name, key in (("duration", "wall_s"), ("working", "work_s"), ("waiting", "gate_s"), ("critical_path", "critical_s")):
        yield f"phasegate_run_{name}_seconds", (), totals[key]
    yield "phasegate_run_efficiency_ratio", (), totals["efficiency"]
    yield from (("phasegate_run_state", (state,), int(state == found.state)) for state in STATES)
    for row in found.phases.to_dict("records"):
        yield from _of_phase(found, row)
    for row in found.agents.to_dict("records"):
        yield from _of_agent(row)


def _of_phase(found: Figures, row: Mapping[str, Any]) -> Iterator[Sample]:
    phase = row["phase"]
    checks, gates = found.checks[found.checks["phase"] == phase], found.gates[found.gates["phase"] == phase]
    yield "phasegate_phase_duration_seconds", (phase,), row["work_s"] if row["worked"] else None
    for status in ("succeeded", "failed", "skipped", "pending"):
        yield "phasegate_phase_agents", (phase, status), row[status]
    yield "phasegate_phase_artifacts", (phase,), row["artifacts"]
    for status, count in checks["status"].value_counts().sort_index().items():
        yield "phasegate_phase_checks", (phase, str(status)), count
    if not pd.isna(row["validation"]):
        yield "phasegate_phase_validation_status", (phase, row["validation"]), 1
    yield from (("phasegate_gate_state", (phase, state), int(state == row["state"])) for state in GATES)
    if len(gates):
        yield "phasegate_gate_waiting_seconds", (phase,), row["gate_s"]
        yield "phasegate_gate_shown_timestamp_seconds", (phase,), gates["shown_at"].iloc[-1].timestamp()
    yield "phasegate_cleanliness_score", (phase,), row["score"]


def _of_agent(row: Mapping[str, Any]) -> Iterator[Sample]:
    labels = (row["phase"], row["agent"], row["status"])
    worked = row["attempts"] > 0
    if not worked and row["status"] == PENDING:
        return  # it has not worked yet
    yield "phasegate_agent_runtime_seconds", labels, row["agent_s"] if worked else None
    yield "phasegate_agent_attempts", labels, row["attempts"]
    yield "phasegate_agent_exit_code", labels, row["exit_code"]
    for direction in ("input", "output"):
        yield "phasegate_agent_tokens", (*labels, direction), row[f"{direction}_tokens"]
    yield "phasegate_agent_cost_usd", labels, row["cost_usd"]
    yield "phasegate_agent_artifacts", labels, row["artifacts"]


def write(run_dir: Path, found: Figures, moment_ns: int) -> tuple[Path, Path]:
    """Write metrics.json and metrics.prom, with the time of the newest file that they were computed from; returns their paths."""
    files.write_json(run_dir / JSON, document(found))
    files.write_bytes(run_dir / PROMETHEUS, exposition(found))
    for name in (JSON, PROMETHEUS):
        os.utime(run_dir / name, ns=(moment_ns, moment_ns))
    return run_dir / JSON, run_dir / PROMETHEUS
