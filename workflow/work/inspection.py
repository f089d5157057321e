"""Inspection: what an agent left in its tree is looked at before git reads any of it.

The walk follows no link, opens no file and goes no further than the limits allow, so that neither a FIFO nor a
million files can hold it up. What the project's .gitignore names is no part of the result and is not refused.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from workflow.work import naming, trees
from workflow.work.naming import Finding

LONGEST_PATH = 2000  # bytes; with the folders above a tree it must stay below the 4096 of the kernel
RULES = (".gitignore", ".gitattributes", ".gitmodules")
RULES_BYTES = 1 << 18  # git holds each path against each line
MORE = 4  # how many times max_files may lie there, ignored files included, before the walk gives up
KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


@dataclass(frozen=True)
class Limits:
    """How large a tree may be: the key `tree` of the configuration."""

    max_files: int = 100_000
    max_file_bytes: int = 100 << 20
    max_total_bytes: int = 1 << 30


@dataclass
class Seen:
    """What a walk over a folder has seen: files with their sizes, and what was wrong."""

    sizes: dict[str, int] = field(default_factory=dict)
    fatal: list[Finding] = field(default_factory=list)  # git must not even look at it
    suspects: list[Finding] = field(default_factory=list)  # refused unless it is ignored
    linked: dict[tuple[int, int, int], list[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Taken:
    """What became of a tree: its id, or one line that says why it was refused; and findings for a reviewer."""

    tree: str | None
    refused: str
    findings: list[Finding]


def take(repo: Path, base: str, folder: Path, limits: Mapping[str, Any]) -> Taken:
    """Take the files in `folder` into the repository, unless something in it must not come in.

    GitError where git cannot read what passed the inspection.
    """
    allowed = Limits(**limits)
    seen = walk(folder, allowed)
    refused = seen.fatal or _not_ignored(repo, base, folder, seen) or _too_much(repo, base, folder, seen, allowed)
    if refused:
        return _refused(refused)
    tree = trees.snapshot(repo, base, folder)
    changes, listed = trees.changes(repo, base, tree), trees.entries(repo, tree)
    refused = naming.refusals(repo, changes) + _in_submodules([path for mode, path in listed if mode == trees.SUBMODULE], folder)
    if refused:
        return _refused(refused)
    paths = [path for _, path in listed]
    added = {change.path for change in changes if change.kind == "A"}
    return Taken(tree, "", [*naming.findings(added, paths), *_hard_links(seen, set(paths))])


def _refused(found: list[Finding]) -> Taken:
    return Taken(None, f"the agent's tree is refused: {naming.summary(found)}", found)


def judge_changes(repo: Path, changes: list[trees.Change], limits: Mapping[str, Any], submodules: bool = False) -> list[Finding]:
    """Why changes that git holds already (a person's commit, the source of a run) must not come in.

    With `submodules`, those stay what they are: a name without files.
    """
    allowed = Limits(**limits)
    sizes = {change.path: change.size for change in changes if change.kind != "D"}
    found = [_too_large(path, size, allowed) for path, size in sizes.items() if size > allowed.max_file_bytes]
    refused = naming.refusals(repo, [change for change in changes if not (submodules and change.mode == trees.SUBMODULE)])
    return [*found, *refused, *_totals(sizes, allowed)]


def walk(folder: Path, limits: Limits) -> Seen:
    """Look at everything below `folder` except its own .git."""
    seen, waiting = Seen(), [""]
    most = limits.max_files * MORE + 1000
    count = 0
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(folder / here) as found:
                entries = sorted(islice(found, most - count + 1), key=lambda entry: entry.name)
        except OSError as error:
            seen.suspects.append(Finding(here or ".", "unreadable", f"cannot be read: {error.strerror}"))
            continue
        count += len(entries)
        if count > most:
            reason = f"and what lies beside it are more than {most} files and folders, ignored ones included"
            seen.fatal.append(Finding(here or ".", "files", f"{reason}; {_raise('max_files', limits.max_files)}"))
            break
        listed = {entry.name for entry in entries}
        if here and (".git" in {name.lower() for name in listed} or {"HEAD", "objects", "refs"} <= listed):
            seen.suspects.append(Finding(here, "repository", "is a git repository inside the tree"))
            continue
        for entry in entries:
            path = f"{here}/{entry.name}" if here else entry.name
            if path != ".git":
                waiting += _look(path, entry, seen, limits)
    return seen


def _look(path: str, entry: os.DirEntry[str], seen: Seen, limits: Limits) -> list[str]:
    """Note one entry; returns the folder that is still to be walked, if it is one."""
    status = entry.stat(follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFDIR:
        if len(os.fsencode(path)) <= LONGEST_PATH:
            return [path]
        seen.suspects.append(Finding(f"{path[:100]}...", "depth", f"has a path longer than {LONGEST_PATH} bytes"))
    elif kind not in (stat.S_IFREG, stat.S_IFLNK):
        place = seen.fatal if entry.name in RULES else seen.suspects
        place.append(Finding(path, "special", f"is {KINDS.get(kind, 'no plain file')}"))
    else:
        seen.sizes[path] = status.st_size
        if kind == stat.S_IFREG:
            _look_at_file(path, entry.name, status, seen, limits)
    return []


def _look_at_file(path: str, name: str, status: os.stat_result, seen: Seen, limits: Limits) -> None:
    if name in RULES and status.st_size > RULES_BYTES:
        seen.fatal.append(Finding(path, "size", f"has {status.st_size} bytes of rules for git; {RULES_BYTES} are allowed"))
    elif status.st_size > limits.max_file_bytes:
        seen.suspects.append(_too_large(path, status.st_size, limits))
    if not status.st_mode & stat.S_IRUSR and os.geteuid():
        seen.suspects.append(Finding(path, "unreadable", "cannot be read: its owner took the permission away"))
    if status.st_nlink > 1:
        seen.linked.setdefault((status.st_dev, status.st_ino, status.st_nlink), []).append(path)


def _too_large(path: str, size: int, limits: Limits) -> Finding:
    return Finding(path, "size", f"has {size} bytes; {_raise('max_file_bytes', limits.max_file_bytes)}")


def _raise(key: str, value: int) -> str:
    return f"tree.{key} allows {value}; raise it, then retry"


def _not_ignored(repo: Path, base: str, folder: Path, seen: Seen) -> list[Finding]:
    """The suspects that would be part of the result."""
    ignored = _ignored(repo, base, folder, [item.path for item in seen.suspects if item.path != "."])
    return [item for item in seen.suspects if item.path not in ignored]


def _too_much(repo: Path, base: str, folder: Path, seen: Seen, limits: Limits) -> list[Finding]:
    """Why the tree as a whole is too large, if it is; ignored files are counted only where that decides."""
    sizes = seen.sizes
    if len(sizes) <= limits.max_files and sum(sizes.values()) <= limits.max_total_bytes:
        return []
    ignored = _ignored(repo, base, folder, list(sizes))
    return _totals({path: size for path, size in sizes.items() if path not in ignored}, limits)


def _totals(sizes: Mapping[str, int], limits: Limits) -> list[Finding]:
    total = sum(sizes.values())
    found = []
    if len(sizes) > limits.max_files:
        found.append(Finding(".", "files", f"holds {len(sizes)} files; {_raise('max_files', limits.max_files)}"))
    if total > limits.max_total_bytes:
        found.append(Finding(".", "size", f"holds {total} bytes in all; {_raise('max_total_bytes', limits.max_total_bytes)}"))
    return found


def _ignored(repo: Path, base: str, folder: Path, paths: list[str]) -> set[str]:
    """Those of the paths that the project's own .gitignore files name (tracked files are never ignored)."""
    if not paths:
        return set()
    with tempfile.TemporaryDirectory() as own:
        env = {"GIT_INDEX_FILE": str(Path(own, "index")), "PWD": str(folder)}
        trees.git("read-tree", base, repo=repo, env=env)
        words = ("-c", "core.bare=false", "--work-tree", folder, "check-ignore", "-z", "--stdin")
        asked = b"".join(b"./" + os.fsencode(path) + b"\0" for path in paths)  # no name begins with git's magic `:`
        said = trees.git(*words, repo=repo, env=env, ok=(0, 1), data=asked, timeout_s=trees.READING_S)
    return {path.removeprefix("./") for path in said.split("\0") if path}


def _in_submodules(paths: list[str], folder: Path) -> list[Finding]:
    """Folders of submodules in which an agent left something; git would not see it."""
    found = []
    for path in paths:
        place = folder / path
        if place.is_dir() and not place.is_symlink() and any(os.scandir(place)):
            found.append(Finding(path, "repository", "is the folder of a submodule, whose files are no part of this project"))
    return found


def _hard_links(seen: Seen, kept: set[str]) -> list[Finding]:
    """Files with several names; git has copied what they hold."""
    found = []
    for (_, _, count), paths in seen.linked.items():
        outside = count - len(paths)
        reason = f"has {count} names (hard links)" + (f", {outside} of them outside of the tree; it was copied" if outside else "")
        found += [Finding(path, "hard link", reason) for path in paths if path in kept]
    return found
