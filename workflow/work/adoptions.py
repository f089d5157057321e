"""Adoptions: a person's own commit in `project/`, taken into a phase as an outcome of kind `human`.

`<phase>/adoptions/001.json` records who, when, the commit and the commit it was made on; the phase's merge joins it
after the agents' commits, three-way over that recorded base. Deleting the file takes the commit out of the phase again.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import UsageError
from workflow.work import checkout, inspection, joining, naming, trees


def read_all(run_dir: Path, phase: str) -> list[dict[str, Any]]:
    """The adoptions of a phase in their order."""
    return [files.read_json(path) for path in paths(run_dir, phase)]


def paths(run_dir: Path, phase: str) -> list[Path]:
    """The files of `read_all`."""
    return sorted((run_dir / phase / "adoptions").glob("[0-9][0-9][0-9].json"))


def adopt(run_dir: Path, phase: str, by: str, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Take the commits that a person made in `project/` since it was last shown into `phase`.

    Afterwards they are in `project.git` and stand in a new file of `adoptions/`. UsageError where there is nothing to
    adopt, edits are not committed, or they hold what no agent may bring in either.
    """
    project, repo = run_dir / "project", run_dir / "project.git"
    own = project / ".git"
    if not own.is_dir() or own.is_symlink():
        raise UsageError(f"{project}: there is no checkout to adopt from; run snakemake first")
    if checkout.unfinished(project).exists():
        raise UsageError(f"{project}: was being brought up to date when that was interrupted; run snakemake first, then adopt")
    if trees.git("--work-tree", project, "status", "--porcelain", repo=own).strip():
        raise UsageError(f"{project}: has edits that are not committed; commit them there (git -C {project} commit -a), then adopt")
    shown, head = trees.resolve(own, checkout.SHOWN), trees.resolve(own, "HEAD")
    if head.tree == shown.tree:
        raise UsageError(f"{project}: holds no commit of yours; edit, commit, then adopt")
    earlier = paths(run_dir, phase)
    number = int(earlier[-1].stem) + 1 if earlier else 1
    ref = f"refs/adoptions/{phase}/{number:03d}"
    trees.git("fetch", "--quiet", "--no-tags", "--", project.absolute(), f"+HEAD:{ref}", repo=repo)
    refused = inspection.judge_changes(repo, trees.changes(repo, shown.commit, head.commit), limits)
    if refused:
        trees.git("update-ref", "-d", ref, repo=repo)
        raise UsageError(f"{project}: your commit is refused: {naming.summary(refused)}; mend it there, commit, then adopt")
    changed = joining.described(repo, shown.commit, head.commit)
    record = {
        "kind": "human",
        "status": "succeeded",
        "phase": phase,
        "agent": "human",
        "by": by,
        "at": files.now(),
        "message": trees.git("log", "-1", "--format=%B", head.commit, repo=repo).strip(),
        "tree": head.tree,
        "base": {"commit": shown.commit, "tree": shown.tree},
        "result": {"commit": head.commit, "tree": head.tree},
        "artifacts": [item for item in changed if item["change"] != "deleted"],
        "deleted": [item["path"] for item in changed if item["change"] == "deleted"],
    }
    files.write_json(run_dir / phase / "adoptions" / f"{number:03d}.json", record)
    trees.git("update-ref", checkout.SHOWN, head.commit, repo=own)
    return record
