"""`project/`: a plain checkout of the merge of all phases reached, for people. No agent writes here."""

from __future__ import annotations

import os
from pathlib import Path

from workflow import files
from workflow.errors import GitError
from workflow.work import trees

SHOWN = "refs/phasegate/shown"


def show(repo: Path, commits: list[str], target: Path) -> list[str]:
    """Bring `target` to the merge of the given commits; returns what could not be shown, a line each.

    A checkout in which a person changed or committed something is left as it is. One whose update was interrupted is brought to where
    that led, first.
    """
    commit, lines = _merged(repo, commits)
    own, begun = target / ".git", unfinished(target)
    if not own.is_dir():
        _clone(repo, commit, target)
        begun.unlink(missing_ok=True)
        return lines
    changed = [*lines, f"  note:    {target} has changes of yours and was left as it is"]
    if begun.exists() and not _carry_on(target, begun):
        return changed
    shown, head = trees.resolve(own, SHOWN).commit, trees.resolve(own, "HEAD").commit
    if shown == commit == head:
        return lines
    if head != shown or _status(target):
        return changed
    files.write_text(begun, commit)
    trees.git("fetch", "--quiet", "--no-tags", "--", repo.absolute(), "+refs/phases/*:refs/phasegate/phases/*", repo=own)
    try:
        trees.git("--work-tree", target, "checkout", "--quiet", "-B", "phasegate", commit, repo=own)
    except GitError as error:
        return [*lines, f"  note:    {target} could not be brought up to date: {error}"]
    _note(target, commit)
    return lines


def unfinished(target: Path) -> Path:
    """The file that is there while a checkout is brought up to date, with the commit that this leads to."""
    return target.with_name(f"{target.name}.unfinished")


def _clone(repo: Path, commit: str, target: Path) -> None:
    made = target.with_name(f"{target.name}.new")
    trees.remove(made)
    trees.git("clone", "--quiet", "--no-checkout", "--", repo.absolute(), made)
    trees.git("--work-tree", made, "checkout", "--quiet", "-B", "phasegate", commit, repo=made / ".git")
    trees.git("update-ref", SHOWN, commit, repo=made / ".git")
    trees.remove(target)
    made.rename(target)


def _note(target: Path, commit: str) -> None:
    trees.git("update-ref", SHOWN, commit, repo=target / ".git")
    unfinished(target).unlink()


def _status(target: Path) -> list[str]:
    """The tracked files that are not as in HEAD."""
    words = ("--no-optional-locks", "--work-tree", target, "status", "--porcelain", "-z", "--no-renames", "--untracked-files=no")
    return [entry[3:] for entry in trees.git(*words, repo=target / ".git").split("\0") if entry]


def _carry_on(target: Path, begun: Path) -> bool:
    """Finish an update that was interrupted; False, and nothing is changed, where something is not what git can have left behind."""
    own, goal = target / ".git", begun.read_text(encoding="ascii")
    trees.forget_locks(own)
    if not trees.exists(own, goal):  # it had not been fetched
        begun.unlink()
        return True
    shown, head = trees.resolve(own, SHOWN).commit, trees.resolve(own, "HEAD").commit
    old, moving = trees.blobs(own, shown), trees.changes(own, shown, goal)
    known = head in (shown, goal) and set(_status(target)) <= {change.path for change in moving}
    if not known or not all(_is_on_its_way(own, target / change.path, old.get(change.path), change) for change in moving):
        return False
    trees.git("--work-tree", target, "checkout", "--quiet", "--force", "-B", "phasegate", goal, repo=own)
    _note(target, goal)
    return True


def _is_on_its_way(own: Path, path: Path, old: str | None, change: trees.Change) -> bool:
    """Whether a file is as it was before an update, or as much of what it becomes as git had written."""
    if not os.path.lexists(path) or (path.is_dir() and not path.is_symlink()):
        return True
    found = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes()
    new = change.blob if change.kind != "D" else None
    before, after = (next(trees.read_objects(own, [blob])) if blob else None for blob in (old, new))
    return found == before or (after is not None and after.startswith(found))


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
