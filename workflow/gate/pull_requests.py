"""PULL_REQUEST.md: what somebody who does not use Phasegate needs to review what a run has made, as GitHub Markdown.

Like a request it quotes people and agents in a form that cannot look like a part of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow import files, markup
from workflow.gate.requests import TEMPLATES, untrusted
from workflow.gate.verdict import Verdict
from workflow.proof import validation as validations
from workflow.work import leaks, redaction, trees
from workflow.work.publishing import Line

NAME = "PULL_REQUEST.md"
FIRST_FILES = 50


def write(
    run_dir: Path,
    made: Line,
    phases: Sequence[str],
    intake: Mapping[str, Any],
    declared: Iterable[str],
    judge: Callable[[str], Verdict],
) -> Path:
    """Write the page for a published line. `declared` names variables whose values must not appear."""
    repo = run_dir / "project.git"
    secret = redaction.Values(redaction.declared(declared))
    stats = trees.diffstat(repo, made.start or trees.empty(repo), made.tree)
    values = {
        "run": run_dir.name,
        "intake": intake,
        "phases": [_phase(run_dir, name, made.commits.get(name), judge(name)) for name in phases],
        "stats": [_row(row) for row in stats[:FIRST_FILES]],
        "more": max(0, len(stats) - FIRST_FILES),
        "totals": {"files": len(stats), "added": sum(row[1] or 0 for row in stats), "deleted": sum(row[2] or 0 for row in stats)},
        "start": made.start,
        "joined": made.joined,
    }
    pages = markup.environment(TEMPLATES)
    pages.filters["md"] = lambda text: untrusted(leaks.redact_text(str(text), secret))
    files.write_text(run_dir / NAME, pages.get_template(f"{NAME}.j2").render(values))
    return run_dir / NAME


def _phase(run_dir: Path, phase: str, commit: str | None, found: Verdict) -> dict[str, Any]:
    """One phase: its commit, who made it, who approved it and how far that can be believed, its checks."""
    manifest = files.read_json(run_dir / phase / "manifest.json")
    subject = manifest["subject"]
    said = {row["name"]: row["summary"] or row["reason"] for row in validations.read(run_dir, phase)["checks"]}
    return {
        "name": phase,
        "commit": commit,
        "digest": manifest["digest"],
        "tree": subject["tree"],
        "agents": [agent["name"] for agent in subject["agents"] if agent["status"] == "succeeded"],
        "people": [item["by"] for item in subject["adoptions"]],
        "trust": found.trust,
        "by": found.by,
        "at": found.since,
        "waived": found.waived,
        "missing": subject["validation"]["missing"],
        "checks": [check | {"says": said.get(check["name"], "")} for check in subject["validation"]["checks"]],
    }


def _row(row: tuple[str, int | None, int | None]) -> dict[str, Any]:
    path, added, deleted = row
    return {"path": path, "added": "binary" if added is None else added, "deleted": "" if deleted is None else deleted}
