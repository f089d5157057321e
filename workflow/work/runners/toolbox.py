"""What the API runner's model may do: look at, search and change files of one tree, and run allowed programs in it.

Every path is resolved first and must lie inside the tree, so that neither `..` nor a link leads out of it; `.git` is
out of bounds. A refusal is a `Refused`, which the model gets to read. The sandbox around all of this is what protects
the machine; these checks keep an honest model on its way.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("python", "python3", "pytest", "ruff", "mypy", "coverage", "git", "node", "npm", "go", "cargo", "make", "ls", "grep", "diff")
TEXT_LIMIT, ENTRIES, MATCHES, FILE_LIMIT = 60_000, 1000, 200, 2_000_000
SKIPPED = {".git", "node_modules", "__pycache__", ".venv"}


class Refused(Exception):
    """What was asked is not possible; the text says what is."""


@dataclass(frozen=True)
class Toolbox:
    """The tools for one tree. `programs` may be run, each for at most `timeout_s` seconds."""

    tree: Path
    programs: tuple[str, ...] = PROGRAMS
    timeout_s: float = 300

    def list_files(self, folder: str = ".") -> str:
        """The files below a folder, one a line with its size."""
        start = self._inside(folder)
        if not start.is_dir():
            raise Refused(f"{folder} is no folder")
        rows = [f"{self._name(path)}\t{path.lstat().st_size}" for path in self._files(start)]
        more = f"\n... and {len(rows) - ENTRIES} more" if len(rows) > ENTRIES else ""
        return "\n".join(rows[:ENTRIES]) + more if rows else "(no files)"

    def read_file(self, path: str, first_line: int = 1) -> str:
        """The text of a file from a line on, as much of it as fits."""
        lines = self._text(path).splitlines(keepends=True)
        shown = "".join(lines[max(0, first_line - 1) :])
        return shown if len(shown) <= TEXT_LIMIT else f"{shown[:TEXT_LIMIT]}\n... cut; ask for a later first_line (of {len(lines)})"

    def search(self, pattern: str, folder: str = ".") -> str:
        """The lines that match a regular expression, as `path:line: text`."""
        try:
            wanted = re.compile(pattern)
        except re.error as error:
            raise Refused(f"not a regular expression: {error}") from error
        found: list[str] = []
        for path in self._files(self._inside(folder)):
            if path.is_symlink() or path.stat().st_size > FILE_LIMIT:
                continue
            for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").splitlines(), 1):
                if wanted.search(line):
                    found.append(f"{self._name(path)}:{number}: {line[:300]}")
                if len(found) >= MATCHES:
                    return "\n".join([*found, f"... more than {MATCHES} matches"])
        return "\n".join(found) or "(no match)"

    def write_file(self, path: str, content: str) -> str:
        """Make or replace a file."""
        goal = self._inside(path)
        if goal.is_dir():
            raise Refused(f"{path} is a folder")
        try:
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_bytes(content.encode("utf-8", "replace"))
        except OSError as error:
            raise Refused(f"{path} cannot be written: {error.strerror}") from error
        return f"wrote {self._name(goal)} ({len(content)} characters)"

    def edit_file(self, path: str, old: str, new: str) -> str:
        """Replace a text that stands exactly once in a file."""
        text = self._text(path)
        times = text.count(old) if old else 0
        if times != 1:
            raise Refused(f"`old` stands {times} times in {path}; it must stand there exactly once: read the file, and give more context")
        return self.write_file(path, text.replace(old, new))

    def run(self, command: Sequence[str]) -> str:
        """Run a program with its arguments in the tree, without a shell; its exit code and the end of its output."""
        if not command or command[0] not in self.programs:
            raise Refused(f"only these programs may be run, as an argument list: {', '.join(self.programs)}")
        try:
            child = subprocess.Popen(
                list(command),
                cwd=self.tree,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise Refused(f"{command[0]} cannot be started: {error}") from error
        try:
            output, _ = child.communicate(timeout=self.timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            return f"stopped after {self.timeout_s:g} s"
        said = output.decode("utf-8", "replace")
        return f"exit code {child.returncode}\n{said[-TEXT_LIMIT // 3 :]}"

    def _inside(self, path: str) -> Path:
        """The real place of a path of the tree. Refused where that lies outside."""
        try:
            goal = (self.tree / path).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            raise Refused(f"{path!r} is no path: {error}") from error
        root = self.tree.resolve()
        if not goal.is_relative_to(root):
            raise Refused(f"{path} lies outside the project; use paths relative to it")
        if ".git" in goal.relative_to(root).parts:
            raise Refused(".git is out of bounds; every change is recorded without it")
        return goal

    def _text(self, path: str) -> str:
        goal = self._inside(path)
        if not goal.is_file():
            raise Refused(f"there is no file {path}")
        if goal.stat().st_size > FILE_LIMIT:
            raise Refused(f"{path} is larger than {FILE_LIMIT} bytes; use search")
        return goal.read_bytes().decode("utf-8", "replace")

    def _files(self, start: Path) -> Iterator[Path]:
        for folder, names, files in os.walk(start):
            names[:] = sorted(name for name in names if name not in SKIPPED)
            yield from (Path(folder, name) for name in sorted(files))

    def _name(self, path: Path) -> str:
        return path.relative_to(self.tree.resolve()).as_posix() if path.is_relative_to(self.tree.resolve()) else path.name


def programs_of(checks: Iterable[dict[str, object]]) -> tuple[str, ...]:
    """The programs that may be run: the usual ones, and those of the phase's checks."""
    named = [command[0] for check in checks if isinstance(command := check.get("command"), list) and command]
    return tuple(dict.fromkeys([*PROGRAMS, *(name for name in named if "/" not in name)]))
