"""Inventory: what the merged tree of a phase holds, as git has it; nothing is checked out and no link is followed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow.work import trees


@dataclass(frozen=True)
class File:
    """One entry of a tree: a file, a link or a submodule. `size` in bytes. Bytes that are not UTF-8 are lone surrogates."""

    path: str
    mode: str
    blob: str
    size: int

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def folder(self) -> str:
        """The path without its last part; empty at the top."""
        return self.path.rpartition("/")[0]

    @property
    def suffix(self) -> str:
        """The ending of the name with its dot, in lower case; empty where there is none."""
        stem, dot, ending = self.name.rpartition(".")
        return f".{ending.lower()}" if dot and stem else ""

    @property
    def is_plain(self) -> bool:
        """Whether it is a file: no link, no submodule."""
        return self.mode.startswith("100")


def files(repo: Path, tree: str) -> list[File]:
    """Everything in a tree, sorted by path. GitError where git cannot read it."""
    listed = trees.git("ls-tree", "-r", "-z", "-l", "--full-tree", tree, repo=repo).split("\0")
    found = []
    for head, path in (line.split("\t", 1) for line in listed if line):
        mode, _, blob, size = head.split()
        found.append(File(path, mode, blob, int(size) if size.isdigit() else 0))
    return sorted(found, key=lambda item: item.path)


def contents(repo: Path, wanted: Iterable[File]) -> Iterator[tuple[File, bytes]]:
    """Each of these files with its bytes, in the given order, from one git process."""
    chosen = list(wanted)
    yield from zip(chosen, trees.read_objects(repo, [item.blob for item in chosen]), strict=True)
