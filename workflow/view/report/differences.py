"""The change of a phase as a diff, file by file, in the colours of each file's language.

No more of it is read from git than can be shown; how many files and lines there are in all comes from git's own count.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from workflow.errors import GitError
from workflow.view.report import highlighting
from workflow.view.report.room import Room
from workflow.view.report.texts import Guard
from workflow.work import trees

MOST_ROWS, FILE_LINES, PATCH_BYTES = 200, 600, 600_000
HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@(.*)")
CLASSES = {"+": "plus", "-": "minus", " ": "same", "\\": "note"}


@dataclass
class FileChange:
    """One file of a diff; `body` is empty where it is not shown."""

    path: str
    added: int | None = None
    deleted: int | None = None
    word: str = ""
    body: Markup = field(default_factory=Markup)
    left_out: int = 0


@dataclass(frozen=True)
class Difference:
    """The change between two commits: the first files of it, and the totals of all."""

    files: Sequence[FileChange]
    in_all: int
    added: int
    deleted: int
    problem: str = ""

    @property
    def not_shown(self) -> int:
        """Files whose lines are not on this page."""
        return self.in_all - sum(bool(item.body) for item in self.files)


def between(repo: Path, old: str, new: str, guard: Guard, room: Room) -> Difference:
    """The difference between two commits, as far as there is room."""
    try:
        stats = trees.diffstat(repo, old, new)
        patch = _begin_of(repo, old, new)
    except (GitError, OSError) as error:
        return Difference([], 0, 0, 0, f"the change cannot be read: {error}")
    rows = {path: FileChange(path, added, deleted) for path, added, deleted in stats[:MOST_ROWS]}
    shown = guard.head(patch, PATCH_BYTES)
    for path, word, lines in list(_files_of(shown.text))[: -1 if shown.left_out else None]:  # the last one is not whole
        item = rows.get(path)
        if item is None:
            continue
        item.word = word
        body, left_out = _body(path, lines)
        if room.take(len(body)):
            item.body, item.left_out = body, left_out
    totals = (sum(row[1] or 0 for row in stats), sum(row[2] or 0 for row in stats))
    return Difference(list(rows.values()), len(stats), *totals)


def largest(difference: Difference, most: int) -> list[FileChange]:
    """The files with the most changed lines."""
    ranked = sorted(difference.files, key=lambda item: (-((item.added or 0) + (item.deleted or 0)), item.path))
    return [item for item in ranked if item.added or item.deleted][:most]


def _begin_of(repo: Path, old: str, new: str) -> bytes:
    """The beginning of a patch, some bytes more than will be shown; git is stopped there."""
    options = ["--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "-p", "-U3"]
    command = ["git", *trees.QUIET, "--git-dir", str(repo), "diff-tree", *options, old, new]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=trees.environment()) as process:
        assert process.stdout is not None
        content = process.stdout.read(2 * PATCH_BYTES)
        process.kill()
    return content


def _files_of(patch: str) -> Iterator[tuple[str, str, list[str]]]:
    """(path, word, lines of hunks) of each file in a patch."""
    for part in re.split(r"^(?=diff --git )", patch, flags=re.MULTILINE):
        head, _, body = part.partition("\n@@ ")
        names = re.findall(r'^(?:---|\+\+\+) "?[ab]/(.*?)"?\t?$', head, flags=re.MULTILINE)
        if not names or not body:
            continue
        word = "new" if "\nnew file mode" in head else "deleted" if "\ndeleted file mode" in head else "changed"
        yield names[-1], word, f"@@ {body}".rstrip("\n").split("\n")


def _body(path: str, lines: Sequence[str]) -> tuple[Markup, int]:
    """The hunks of a file as HTML, and how many lines were left out."""
    shown, name = list(lines[:FILE_LINES]), highlighting.language(path)
    made: list[Markup] = []
    for head, hunk in _hunks(shown):
        made.append(Markup('<span class="hunk">{}</span>').format(head[0]))
        made += _hunk(hunk, name, int(head[1]), int(head[2]))
    return Markup("\n").join(made), len(lines) - len(shown)


def _hunks(lines: Sequence[str]) -> Iterator[tuple[tuple[str, str, str], list[str]]]:
    """((line, old start, new start), lines) of each hunk."""
    starts = [(index, match) for index, line in enumerate(lines) if (match := HUNK.match(line))]
    ends = [index for index, _ in starts[1:]] + [len(lines)]
    for (start, match), end in zip(starts, ends, strict=True):
        yield (match[0], match[1], match[2]), list(lines[start + 1 : end])


def _hunk(lines: Sequence[str], name: str | None, old: int, new: int) -> Iterator[Markup]:
    """The lines of a hunk, each side coloured as the whole that it is, with the number that the line has now."""
    sides: Mapping[str, Any] = {
        sign: iter(highlighting.lines("\n".join(line[1:] for line in lines if line[:1] in (sign, " ")), name)) for sign in "+-"
    }
    for line in lines:
        sign = line[:1] if line[:1] in CLASSES else " "
        if sign == "\\":
            yield Markup('<span class="note">{}</span>').format(line)
            continue
        before, after = (next(sides["-"]) if sign in "- " else None), (next(sides["+"]) if sign in "+ " else None)
        number = old if sign == "-" else new
        old, new = old + (sign in "- "), new + (sign in "+ ")
        yield Markup('<span class="{}" data-n="{}">{}{}</span>').format(CLASSES[sign], number, sign, after if after is not None else before)
