"""Rows of the table: a figure, the floor that was measured in turn with it, and whether the goal is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEAD = ("what", "figure", "floor", "figure : floor", "goal", "")


@dataclass(frozen=True)
class Row:
    """One line. `goal` is a ratio to the floor, or with `above` an amount above it; None where the figure is only shown.

    `rest` says what the time goes to beyond the floor, from a profile; it is printed where the goal is missed.
    """

    what: str
    figure: float
    floor_name: str
    floor: float
    goal: float | None
    above: bool = False
    unit: str = "s"
    rest: str = ""

    @property
    def found(self) -> float:
        """What the goal speaks of."""
        return self.figure - self.floor if self.above else self.figure / self.floor

    @property
    def missed(self) -> bool:
        """Whether there is a goal and it is not reached."""
        return self.goal is not None and self.found > self.goal

    def cells(self) -> tuple[str, ...]:
        """The words of the line."""
        amount = f"+ {self.found:.2f} {self.unit}" if self.above else f"{self.found:.3g}x"
        goal = "" if self.goal is None else f"+ {self.goal:g} {self.unit}" if self.above else f"{self.goal:g}x"
        state = "" if self.goal is None else "MISSED" if self.missed else "reached"
        return self.what, self._amount(self.figure), f"{self._amount(self.floor)} ({self.floor_name})", amount, goal, state

    def _amount(self, value: float) -> str:
        return f"{value:.3g} {self.unit}"


def line(cells: Sequence[str]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(cells)} |"


def head() -> str:
    """The first two lines of the table."""
    return f"{line(HEAD)}\n{line(['---'] * len(HEAD))}"


def remarks(rows: Sequence[Row]) -> list[str]:
    """What the rest is spent on, where a goal is missed."""
    return [f"MISSED {row.what}: {row.rest or 'no profile says yet what the rest is spent on'}" for row in rows if row.missed]
