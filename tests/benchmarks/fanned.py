"""1,000 tasks of an agent that fans out, then 2,000, on a repository of 1,000 files in 40 packages: the whole command, and its memory."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from conftest import SNAKEMAKE, Desk, sh

from benchmarks.desks import desk_in
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, seconds
from workflow.work import trees

FILES, EACH = 1000, 25  # files, and files per package
MOST_MB = 400
WORKER = 'path=$(sed -n \'s/.*"title": *"Write \\([^"]*\\)".*/\\1/p\' $PHASEGATE_BRIEF | head -n 1); echo made > $path'
PLANNER = (
    "python3 -c 'import json, os\n"
    'os.makedirs("plan")\n'
    "for n in range({files}):\n"
    '    os.makedirs(f"src/part_{{n // {each}}}", exist_ok=True)\n'
    '    open(f"src/part_{{n // {each}}}/module_{{n}}.py", "w").write(f"VALUE = {{n}}\\n" * 20)\n'
    'rows = [(f"t{{n:04d}}", f"src/part_{{n % {files} // {each}}}/t{{n:04d}}.py") for n in range({tasks})]\n'
    'json.dump([dict(id=id, title=f"Write {{path}}", touches=[path]) for id, path in rows], open("plan/tasks.yaml", "w"), indent=0)\''
)
REST = "each task is a job: a shell and a client, a checkout of 1,000 files, ten processes of git, and the record of the attempt"


def planned(folder: Path, tasks: int) -> Desk:
    """A run whose planning is done and approved, so that only the tasks are left."""
    desk = desk_in(folder)
    runners = {"planner": sh(PLANNER.format(files=FILES, each=EACH, tasks=tasks)), "worker": sh(WORKER)}
    build = {"gate": "none", "agents": {"many": {"runner": "worker", "for_each": "plan/tasks.yaml"}}}
    desk.configure({"plan": {"agents": {"planner": {"runner": "planner"}}}, "build": build}, runners, max_parallel_agents=2, sandbox="off")
    desk.run()
    desk.touch("plan")
    return desk


def prove(desk: Desk, tasks: int) -> None:
    """AssertionError unless each task made its commit once, and the phase a bundle and a request with all of them."""
    outcome = desk.outcome("build", "many")
    assert outcome["status"] == "succeeded", outcome["errors"]
    assert len(outcome["tasks"]) == tasks
    assert all(row["status"] == "succeeded" and row["attempts"] == 1 for row in outcome["tasks"])
    made = trees.files(desk.path / "runs/demo/project.git", "refs/phases/build")
    assert sum("/t" in path for path in made if path.startswith("src/")) == tasks
    assert f"{tasks} of {tasks} succeeded" in desk.read("runs/demo/build/REQUEST.md")
    assert desk.json("runs/demo/status.json")["state"] == "delivered"


def megabytes(desk: Desk) -> float:
    """Do the tasks; the most memory that the main process held, in MB."""
    command = [str(SNAKEMAKE), "-s", str(desk.root / "Snakefile"), "--cores", "2"]
    with subprocess.Popen(command, cwd=desk.path, env=desk.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """Two rows: twice the tasks by the tasks, and the memory by the most that is allowed."""
    few = 20 if effort.short else 1000
    held: list[float] = []

    def run(tasks: int, number: int) -> float:
        desk = planned(folder / f"{tasks}-{number}", tasks)
        took = seconds(lambda: held.append(megabytes(desk)))
        prove(desk, tasks)
        return took

    once = Effort(1, short=True) if effort.short else Effort(effort.rounds, short=True)  # a round to warm up would take as long again
    found = medians(once, floor=lambda number: run(few, number), figure=lambda number: run(2 * few, number))
    yield Row(f"{2 * few} no-op tasks in one phase, whole command", found["figure"], f"{few} tasks", found["floor"], 2.2, rest=REST)
    yield Row(f"memory of the main process with {2 * few} tasks", max(held), "the most that is allowed", MOST_MB, 1.0, unit="MB")
