"""The same command again on a finished run of 1,000 outcomes, beside plain Snakemake up to date with 1,000 jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from conftest import SNAKEMAKE, Desk
from many import PHASES, make_run

from benchmarks.desks import desk_in
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, phasegate, seconds
from workflow.proof.hygiene import assessment

BARE = """
rule all:
    input: [f"made/{{number}}" for number in range({count})]

rule make:
    output: "made/{{number}}"
    shell: "touch {{output}}"
"""

REST = (
    "each agent is a rule with functions for brief and policy, its brief is made and held against the file, and each checkpoint lets "
    "Snakemake build the jobs behind it anew"
)


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """One row."""
    count = 100 if effort.short else 1000
    finished, bare = finished_run(desk_in(folder / "finished"), count), desk_in(folder / "bare")
    bare.write("Snakefile", BARE.format(count=count))
    for number in range(count):
        bare.write(f"made/{number}", "")
    plain = [str(SNAKEMAKE), "--cores", "2"]
    outcomes = {path: path.stat().st_mtime_ns for path in finished.path.glob("runs/demo/*/agents/*/outcome.json")}
    found = medians(effort, floor=lambda _: seconds(lambda: bare.shell(plain)), figure=lambda _: seconds(lambda: phasegate(finished)))
    assert len(outcomes) == count
    assert all(path.stat().st_mtime_ns == before for path, before in outcomes.items()), "an agent's job ran again"
    assert finished.json("runs/demo/status.json")["state"] == "delivered"
    what = f"the command again on a finished run of {count} outcomes"
    yield Row(what, found["figure"], f"plain Snakemake up to date with {count} jobs", found["floor"], 1.5, rest=REST)


def finished_run(desk: Desk, count: int) -> Desk:
    """A delivered run that Snakemake holds to be up to date; no agent ran."""
    with chdir(desk.path):
        run_dir = make_run(desk.path, count, failed_share=0.0)
        for phase in PHASES:
            assessment.score_phase(run_dir, phase, {"declared": []})
    for _ in PHASES:
        phasegate(desk, "--touch")
    assert "Nothing to be done" in desk.run("-n").out + desk.run("-n").err
    return desk
