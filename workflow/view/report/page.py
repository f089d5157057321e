"""The page: the report of a run as one HTML file that loads nothing and runs one script, its own.

What a browser may do is said by its Content-Security-Policy: no connection, no frame, no form; style and script by hash.
"""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from workflow import files
from workflow.view.figures import Figures
from workflow.view.report import badges, decisions, drawing, numbers, timeline
from workflow.view.report.subject import PhaseView, Subject, budget_rows, headline, views
from workflow.view.report.texts import Guard, is_unknown

TEMPLATES = Path(__file__).resolve().parents[2] / "report"
NAME = "report.html"
POLICY = (
    "default-src 'none'; img-src data:; style-src {style}; script-src {script}; connect-src 'none'; base-uri 'none'; form-action 'none'"
)


def write(subject: Subject) -> Path:
    """Write the report of a run and return its path. The same run gives the same bytes."""
    path = subject.record.run_dir / NAME
    files.write_text(path, render(subject))
    return path


def render(subject: Subject) -> str:
    """The report of a run as HTML."""
    figures = subject.figures()
    phases = views(subject, figures)
    own = {**_own("report.css", "style"), **_own("report.js", "script")}
    policy = POLICY.format(style=own["style_source"], script=own["script_source"])
    values = own | {"policy": policy, "phases": phases} | _of_run(subject, figures) | _parts(subject, figures, phases)
    return environment(subject.guard).get_template("page.html.j2").render(values)


def _of_run(subject: Subject, figures: Figures) -> dict[str, Any]:
    """What the head of the page says of the run."""
    record, state = subject.record, badges.of(subject.record.state.state)
    return {
        "run": record.run,
        "run_dir": record.run_dir.as_posix(),
        "description": subject.description,
        "state": state,
        "headline": headline(record, state),
        "started_by": record.begun.get("started_by"),
        "as_of": figures.as_of,
        "going_on": bool(figures.gates["ended_at"].isna().any()),
        "total": figures.run,
    }


def _parts(subject: Subject, figures: Figures, phases: Sequence[PhaseView]) -> dict[str, Any]:
    """What the sections show that are not about one phase."""
    record, by_name = subject.record, {phase.name: phase for phase in phases}
    going_on = [(phase.name, row) for phase in phases for row in phase.working.values()]
    return {
        "timeline": timeline.draw(figures, record.phases, going_on),
        "drawing": drawing.draw(record.phases, lambda phase, agent: by_name[phase].status(agent)),
        "budgets": budget_rows(subject),
        "approvals": decisions.rows(record, subject.verified),
        "rounds": decisions.rounds(record),
        "rollbacks": decisions.rollbacks(record.run_dir),
    }


def environment(guard: Guard) -> jinja2.Environment:
    """The environment of the page: everything is escaped, and every text passes the guard first."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=guard.shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(badges=badges, numbers=numbers)
    made.filters["shell"] = shlex.join
    made.tests["unknown"] = is_unknown
    return made


def _own(name: str, kind: str) -> dict[str, Any]:
    """One of our own files for the page, and the source expression that lets it through the policy."""
    text = (TEMPLATES / name).read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return {kind: Markup(text), f"{kind}_source": Markup(f"'sha256-{digest}'")}  # noqa: S704 - written by us
