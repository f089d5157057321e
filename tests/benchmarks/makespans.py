"""Makespans: from the first agent's begin to the last one's end, beside the ideal, in which a slot is never empty."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from benchmarks.desks import configure, desk_in, prove
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, phasegate
from workflow import files

REST = (
    "between two agents of a slot lie the record of the end, the slot handed on, the record of the next attempt, its keeper, sandbox and "
    "process; what was made is settled, and another agent gets ready, meanwhile on the same processors"
)
CASES = ((1, 2, 5, 1.06), (1, 8, 4, 1.06), (10, 2, 2, 1.01))  # seconds per agent, slots, agents per slot, goal
SHORT = ((1, 2, 2, 1.06), (1, 8, 2, 1.06))


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """A row per case."""
    for took_s, slots, each, goal in SHORT if effort.short else CASES:
        found = medians(effort, figure=lambda number, case=(took_s, slots, each): makespan(folder, number, *case))
        what = f"makespan of {slots * each} agents of {took_s} s on {slots} slots"
        yield Row(what, found["figure"], "ideal", float(took_s * each), goal, rest=REST)


def makespan(folder: Path, number: int, took_s: int, slots: int, each: int) -> float:
    """Seconds from begin to end of one phase's agents."""
    desk = desk_in(folder / f"{took_s}-{slots}-{number}")
    phases = {"work": [f"agent-{place}" for place in range(slots * each)]}
    configure(desk, phases, f"sleep {took_s}; echo made > {{agent}}.txt", max_parallel_agents=slots)
    phasegate(desk, cores=slots)
    found = prove(desk, phases)
    begin = min(files.parse_time(outcome["started_at"]) for outcome in found)
    return (max(files.parse_time(outcome["ended_at"]) for outcome in found) - begin).total_seconds()
