"""From typing `snakemake` in a new working directory to the first agent's process."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.desks import configure, desk_in, prove
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, phasegate, version_s

PHASES = {"work": ["first"]}
REST = (
    "half goes to reading settings and rules and building the DAG, the rest to three jobs one after the other: start_run with the schema "
    "of the brief, start_phase, and the agent's own with its prompt, tree and sandbox"
)


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """One row: seconds above the start of Snakemake itself."""

    def first_agent(number: int) -> float:
        desk = desk_in(folder / str(number))
        configure(desk, PHASES, "date +%s%N > {agent}.txt", gate="required")
        begin = time.time_ns()
        phasegate(desk)
        prove(desk, PHASES)
        return (int(desk.read("runs/demo/project/first.txt")) - begin) / 1e9

    idle = desk_in(folder / "idle")
    found = medians(effort, floor=lambda _: version_s(idle), figure=first_agent)
    yield Row("start to the first agent process", found["figure"], "snakemake --version", found["floor"], 0.6, above=True, rest=REST)
