"""The record of a phase's hygiene, hygiene.json: what it says, and how it is read back, with doubt.

Same tree, same criteria, same bytes: no time and no path of this machine stands in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workflow import files
from workflow.proof.hygiene import scoring
from workflow.proof.hygiene.scoring import LISTED, WEIGHTS, Result, Unmeasured
from workflow.work import leaks, naming
from workflow.work.redaction import Values

NAME = "hygiene.json"


def summed(results: Sequence[Result], values: Values) -> dict[str, Any]:
    """Components, score, grade and the first findings; nothing in them is a secret or can act on a line."""

    def shown(text: str) -> str:
        return naming.escaped(leaks.redact_text(text, values))

    score = scoring.total(result.points for result in results)
    listed = [(result.component, item) for result in results for item in result.findings[:LISTED]]
    return {
        "score": score,
        "grade": scoring.grade(score),
        "components": {result.component: result.row() | {"reason": shown(result.reason)} for result in results},
        "unknown": sorted({result.scanner for result in results if result.status == scoring.UNKNOWN}),
        "findings": [
            {"component": name, "path": shown(item.path), "line": item.line, "reason": shown(item.reason), "points": item.points}
            for name, item in listed
        ],
    }


def read(run_dir: Path, phase: str) -> dict[str, Any]:
    """hygiene.json of a phase, with the score worked out again from its components.

    Where there is no readable record of the phase's merged tree, every component is unknown.
    """
    tree = _of(files.try_read_json(run_dir / phase / "merge.json"), "tree")
    record = files.try_read_json(run_dir / phase / NAME)
    rows = _of(record, "components")
    if not tree or _of(record, "tree") != tree or not _whole(record, rows):
        results = [scoring.unknown(name, Unmeasured("score_hygiene", "not measured")) for name in WEIGHTS]
        return {"schema": 1, "phase": phase, "tree": tree, "files": None, **summed(results, Values({}))}
    score = scoring.total(rows[name]["points"] for name in WEIGHTS)
    return record | {"score": score, "grade": scoring.grade(score)}


def _whole(record: Any, rows: Any) -> bool:
    """Whether a record has the shape that its readers rely on."""
    if not isinstance(rows, dict) or not set(WEIGHTS) <= set(rows):
        return False
    kinds = [isinstance(row, dict) and {"status", "weight", "reason", "found", "listed"} <= row.keys() for row in rows.values()]
    kinds += [isinstance(record.get(name), list) for name in ("unknown", "findings")]
    return all(kinds) and all(row.get("points") is None or isinstance(row["points"], int) for row in rows.values())


def _of(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def scored(run_dir: Path, phases: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(phase, record) of those phases that have a record."""
    for phase in phases:
        if (run_dir / phase / NAME).is_file():
            yield phase, read(run_dir, phase)
