"""What people decided in a run: approvals and how far they can be believed, rounds of feedback, rollbacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import approvals
from workflow.gate.approvals import read_marker
from workflow.view.records import RunRecord

TRUST = {
    "none": "nobody has approved it",
    "unsigned": "a touched marker: whoever could write to the folder",
    "recorded": "names the digest and who gave it; not signed",
    "signed": "signed by a key that is allowed to",
}
MOST_ROLLBACKS = 50


def rows(record: RunRecord, verified: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row for each phase that has asked for a review: gate, trust, who and when, note, waivers, whether it verifies."""
    return [_row(record, name, verified.get(name)) for name, phase in record.phases.items() if phase.state.manifest]


def _row(record: RunRecord, name: str, found: Mapping[str, Any] | None) -> dict[str, Any]:
    phase = record.phases[name]
    state = phase.state
    digest = state.digest or (state.manifest or {}).get("digest")
    given = _given(record.run_dir / name / approvals.MARKER)
    return {
        "phase": name,
        "state": state.state,
        "gate": phase.plan.gate,
        "trust": state.trust,
        "trust_words": TRUST.get(state.trust, ""),
        "by": state.by,
        "at": state.since if state.trust != "none" else "",
        "note": given.note if given and given.digest == digest and state.trust != "none" else "",
        "waived": state.waived,
        "digest": digest,
        "shown": phase.gate["shown"],
        "verified": None if found is None else found["verified"],
        "problems": found["problems"] if found else [],
        "reasons": state.reasons,
    }


def _given(marker: Path) -> approvals.Approval | None:
    """What a marker says; None where there is none that says anything."""
    try:
        content, _ = read_marker(marker)
    except (OSError, ValueError):
        return None
    return approvals.parse(content)


def rounds(record: RunRecord) -> list[tuple[str, int, Mapping[str, Any]]]:
    """(phase, number, round) of all feedback, phase by phase, oldest first."""
    return [(name, number, entry) for name, phase in record.phases.items() for number, entry in enumerate(phase.rounds, 1)]


def rollbacks(run_dir: Path) -> list[dict[str, Any]]:
    """The rollbacks of a run, oldest first: advisory, when, to which gate, which phases, what was put away."""
    return list(_rollbacks(run_dir))[-MOST_ROLLBACKS:]


def _rollbacks(run_dir: Path) -> Iterator[dict[str, Any]]:
    for advisory in sorted(run_dir.glob("ROLLBACK_*.md")):
        archive = run_dir / "history" / "rollbacks" / advisory.stem.removeprefix("ROLLBACK_")
        moved = files.try_read_json(archive / "moved.json")
        moved = moved if isinstance(moved, dict) else {}
        paths = [str(path) for path in moved.get("paths", [])]
        yield {
            "name": advisory.name,
            "at": moved.get("at"),
            "to": moved.get("to"),
            "phases": ", ".join(map(str, moved.get("phases", []))) or None,
            "paths": len(paths),
            "restored": bool(paths) and not any((archive / "files" / path).exists() for path in paths),
        }
