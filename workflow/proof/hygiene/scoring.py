"""Scoring: the five components of hygiene, what a finding costs, and the grade that a score gets.

| component          | points | a finding costs                                                                |
|--------------------|-------:|--------------------------------------------------------------------------------|
| `orphans`          |     30 | 3: a leftover, or committed against .gitignore; 2: empty, or named by nothing  |
| `large_files`      |     25 | 5; from 10 times the threshold on 10, from 100 times on 25                     |
| `dead_code`        |     20 | 1: an unused import; 2: other unused or unreachable code, a file that cannot be parsed |
| `notebook_outputs` |     15 | 5: a notebook that keeps outputs, or that cannot be read                       |
| `secrets`          |     10 | 10                                                                             |

A component cannot lose more than it has. Where there is nothing to judge it is `not applicable` and keeps its points.
Where its tool is missing, crashed or took too long it is `unknown`, and so is the score.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

ORPHANS, LARGE, DEAD, NOTEBOOKS, SECRETS = "orphans", "large_files", "dead_code", "notebook_outputs", "secrets"
WEIGHTS = {ORPHANS: 30, LARGE: 25, DEAD: 20, NOTEBOOKS: 15, SECRETS: 10}
GRADES = ((95, "A+"), (90, "A"), (85, "B+"), (80, "B"), (75, "C+"), (70, "C"), (60, "D"))
MEASURED, NOTHING, UNKNOWN = "measured", "not applicable", "unknown"
LISTED = 50  # findings of each component that are written down; all of them count


class Unmeasured(Exception):
    """A component could not be measured: `scanner` is missing, crashed, or took too long."""

    def __init__(self, scanner: str, reason: str) -> None:
        """`reason` is a sentence that names the scanner."""
        super().__init__(reason)
        self.scanner, self.reason = scanner, reason


@dataclass(frozen=True)
class Finding:
    """Something untidy. `line` counts from 1; None where it is the file as a whole."""

    path: str
    line: int | None
    reason: str
    points: int


@dataclass(frozen=True)
class Result:
    """What came of one component: its status, its findings, and the tool that found them."""

    component: str
    status: str
    findings: tuple[Finding, ...] = ()
    reason: str = ""
    scanner: str = ""
    version: str = ""

    @property
    def points(self) -> int | None:
        """The points that are left; None where it was not measured."""
        weight = WEIGHTS[self.component]
        return None if self.status == UNKNOWN else max(0, weight - sum(item.points for item in self.findings))

    def row(self) -> dict[str, Any]:
        """The component as hygiene.json holds it."""
        found = None if self.status == UNKNOWN else len(self.findings)
        return {
            "status": self.status,
            "weight": WEIGHTS[self.component],
            "points": self.points,
            "found": found,
            "listed": min(found or 0, LISTED),
            "reason": self.reason,
            "scanner": {"name": self.scanner, "version": self.version or None},
        }


def in_order(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings by path and line; the same one only once."""
    return tuple(sorted(set(found), key=lambda item: (item.path, item.line or 0, item.reason)))


def unknown(component: str, why: Unmeasured) -> Result:
    """The result of a component that could not be measured."""
    return Result(component, UNKNOWN, reason=why.reason, scanner=why.scanner)


def total(points: Iterable[int | None]) -> int | None:
    """The score from the points of all components; None where one of them is not known."""
    known = list(points)
    return None if None in known else sum(item for item in known if item is not None)


def grade(score: int | None) -> str:
    """A+ from 95, A 90, B+ 85, B 80, C+ 75, C 70, D 60, else F; `unknown` for a score that is not known."""
    if score is None:
        return UNKNOWN
    return next((name for least, name in GRADES if score >= least), "F")
