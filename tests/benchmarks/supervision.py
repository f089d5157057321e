"""CPU per agent: supervisor, tree, commit and journal, beside the same by hand, on a repository of 1,000 files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

from runs import Run

from benchmarks.desks import desk_in
from benchmarks.table import Row
from benchmarks.timing import Effort, Forks, cpu_s, medians
from workflow.work import trees

FILES = 1000
REST = "most of the rest are ten processes of git, of which the checkout takes half; the client of the fork is a twentieth"
SCRIPT = "echo made > made.txt"
BY_HAND = """
"$1" -S -E -c pass
git clone --quiet "$2" "$3"
cd "$3"
sh -c 'echo made > made.txt'
git add --all
git -c user.name=Somebody -c user.email=somebody@example.org commit --quiet --message made
"""


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """One row: the ratio of CPU seconds."""
    desk, run = desk_in(folder / "desk"), Run()
    with chdir(desk.path):
        start = run.start({f"src/part{number % 20}/module_{number}.py": f"VALUE = {number}\n" * 20 for number in range(FILES)})
        run.phase()
    repo, bare = desk.path / run.repo, folder / "bare.git"
    trees.git("clone", "--quiet", "--bare", "--", repo, bare)
    trees.git("fetch", "--quiet", "--", repo, f"{start.commit}:refs/heads/main", repo=bare)
    policy = json.dumps({"timeout_s": 60, "sandbox": "off"})

    def agent(number: int) -> float:
        name = f"agent{number}"
        with chdir(desk.path):
            run.brief(name, SCRIPT)
        used = forks.cpu_s("run_agent.py", str(run.folder), "plan", name, "--policy", policy)
        outcome = desk.outcome("plan", name)
        assert outcome["status"] == "succeeded", outcome["errors"]
        assert "made.txt" in trees.files(repo, outcome["result"]["commit"])
        assert len(trees.files(repo, outcome["result"]["commit"])) == FILES + 1
        return used

    def by_hand(number: int) -> float:
        target = folder / f"tree{number}"
        used = cpu_s(["sh", "-e", "-c", BY_HAND, "sh", sys.executable, str(bare), str(target)], folder, desk.environment())
        assert len(trees.files(target / ".git", "HEAD")) == FILES + 1
        return used

    with Forks(desk) as forks:
        agent(-2)  # the server gets ready
        found = medians(effort, floor=by_hand, figure=agent)
    yield Row(
        "CPU per agent: supervisor + tree + commit + journal",
        found["figure"],
        "python -S -E, git clone, git commit",
        found["floor"],
        1.5,
        rest=REST,
    )
