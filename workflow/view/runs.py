"""`runs`: all runs of a working directory, a line each, from their own files.

A run's phases and gates are those that its status.json and manifests name, since each run may have been made with other
settings; the gates are judged anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import history, verdict
from workflow.plan import policies
from workflow.plan.policies import Policy
from workflow.view import tables
from workflow.work import spending

COLUMNS = ("run", "type", "state", "open", "held_by", "agents", "agent_time", "cost", "started_at", "last_event")
SPARE = ("started_at", "type", "last_event", "agent_time", "cost")


def listing(folder: Path, current: str, signers: str | None = None) -> list[dict[str, Any]]:
    """A row for each run below `folder`, the newest first; `current` is the one that commands are about.

    `signers` is the file of the allowed signers, for gates that want signatures.
    """
    found = [_row_or_unknown(path.parent, current, signers) for path in folder.glob("*/run.json")]
    return sorted(found, key=lambda row: str(row["started_at"]), reverse=True)


def _row_or_unknown(run_dir: Path, current: str, signers: str | None) -> dict[str, Any]:
    """The row of a run; one in which nothing is known where its files are damaged, since the others are to be seen."""
    try:
        return _row(run_dir, current, signers)
    except Exception as error:  # noqa: BLE001 - whatever stands in the files
        damaged = f"cannot be read: {type(error).__name__}: {error}"
        row = dict.fromkeys(("type", "open", "agents", "started_at", "last_event", "agent_s", "agent_s_known"))
        costs = {"cost_usd_known": 0.0, "cost_unknown": 1, "attempts": 1, "estimated": False}
        return row | costs | {"run": run_dir.name, "current": run_dir.name == current, "state": "unknown", "held_by": damaged}


def _row(run_dir: Path, current: str, signers: str | None) -> dict[str, Any]:
    begun = files.try_read_object(run_dir / "run.json")
    status = files.try_read_object(run_dir / "status.json")
    phases = status.get("phases", {})
    states = {name: _state(run_dir, name, known, signers) for name, known in phases.items()}
    held = [f"{name} ({state})" for name, state in states.items() if state in verdict.HOLDING]
    spent = spending.all_of(run_dir)
    known, unknown = spending.total(spent, "usd")
    seconds, untimed = spending.total(spent, "wall_s")
    return {
        "run": run_dir.name,
        "current": run_dir.name == current,
        "type": begun.get("type"),
        "state": status.get("state", "unknown"),
        "open": f"{sum(state == verdict.OPEN for state in states.values())} of {len(phases)}",
        "held_by": ", ".join(held) or None,
        "agents": len({(item.phase, item.agent) for item in spent}),
        "agent_s": None if untimed else round(seconds, 3),
        "agent_s_known": round(seconds, 3),
        "cost_usd_known": known,
        "cost_unknown": unknown,
        "attempts": len(spent),
        "estimated": any(item.usage.get("estimated") for item in spent),
        "started_at": begun.get("started_at"),
        "last_event": _last_event(run_dir, begun),
    }


def _state(run_dir: Path, phase: str, known: Mapping[str, Any], signers: str | None) -> str:
    """Where a phase stands now; as status.json has it where it has shown nothing yet."""
    manifest = files.try_read_json(run_dir / phase / "manifest.json")
    if known.get("state") == "pending" or not isinstance(manifest, dict):
        return str(known.get("state", "unknown"))
    gate = manifest.get("gate", {})
    return verdict.judge(run_dir, phase, gate.get("kind", "required"), _policy(gate, signers)).state


def _policy(gate: Mapping[str, Any], signers: str | None) -> Policy:
    """What opened or opens a gate, as its manifest says; whose keys count stands in the configuration alone."""
    if gate.get("policy") != policies.SIGNED:
        return str(gate.get("policy", policies.DIGEST))
    days = gate.get("expires_days")
    return policies.Signed(
        str(Path(signers or "nowhere").expanduser()),
        int(gate["approvals"]),
        tuple(gate["approvers"]),
        None if days is None else float(days),
    )


def _last_event(run_dir: Path, begun: Mapping[str, Any]) -> str | None:
    """When the newest attempt ended or the newest version was shown."""
    ends = [(files.try_read_json(path) or {}).get("ended_at") for path in run_dir.glob("*/agents/**/attempts/*/exit.json")]
    shown = [entry["at"] for path in run_dir.glob("history/gates/*.json") for entry in history.read(run_dir, path.stem)["shown"][-1:]]
    return max((time for time in (begun.get("started_at"), *ends, *shown) if time), default=None)


def show(folder: Path, current: str, form: str = "table", signers: str | None = None) -> None:
    """Print the listing as a table or as JSON."""
    rows = listing(folder, current, signers)
    if form == "table":
        rows = [row | _shown(row) for row in rows]
    tables.print_rows(rows, COLUMNS, form, SPARE)


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "run": f"{row['run']} *" if row["current"] else row["run"],
        "agent_time": tables.seconds(row["agent_s"], row["agent_s_known"]),
        "cost": tables.dollars(row["cost_usd_known"], row["cost_unknown"], row["attempts"], row["estimated"]),
        "started_at": tables.minute(row["started_at"]),
        "last_event": tables.minute(row["last_event"]),
    }
