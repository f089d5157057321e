"""Bisection: where a check fails on the merged result, which of the merged agents or tasks it is that breaks it.

The merge is a sequence of commits. A check that passes on the phase's base and fails at the end is run on commits between, half of the
rest each time, until the step is found from which on it fails. That is a statement about these commits, not about whose fault it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.proof import checks
from workflow.work import graders, saying, trees

UNKNOWN = "unknown"


def name_culprits(
    run_dir: Path, phase: str, merge: Mapping[str, Any], criteria: Mapping[str, Any], rows: list[dict[str, Any]], options: dict[str, Any]
) -> None:
    """Add `culprit` to each row of a check that failed: {agent, passes_before, runs}, or {agent: None, reason} where none can be named."""
    steps = merge.get("steps", [])
    for check, row in zip(criteria["checks"], rows, strict=True):
        if row["status"] != "fail" or len(steps) < 2:
            continue
        found = Bench(run_dir, phase, merge["base"]["commit"], dict(check), criteria.get("protected", []), options).culprit(steps)
        row["culprit"] = found
        saying.say(
            f"{phase} check {check['name']}: {'fails since ' + found['agent'] + ' was merged' if found['agent'] else found['reason']}"
        )


@dataclass
class Bench:
    """One check, and the commits of a merge that began at `base`; it runs with the approved copy of what is `protected`."""

    run_dir: Path
    phase: str
    base: str
    check: dict[str, Any]
    protected: Sequence[str]
    options: dict[str, Any]
    runs: int = 0

    def culprit(self, steps: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        """The step since which the check fails."""
        before = self._status(self.base)
        if before != "pass":
            words = "fails on what the phase began with, too" if before == "fail" else "could not run on what the phase began with"
            return {"agent": None, "reason": f"{words}, so no single step can be named", "runs": self.runs}
        index = first_bad(len(steps), lambda number: self._status(self._commit(steps[number])))
        if index is None:
            return {"agent": None, "reason": "could not run on a state between", "runs": self.runs}
        earlier = [step["agent"] for step in steps[:index]]
        return {"agent": steps[index]["agent"], "passes_before": earlier[-1] if earlier else None, "runs": self.runs}

    def _commit(self, step: Mapping[str, str]) -> str:
        """The commit of the merged state after a step."""
        if "onto" not in step:
            return step["commit"]
        repo = self.run_dir / "project.git"
        merged = trees.merge(repo, step["onto"], step["commit"])
        if merged.tree is None:
            return ""
        return trees.commit_tree(repo, merged.tree, [step["onto"], step["commit"]], "a state between", "2000-01-01T00:00:00Z").commit

    def _status(self, commit: str) -> str:
        if not commit:
            return UNKNOWN
        self.runs += 1
        logs = self.run_dir / self.phase / "bisection" / self.check["name"]
        what = f"{self.phase} bisection {self.runs}, check"
        tree, _ = graders.approved(self.run_dir / "project.git", self.base, commit, self.protected)
        return str(checks.run_all(self.run_dir, what, logs, tree, [self.check], self.options)["checks"][0]["status"])


def first_bad(count: int, status: Callable[[int], str]) -> int | None:
    """The first of `count` states at which a check fails that passes before all of them and fails at the last; None: it could not run."""
    low, high = -1, count - 1
    while high - low > 1:
        middle = (low + high) // 2
        seen = status(middle)
        if seen not in ("pass", "fail"):
            return None
        low, high = (middle, high) if seen == "pass" else (low, middle)
    return high
