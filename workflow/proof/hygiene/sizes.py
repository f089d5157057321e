"""Large files: what makes every clone of the project slow, and belongs elsewhere."""

from __future__ import annotations

from collections.abc import Sequence

from workflow.proof.hygiene.inventory import File
from workflow.proof.hygiene.scoring import LARGE, MEASURED, NOTHING, Finding, Result, in_order

STEPS = ((100, 25), (10, 10), (1, 5))  # times the threshold, points


def judge(files: Sequence[File], threshold: int) -> Result:
    """The component `large_files` of a tree. `threshold` in bytes."""
    if not files:
        return Result(LARGE, NOTHING, reason="no files", scanner="git")
    large = [item for item in files if item.is_plain and item.size >= threshold]
    found = [
        Finding(item.path, None, f"has {item.size} bytes; large is from {threshold} on", _cost(item.size, threshold)) for item in large
    ]
    return Result(LARGE, MEASURED, in_order(found), scanner="git")


def _cost(size: int, threshold: int) -> int:
    return next(points for times, points in STEPS if size >= times * threshold)
