"""`project/`: a plain checkout of the merge of all phases reached, for people. No agent writes here."""

from __future__ import annotations

from pathlib import Path

from workflow.errors import GitError
from workflow.work import trees


def show(repo: Path, commits: list[str], target: Path) -> list[str]:
    """Bring `target` to the merge of the given commits; returns what could not be shown, a line each.

    A checkout in which a person changed or committed something is left as it is.
    """
    commit, lines = _merged(repo, commits)
    own = target / ".git"
    if not own.is_dir():
        trees.remove(target)
        trees.git("clone", "--quiet", "--no-checkout", "--", repo.absolute(), target)
        trees.git("--work-tree", target, "checkout", "--quiet", "-B", "phasegate", commit, repo=own)
        trees.git("update-ref", "refs/phasegate/shown", commit, repo=own)
        return lines
    shown = trees.resolve(own, "refs/phasegate/shown").commit
    head = trees.resolve(own, "HEAD").commit
    if shown == commit == head:
        return lines
    dirty = trees.git("--work-tree", target, "status", "--porcelain", "--untracked-files=no", repo=own).strip()
    if dirty or head != shown:
        return [*lines, f"  note:    {target} has changes of yours and was left as it is"]
    trees.git("fetch", "--quiet", "--no-tags", "--", repo.absolute(), "+refs/phases/*:refs/phasegate/phases/*", repo=own)
    try:
        trees.git("--work-tree", target, "checkout", "--quiet", "-B", "phasegate", commit, repo=own)
    except GitError as error:
        return [*lines, f"  note:    {target} could not be brought up to date: {error}"]
    trees.git("update-ref", "refs/phasegate/shown", commit, repo=own)
    return lines


def _merged(repo: Path, commits: list[str]) -> tuple[str, list[str]]:
    """One commit that holds all the given ones; phases that do not merge are named."""
    now, lines = commits[0], []
    for other in commits[1:]:
        base = trees.git("merge-base", now, other, repo=repo).strip()
        merged = trees.merge(repo, now, other, base)
        if merged.tree is None:
            lines.append(f"  note:    phases do not merge in {', '.join(merged.conflicts)}; project/ shows the first of them")
            continue
        made = trees.commit_tree(repo, merged.tree, [now, other], "all phases reached", "2000-01-01T00:00:00Z")
        trees.set_ref(repo, "phases/all", made.commit)
        now = made.commit
    return now, lines
