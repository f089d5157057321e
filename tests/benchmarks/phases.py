"""4 phases x 5 agents that do next to nothing, no gates: the whole command, beside the same DAG of `touch` in plain Snakemake."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from conftest import SNAKEMAKE

from benchmarks.desks import configure, desk_in, prove
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, phasegate, seconds

PHASES = {phase: [f"{phase}-{number}" for number in range(5)] for phase in ("plan", "build", "test", "ship")}
REST = (
    "each of the 41 jobs is a shell and a client of the server of forks where the other DAG has a shell and `touch`; 20 agents start ten "
    "processes of git each, and each phase has two bills of materials, a check of its secrets, a score and a page"
)
TOUCH = "rule:\n    input: {before!r}\n    output: {made!r}\n    shell: 'touch {{output}}'\n\n"


def bare_dag() -> str:
    """A Snakefile with a `touch` for each job that Phasegate has for these phases."""
    text, before = f"rule all:\n    input: {[f'{phase}/digest' for phase in PHASES]!r}\n\n", ["start"]
    text += TOUCH.format(before=[], made="start")
    for phase, agents in PHASES.items():
        base, merge = f"{phase}/base", f"{phase}/merge"
        outcomes = [f"{phase}/{agent}/outcome" for agent in agents]
        proofs = [f"{phase}/validation", f"{phase}/hygiene"]
        jobs = [(before, base), *(([base], outcome) for outcome in outcomes), ([base, *outcomes], merge)]
        jobs += [*(([merge], proof) for proof in proofs), ([*proofs, merge, *outcomes], f"{phase}/digest")]
        text += "".join(TOUCH.format(before=needed, made=made) for needed, made in jobs)
        before = [f"{phase}/digest"]
    return text


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """One row: the ratio of the whole commands."""

    def delivery(number: int) -> float:
        desk = desk_in(folder / str(number))
        configure(desk, PHASES, "echo made > {agent}.txt")
        took = seconds(lambda: phasegate(desk))
        prove(desk, PHASES)
        assert desk.json("runs/demo/status.json")["state"] == "delivered"
        return took

    def touches(number: int) -> float:
        desk = desk_in(folder / f"bare-{number}")
        desk.write("Snakefile", bare_dag())
        took = seconds(lambda: desk.shell([str(SNAKEMAKE), "--cores", "2"]))
        assert all((desk.path / phase / "digest").exists() for phase in PHASES)
        return took

    found = medians(effort, floor=touches, figure=delivery)
    yield Row(
        "4 phases x 5 no-op agents, no gates", found["figure"], "the same DAG of touch, plain Snakemake", found["floor"], 2.0, rest=REST
    )
