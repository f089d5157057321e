"""Limits: how tidy a phase has to be so that its gate can open, as part of what is reviewed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.proof.hygiene import record
from workflow.proof.hygiene.scoring import ORPHANS

MIN_SCORE, MAX_ORPHANS = "min_score", "max_orphans"


def subject(run_dir: Path, phase: str) -> dict[str, Any]:
    """What the subject of a manifest holds of hygiene: `{hygiene: {...}}` where limits are set, else nothing.

    Score and number of orphans are None where they are not known, which violates a limit: unknown is not a pass.
    """
    wanted = files.read_json(run_dir / phase / "criteria.json")["hygiene"]
    limits = {key: wanted[key] for key in (MIN_SCORE, MAX_ORPHANS)}
    if set(limits.values()) == {None}:
        return {}
    found = record.read(run_dir, phase)
    score, orphans = found["score"], found["components"][ORPHANS]["found"]
    too_low = limits[MIN_SCORE] is not None and (score is None or score < limits[MIN_SCORE])
    too_many = limits[MAX_ORPHANS] is not None and (orphans is None or orphans > limits[MAX_ORPHANS])
    violations = [key for key, violated in ((MIN_SCORE, too_low), (MAX_ORPHANS, too_many)) if violated]
    return {"hygiene": {"score": score, "orphans": orphans, **limits, "unknown": found["unknown"], "violations": violations}}


def sentence(held: Mapping[str, Any], violation: str) -> str:
    """Why a limit blocks, in words."""
    missing = f"is unknown, not measured by {', '.join(held['unknown'])} (unknown is not a pass)"
    if violation == MIN_SCORE:
        score = missing if held["score"] is None else f"is {held['score']}"
        return f"the hygiene score {score}; at least {held[MIN_SCORE]} is asked for"
    orphans = missing if held["orphans"] is None else f"is {held['orphans']}"
    return f"the number of orphan files {orphans}; at most {held[MAX_ORPHANS]} may be there"
