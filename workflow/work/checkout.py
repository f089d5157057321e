"""`project/`: a plain checkout of the merge of all phases reached, for people. No agent writes here."""

from __future__ import annotations

from pathlib import Path

from workflow import files
from workflow.errors import GitError
from workflow.work import trees

SHOWN, INTERRUPTED = "refs/phasegate/shown", "refs/phasegate/interrupted"


def show(repo: Path, commits: list[str], target: Path) -> list[str]:
    """Bring `target` to the merge of the given commits; returns what could not be shown, a line each.

    A checkout in which a person changed or committed something is left as it is. One that was interrupted is made whole; what
    differed in it from what was shown before is kept as a commit, `refs/phasegate/interrupted`.
    """
    commit, lines = _merged(repo, commits)
    own, begun = target / ".git", target.with_name(f"{target.name}.unfinished")
    interrupted = begun.read_text(encoding="ascii") if begun.exists() else ""
    if not own.is_dir() or (interrupted and not trees.exists(own, SHOWN)):
        files.write_text(begun, commit)
        trees.remove(target)
        trees.git("clone", "--quiet", "--no-checkout", "--", repo.absolute(), target)
        trees.git("--work-tree", target, "checkout", "--quiet", "-B", "phasegate", commit, repo=own)
        _note(own, commit, begun)
        return lines
    shown, head = trees.resolve(own, SHOWN).commit, trees.resolve(own, "HEAD").commit
    if shown == commit == head and not interrupted:
        return lines
    if interrupted and head in (shown, interrupted):
        lines += _keep_difference(target)
    elif head != shown or trees.git("--work-tree", target, "status", "--porcelain", "--untracked-files=no", repo=own).strip():
        return [*lines, f"  note:    {target} has changes of yours and was left as it is"]
    files.write_text(begun, commit)
    trees.git("fetch", "--quiet", "--no-tags", "--", repo.absolute(), "+refs/phases/*:refs/phasegate/phases/*", repo=own)
    force = ["--force"] if interrupted else []
    try:
        trees.git("--work-tree", target, "checkout", "--quiet", *force, "-B", "phasegate", commit, repo=own)
    except GitError as error:
        begun.unlink()
        return [*lines, f"  note:    {target} could not be brought up to date: {error}"]
    _note(own, commit, begun)
    return lines


def _note(own: Path, commit: str, begun: Path) -> None:
    trees.git("update-ref", SHOWN, commit, repo=own)
    begun.unlink()


def _keep_difference(target: Path) -> list[str]:
    """Commit what a killed checkout has left, which may hold changes of a person, and free the repository of its locks."""
    own = target / ".git"
    trees.forget_locks(own)
    trees.git("--work-tree", target, "reset", "--quiet", repo=own)
    kept = trees.git("--work-tree", target, "stash", "create", repo=own).strip()
    if not kept:
        return []
    trees.git("update-ref", INTERRUPTED, kept, repo=own)
    return [f"  note:    {target} was interrupted and is whole again; what differed is `git diff HEAD {INTERRUPTED}` there"]


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
