"""The table says MISSED where a goal is missed, and what was timed must have been made."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import desks, table, timing
from benchmarks.table import Row


@pytest.mark.parametrize(
    ("figure", "goal", "above", "words"),
    [
        (2.9, 1.5, False, ("1.45x", "1.5x", "reached")),
        (3.1, 1.5, False, ("1.55x", "1.5x", "MISSED")),
        (2.5, 0.6, True, ("+ 0.50 s", "+ 0.6 s", "reached")),
        (2.7, 0.6, True, ("+ 0.70 s", "+ 0.6 s", "MISSED")),
        (9.9, None, False, ("4.95x", "", "")),
    ],
)
def test_a_row_compares_with_its_floor(figure: float, goal: float | None, above: bool, words: tuple[str, ...]) -> None:
    row = Row("work", figure, "floor", 2.0, goal, above, rest="git")
    assert row.cells()[3:] == words
    assert table.remarks([row]) == (["MISSED work: git"] if "MISSED" in words else [])


def test_measures_take_turns_and_the_median_counts() -> None:
    asked: list[tuple[str, int]] = []

    def measure(name: str, values: list[float]) -> timing.Callable[[int], float]:
        return lambda number: asked.append((name, number)) or values[number + 1]

    found = timing.medians(timing.Effort(3), floor=measure("floor", [99, 1, 3, 2]), figure=measure("figure", [99, 30, 10, 20]))
    assert found == {"floor": 2, "figure": 20}
    assert asked[:4] == [("floor", -1), ("figure", -1), ("floor", 0), ("figure", 0)]


def test_what_was_not_made_is_an_error(tmp_path: Path) -> None:
    desk = desks.desk_in(tmp_path / "desk")
    phases = {"work": ["a", "b"]}
    desks.configure(desk, phases, "echo made > {agent}.txt", sandbox="off")
    desk.run()
    desks.prove(desk, phases)
    bundle = desk.path / "runs/demo/bundles/work.zip"
    whole = bundle.read_bytes()
    bundle.write_bytes(whole[:-1])
    with pytest.raises(AssertionError, match=r"work\.zip"):
        desks.prove(desk, phases)
    bundle.write_bytes(whole)
    (desk.path / "runs/demo/work/REQUEST.md").unlink()
    with pytest.raises(AssertionError):
        desks.prove(desk, phases)
