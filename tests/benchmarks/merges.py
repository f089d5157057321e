"""The merge of 1,000 tasks' commits into the result of their agent, beside a bare loop of `git merge-tree` and `git commit-tree`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from runs import OPEN_AIR, Run

from benchmarks.desks import desk_in
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, seconds
from workflow import files
from workflow.plan import fanout, tasks
from workflow.work import fanning, outcomes, trees

FILES = 1000
DATE = "2000-01-01T00:00:00Z"
REST = "beside the two processes of git for each commit, the outcomes are read and held against their briefs, and the change is described"


def commits(repo: Path, base: trees.Commit, names: list[str]) -> list[str]:
    """A commit on `base` for each name, with one more file each, from one process of git."""
    text = "".join(
        f"commit refs/made/{name}\nmark :{number}\ncommitter P <p@example.org> 946684800 +0000\ndata 1\nx\nfrom {base.commit}\n"
        f"M 100644 inline made/{name}.txt\ndata {len(name) + 1}\n{name}\n\n"
        for number, name in enumerate(names, 1)
    )
    trees.git("fast-import", "--quiet", repo=repo, data=text.encode())
    return trees.git("for-each-ref", "--format=%(objectname)", "refs/made", repo=repo).split()


def prepare(run: Run, count: int) -> tuple[trees.Commit, list[str]]:
    """Tasks that are done: brief, outcome and commit of each."""
    start = run.start({f"src/part{number % 20}/module_{number}.py": f"VALUE = {number}\n" * 20 for number in range(FILES)})
    run.phase()
    listed = [tasks.Task(f"t{number:04d}", f"Task {number}") for number in range(count)]
    brief = run.brief("many", "true", for_each="plan/tasks.yaml", touches="findings")
    record: dict[str, Any] = {"for_each": "plan/tasks.yaml", "problems": [], "tasks": [task.as_json() for task in listed]}
    files.write_json(fanout.path_of(run.folder, "plan", "many"), record)
    made = commits(run.repo, start, [task.id for task in listed])
    lineages = fanout.lineages(listed)
    for task, commit in zip(listed, made, strict=True):
        told = fanout.brief(brief, task, lineages)
        folder = run.agent_dir(tasks.unit("many", task.id))
        outcome = outcomes.blank(told, outcomes.SUCCEEDED, [], start)
        outcome["result"] = {"commit": commit, "tree": trees.resolve(run.repo, commit).tree}
        outcome["artifacts"] = [{"path": f"made/{task.id}.txt", "change": "added", "mode": "100644", "size": 6, "sha256": "0" * 64}]
        files.write_json(folder / "brief.json", told)
        files.write_json(folder / "outcome.json", outcome)
    return start, made


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """One row: the ratio of the two loops."""
    count, run = (50 if effort.short else 1000), Run()
    desk = desk_in(folder / "desk")
    with chdir(desk.path):
        start, made = prepare(run, count)

        def gathered(_: int) -> float:
            took = seconds(lambda: fanning.gather(run.folder, "plan", "many", OPEN_AIR))
            outcome = run.outcome("many")
            assert outcome["status"] == "succeeded", outcome["errors"]
            assert len(trees.files(run.repo, outcome["result"]["commit"])) == FILES + count
            return took

        def bare(_: int) -> float:
            now = start.commit

            def loop() -> None:
                nonlocal now
                for commit in made:
                    tree = trees.git("merge-tree", "--write-tree", now, commit, repo=run.repo).strip()
                    now = trees.commit_tree(run.repo, tree, [now, commit], "merge", DATE).commit

            took = seconds(loop)
            assert len(trees.files(run.repo, now)) == FILES + count
            return took

        found = medians(effort, floor=bare, figure=gathered)
    yield Row(f"merge of {count} tasks' commits", found["figure"], "git merge-tree, git commit-tree", found["floor"], 1.3, rest=REST)
