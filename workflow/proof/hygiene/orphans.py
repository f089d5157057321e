"""Orphans: files that nobody needs: leftovers, files that .gitignore names, empty ones, and those that nothing names.

A file is needed when a tool finds it by convention, another text of the tree names it (by path, name, or, for source
code, its stem), or an artifact pattern of the plan asks for it. A collection of data files is named by its folder.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from workflow import globs
from workflow.errors import GitError
from workflow.proof.hygiene import conventions
from workflow.proof.hygiene.inventory import File
from workflow.proof.hygiene.mentions import Mentions
from workflow.proof.hygiene.scoring import MEASURED, NOTHING, ORPHANS, Finding, Result, Unmeasured, in_order
from workflow.work import trees

LOST, NOT_NEEDED = 3, 2
GIT_S = 30.0
COLLECTION = 5  # files of one kind in a folder, from which on the folder's name stands for them


def names(files: Sequence[File]) -> set[str]:
    """What the texts of the tree are searched for, so that `judge` can tell which files nothing names."""
    found = {name for item in _in_question(files) for name in _names_of(item)}
    return found | {folder.rpartition("/")[2] for folder, _ in _collections(files)}


def judge(repo: Path, tree: str, files: Sequence[File], mentions: Mentions, patterns: Sequence[str]) -> Result:
    """The component `orphans` of a tree whose texts `mentions` has seen. Raises Unmeasured where git fails."""
    if not files:
        return Result(ORPHANS, NOTHING, reason="no files", scanner="git")
    found = list(_leftovers(files))
    told = {item.path for item in found}
    found += [Finding(path, None, "is committed although .gitignore names it", LOST) for path in _ignored(repo, tree, files, told)]
    told |= {item.path for item in found}
    rest = [item for item in files if item.is_plain and item.path not in told and not conventions.cache_folder(item.path)]
    found += [
        Finding(item.path, None, "is empty", NOT_NEEDED) for item in rest if item.size == 0 and not conventions.may_be_empty(item.path)
    ]
    found += _unnamed([item for item in rest if item.size], files, mentions, patterns)
    return Result(ORPHANS, MEASURED, in_order(found), scanner="git")


def _leftovers(files: Iterable[File]) -> Iterator[Finding]:
    """Files whose names say that a program left them behind; of a cache the folder stands for what is in it."""
    caches: Counter[str] = Counter()
    for item in files:
        folder, left = conventions.cache_folder(item.path), conventions.leftover(item.name)
        if folder:
            caches[folder] += 1
        elif left:
            yield Finding(item.path, None, f"looks like a leftover of {left}", LOST)
    for folder, count in caches.items():
        yield Finding(folder, None, f"is a folder that a tool makes again ({count} files)", LOST)


def _ignored(repo: Path, tree: str, files: Sequence[File], told: set[str]) -> list[str]:
    """The committed files that the tree's own .gitignore files name, as git itself judges."""
    rules = [item.path for item in files if item.name == ".gitignore" and item.is_plain]
    if not rules:
        return []
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": str(Path(own, "index"))}
        words = ("-c", "core.bare=false", "--work-tree", folder)
        listed = "".join(f"{path}\0" for path in rules).encode("utf-8", "surrogateescape")
        try:
            trees.git("read-tree", tree, repo=repo, env=env)
            trees.git(*words, "checkout-index", "-z", "--stdin", repo=repo, env=env, data=listed, timeout_s=GIT_S)
            query = ("ls-files", "--cached", "--ignored", "-z", "--exclude-per-directory=.gitignore")
            found = trees.git(*words, *query, repo=repo, env=env | {"PWD": folder}, timeout_s=GIT_S).split("\0")
        except GitError as error:
            raise Unmeasured("git", f"what .gitignore names could not be worked out: {error}") from error
    return [path for path in found if path and path not in told and not conventions.cache_folder(path)]


def _in_question(files: Iterable[File]) -> Iterator[File]:
    """Files that somebody has to name."""
    return (item for item in files if item.is_plain and item.size and not conventions.is_found(item.path))


def _unnamed(rest: Sequence[File], files: Sequence[File], mentions: Mentions, patterns: Sequence[str]) -> Iterator[Finding]:
    """Files that nothing names."""
    many = _collections(files)
    for item in _in_question(rest):
        folder = item.folder.rpartition("/")[2]
        wanted = any(mentions.named(name, item.path) for name in _names_of(item))
        wanted = wanted or ((item.folder, item.suffix) in many and mentions.named(folder))
        if not wanted and not (patterns and globs.matches(item.path, patterns)):
            yield Finding(item.path, None, "is named by no other file, no convention and no artifact pattern", NOT_NEEDED)


def _collections(files: Iterable[File]) -> set[tuple[str, str]]:
    """(folder, suffix) of data files that come in numbers."""
    data = (item for item in files if item.is_plain and item.folder and item.suffix not in conventions.SOURCE)
    counted = Counter((item.folder, item.suffix) for item in data)
    return {place for place, count in counted.items() if count >= COLLECTION}


def _names_of(item: File) -> list[str]:
    """The names under which a text may mean a file: its own, for source code the stem, for a template what it makes."""
    stem = [item.name[: len(item.name) - len(item.suffix)]] if item.suffix in conventions.SOURCE else []
    return [item.name, *stem, conventions.made_name(item.name)]


def is_leftover(item: File) -> bool:
    """Whether a file is there by mistake, so that what it mentions makes nothing needed."""
    return bool(conventions.cache_folder(item.path) or conventions.leftover(item.name))
