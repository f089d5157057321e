"""Touching: whether a task changed only what its plan says that it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workflow import globs

LISTED = 200


def judge(outcome: dict[str, Any], touches: Sequence[str], strict: bool) -> dict[str, Any]:
    """The outcome with a finding for each change outside of `touches` (nothing is, where it is empty); `strict`: it has failed then."""
    changed = [*(item["path"] for item in outcome["artifacts"]), *outcome["deleted"]]
    outside = sorted(path for path in changed if not globs.matches(path, list(touches))) if touches else []
    if not outside:
        return outcome
    reason = "was changed, and is not among the files that the task touches"
    rows = [{"path": path, "kind": "outside", "reason": reason} for path in outside[:LISTED]]
    found = outcome | {"findings": [*outcome["findings"], *rows], "findings_count": outcome["findings_count"] + len(outside)}
    if not strict:
        return found
    shown = ", ".join(outside[:5]) + (f" and {len(outside) - 5} more" if len(outside) > 5 else "")
    return found | {"status": "failed", "errors": [f"changed files outside of what it touches: {shown}"]}
