"""The summary of a run's hygiene: hygiene_summary.json, made from the records of its phases and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow import files
from workflow.plan.phases import Plan
from workflow.proof.hygiene import record, scoring

NAME = "hygiene_summary.json"


def write(run_dir: Path, plan: Plan) -> bool:
    """Bring hygiene_summary.json up to date; says whether its bytes changed. Without any record there is no summary."""
    records = dict(record.scored(run_dir, list(plan.phases)))
    if not records:
        (run_dir / NAME).unlink(missing_ok=True)
        return False
    return files.write_json_if_changed(run_dir / NAME, _summary(run_dir, plan, records))


def _summary(run_dir: Path, plan: Plan, records: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Score of the run (that of its last phase), and per phase score, grade, counts, and how it has moved."""
    rows = [_row(name, found, trend(plan.phases[name].after, records, found)) for name, found in records.items()]
    last = list(records.values())[-1]
    return {"schema": 1, "run": run_dir.name, "score": last["score"], "grade": last["grade"], "unknown": last["unknown"], "phases": rows}


def _row(name: str, found: Mapping[str, Any], moved: Mapping[str, Any] | None) -> dict[str, Any]:
    counts = {key: row["found"] for key, row in found["components"].items()}
    points = {key: row["points"] for key, row in found["components"].items()}
    kept = {key: found[key] for key in ("score", "grade", "unknown", "files", "tree")}
    return {"phase": name, **kept, "findings": counts, "points": points, "trend": moved}


def trend(after: Sequence[str], records: Mapping[str, Mapping[str, Any]], found: Mapping[str, Any]) -> dict[str, Any] | None:
    """`{since, delta}` to the last of the phases that a phase builds on; None where there is none, delta None where unknown."""
    before = next((name for name in reversed(after) if name in records), None)
    if before is None:
        return None
    old, new = records[before]["score"], found["score"]
    return {"since": before, "delta": None if old is None or new is None else new - old}


def lost(found: Mapping[str, Any]) -> list[str]:
    """The components with their points, in words: `orphans 28 of 30`; one word where none of them was measured."""
    states = {(row["status"], row["reason"]) for row in found["components"].values()}
    if len(states) == 1 and found["score"] is None:
        return [states.pop()[1]]
    words = []
    for name in scoring.WEIGHTS:
        row = found["components"][name]
        points = scoring.UNKNOWN if row["points"] is None else f"{row['points']} of {row['weight']}"
        why = f"{row['status']}: {row['reason']}" if row["status"] == scoring.NOTHING else row["reason"]
        words.append(f"{name.replace('_', ' ')} {points}" + (f" ({why})" if why else ""))
    return words
