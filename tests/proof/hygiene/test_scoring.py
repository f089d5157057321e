"""Scoring: weights, steps and grades are those that the documentation names."""

from __future__ import annotations

import re
from typing import Any

import pytest
from conftest import ROOT

from workflow.proof.hygiene import scoring
from workflow.proof.hygiene.scoring import MEASURED, NOTHING, UNKNOWN, WEIGHTS, Finding, Result


@pytest.mark.parametrize(
    ("score", "grade"),
    [
        (100, "A+"), (95, "A+"), (94, "A"), (90, "A"), (89, "B+"), (85, "B+"), (84, "B"), (80, "B"), (79, "C+"), (75, "C+"),
        (74, "C"), (70, "C"), (69, "D"), (60, "D"), (59, "F"), (0, "F"), (None, "unknown"),
    ],
)  # fmt: skip
def test_each_border_of_the_grades(score: int | None, grade: str) -> None:
    assert scoring.grade(score) == grade


def test_weights_are_those_of_the_issue_and_sum_up_to_100() -> None:
    assert WEIGHTS == {"orphans": 30, "large_files": 25, "dead_code": 20, "notebook_outputs": 15, "secrets": 10}
    assert sum(WEIGHTS.values()) == 100


def result(component: str, *points: int, status: str = MEASURED) -> Result:
    return Result(component, status, tuple(Finding(f"f{place}", None, "is odd", cost) for place, cost in enumerate(points)))


@pytest.mark.parametrize("component", WEIGHTS)
def test_component_loses_what_its_findings_cost_and_never_more_than_it_has(component: str) -> None:
    weight = WEIGHTS[component]
    assert result(component).points == weight
    assert result(component, 2, 3).points == weight - 5
    assert result(component, weight - 1, 1).points == 0
    assert result(component, weight, 7).points == 0


def test_nothing_to_judge_keeps_the_points_and_unknown_has_none() -> None:
    assert result("dead_code", status=NOTHING).points == 20
    assert result("dead_code", status=UNKNOWN).points is None
    assert scoring.total([30, 25, 20]) == 75
    assert scoring.total([30, None, 20]) is None


def test_all_findings_count_and_the_first_ones_are_listed() -> None:
    row = result("orphans", *[0] * 60, 4).row()
    assert (row["found"], row["listed"], row["points"]) == (61, 50, 26)
    assert result("orphans", status=UNKNOWN).row()["found"] is None


def documented(text: str) -> dict[str, int]:
    """The components and weights in a table of Markdown."""
    rows: list[tuple[Any, ...]] = re.findall(r"^\| `(\w+)` +\| +(\d+) \|", text, re.MULTILINE)
    return {name: int(weight) for name, weight in rows}


def test_documentation_names_the_weights() -> None:
    assert documented(scoring.__doc__ or "") == WEIGHTS
    assert documented((ROOT / "config/README.md").read_text()) == WEIGHTS
