"""The report of a run, from what a call of snakemake knows of it."""

from __future__ import annotations

import shutil
from pathlib import Path

from workflow.call.model import Call
from workflow.plan import intake
from workflow.view import proofs, records
from workflow.view.report import page
from workflow.view.report.subject import Subject
from workflow.view.report.texts import Guard
from workflow.work.redaction import Values, declared

OPENERS = ("xdg-open", "open", "wslview")


def write(call: Call) -> Path:
    """Write report.html of the run; returns its path."""
    return page.write(subject(call))


def subject(call: Call) -> Subject:
    """What the report of this run is about. Nothing is written."""
    after = {name: list(phase.after) for name, phase in call.plan.phases.items()}
    verdicts = {name: call.judge(name) for name in call.plan.phases}
    rows = {row["phase"]: row for row in proofs.verify_run(call.run_dir, after, verdicts)}
    budgets = {item["name"]: item for agent in call.seen().agents() for item in call.budgets(agent)}
    return Subject(
        record=records.read(call.state(), call.seen()),
        description=str((intake.frozen(call.run_dir) or call.intake)["project"].get("description") or ""),
        verified=rows,
        budgets=list(budgets.values()),
        command=call.command,
        guard=Guard(Values(declared(call.declared()))),
    )


def how_to_open(call: Call, path: Path) -> str:
    """The command that opens a page here; its address where no program for that is known."""
    program = next((name for name in OPENERS if shutil.which(name)), None)
    return f"{program} {call.command.path(path)}" if program else f"{path.absolute().as_uri()} (in a browser)"
