"""The summary over the phases: made from their records, in the order of the plan, and byte-identical when nothing changed."""

from __future__ import annotations

from typing import Any

import pytest
from runs import Run

from workflow import files
from workflow.plan.phases import Phase, Plan
from workflow.proof.hygiene import summary


def phase(name: str, *after: str) -> Phase:
    return Phase(name, after, "required", (), (), (), ())


PLAN = Plan({"plan": phase("plan"), "build": phase("build", "plan"), "ship": phase("ship", "build")})


@pytest.fixture
def two(run: Run) -> Run:
    """A tidy phase, and one that adds an orphan and a backup."""
    run.shown()
    run.score()
    run.phase("build", ("plan",))
    run.agent("maker", "echo x > odd.txt; echo x > plan.md.bak", "build")
    run.merge("maker", phase="build")
    run.validate(phase="build")
    run.score("build")
    return run


def read(run: Run) -> dict[str, Any]:
    return dict(files.read_json(run.folder / "hygiene_summary.json"))


def test_phases_stand_in_plan_order_with_score_counts_and_trend(two: Run) -> None:
    assert summary.write(two.folder, PLAN)
    found = read(two)
    rows = [(row["phase"], row["score"], row["grade"], row["findings"]["orphans"], row["trend"]) for row in found["phases"]]
    assert rows == [("plan", 100, "A+", 0, None), ("build", 93, "A", 3, {"since": "plan", "delta": -7})]
    assert (found["run"], found["score"], found["grade"], found["unknown"]) == ("demo", 93, "A", [])


def test_nothing_is_written_where_nothing_changed_and_it_comes_back_when_deleted(two: Run) -> None:
    summary.write(two.folder, PLAN)
    path = two.folder / "hygiene_summary.json"
    before = (path.read_bytes(), path.stat().st_mtime_ns)
    assert not summary.write(two.folder, PLAN)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    path.unlink()
    assert summary.write(two.folder, PLAN)
    assert path.read_bytes() == before[0]


def test_unknown_score_has_no_trend_and_is_the_score_of_the_run(two: Run) -> None:
    two.rewrite("build/hygiene.json", lambda value: value["components"]["secrets"].update(points=None))
    summary.write(two.folder, PLAN)
    found = read(two)
    assert (found["score"], found["grade"]) == (None, "unknown")
    assert found["phases"][1]["trend"] == {"since": "plan", "delta": None}


def test_without_a_record_there_is_no_summary(two: Run) -> None:
    summary.write(two.folder, PLAN)
    for name in ("plan", "build"):
        (two.folder / name / "hygiene.json").unlink()
    assert not summary.write(two.folder, PLAN)
    assert not (two.folder / "hygiene_summary.json").exists()


def test_request_of_a_later_phase_says_how_the_score_has_moved(two: Run) -> None:
    two.show("maker", phase="build", after=("plan",))
    assert "| Cleanliness | 93 of 100, grade A (-7 since plan): orphans" in (two.folder / "build/REQUEST.md").read_text()
