"""`metrics`: the figures of a run on the terminal, and the files that hold them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow import files
from workflow.view import figures, metrics, tables
from workflow.view.figures import Figures
from workflow.view.records import RunRecord

PHASES = ("phase", "state", "agents", "validation", "duration", "agent_time", "gate_waited", "attempts", "cost", "cleanliness")
AGENTS = ("phase", "agent", "status", "duration", "attempts", "exit_code", "tokens", "cost", "runner", "model")


def show(read: Callable[[], RunRecord], keep: Callable[[RunRecord, Figures], tuple[Path, Path]] | None, form: str, table: str) -> None:
    """Read, compute, keep metrics.json and metrics.prom, and print them: as tables, as JSON, or one table as CSV.

    Without `keep`, and where the folder cannot be written, nothing is kept, and that is said.
    """
    record = read()
    found = figures.compute(record)
    try:
        written = " and ".join(map(str, keep(record, found))) if keep else "nothing, in a dry run"
    except OSError as error:
        written = f"nothing: {error.strerror}"
    if form == "json":
        sys.stdout.write(files.pretty_json(metrics.document(found)))
    elif form == "csv":
        frame = getattr(found, table)
        tables.print_rows(metrics.records(frame), list(map(str, frame.columns)), "csv")
    else:
        _print(found, written)


def _print(found: Figures, written: str) -> None:
    goal = tables.console()
    goal.print(tables.cell("run", f"{found.name}: ") + tables.cell("state", found.state), soft_wrap=True, end="\n\n")
    phases = [_phase(row) for row in metrics.records(found.phases)]
    agents = [_agent(row) for row in metrics.records(found.agents)]
    tables.print_rows(phases, PHASES, "table", ("attempts", "agent_time", "cleanliness", "cost", "gate_waited", "validation"), "Phases")
    goal.print()
    tables.print_rows(agents, AGENTS, "table", ("model", "runner", "tokens", "exit_code", "cost", "attempts"), "Agents")
    goal.print()
    for label, text in _lines(found.run):
        goal.print(f"{label + ':':15}{text}", soft_wrap=True)
    goal.print(f"{'written:':15}{written}", soft_wrap=True)


def _phase(row: dict[str, Any]) -> dict[str, Any]:
    worked = row["worked"]
    extra = [f"{row[word]} {word}" for word in ("failed", "skipped", "pending") if row[word]]
    return row | {
        "agents": ", ".join([f"{row['succeeded']} of {row['agents']}", *extra]),
        "duration": tables.seconds(row["work_s"], row["work_s_known"]) if worked else None,
        "agent_time": tables.seconds(row["agent_s"]) if worked else None,
        "gate_waited": tables.seconds(row["gate_s"]) if row["gate_s"] != 0 else None,
        "attempts": row["attempts"] or None,
        "cost": tables.dollars(row["cost_usd_known"], row["cost_unknown"], worked, row["estimated"]) if worked else None,
        "cleanliness": cleanliness(row) if worked else None,
    }


def _agent(row: dict[str, Any]) -> dict[str, Any]:
    worked = bool(row["attempts"])
    tokens = None if None in (row["input_tokens"], row["output_tokens"]) else f"{row['input_tokens'] + row['output_tokens']:,}"
    cost = (row["cost_usd"] or 0.0, int(row["cost_usd"] is None), 1, bool(row["estimated"]))
    return row | {
        "duration": tables.seconds(row["agent_s"]) if worked else None,
        "tokens": (tokens or "unknown") if worked else None,
        "cost": tables.dollars(*cost) if worked else None,
    }


def cleanliness(row: dict[str, Any]) -> str:
    """Score and grade; unknown where it was not measured, with the scanners that did not."""
    if row["score"] is None:
        return f"unknown ({row['unmeasured']})" if row["unmeasured"] else "unknown"
    return f"{row['score']} ({row['grade']})"


def _lines(run: Any) -> list[tuple[str, str]]:
    """The run as a whole, in words."""
    known = "unknown" if run["efficiency"] is None else f"{run['parallelism']:.2f} at once on average, {run['peak']} at most"
    share = "" if run["efficiency"] is None else f"; efficiency {run['efficiency']:.0%}"
    way = " > ".join(run["critical_path"])
    worked = run["worked"]
    spent = tables.seconds(run["work_s"], run["work_s_known"])
    return [
        ("wall time", f"{tables.seconds(run['wall_s'])}: agents {spent}, gates {tables.seconds(run['gate_s'])}, "
         f"other {tables.seconds(run['idle_s'])}"),
        ("agent time", f"{tables.seconds(run['agent_s'])} in {run['attempts']} attempts; {known}{share}"),
        ("critical path", f"{tables.seconds(run['critical_s'])}: {way}" if way else "unknown"),
        ("cost", tables.dollars(run["cost_usd_known"], run["cost_unknown"], worked, run["estimated"]) if worked else "-"),
        ("cleanliness", cleanliness(run)),
    ]  # fmt: skip
