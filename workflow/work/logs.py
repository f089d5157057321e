"""Logs of programs: capped while they are written, whole for a reader at any moment.

A log keeps its first `HEAD_BYTES`; of what follows it keeps the end, at most `TAIL_BYTES`, behind a line that says how
much was left out. The file itself is rewritten in place when it is full, so that `tail -f` works while the program
runs, memory does not depend on what it prints, and a log is within its limit also when its writer was killed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

HEAD_BYTES = TAIL_BYTES = 1_000_000
KEPT_BYTES = TAIL_BYTES // 2
NOTE = "\n[... {:>15} bytes left out ...]\n"
NOTE_BYTES = len(NOTE.format(0))
NOTE_PATTERN = rb"\n\[\.\.\. +([0-9]+) bytes left out \.\.\.\]\n"


class CappedLog:
    """Appends to a log of at most `HEAD_BYTES + NOTE_BYTES + TAIL_BYTES` bytes.

    A full disk does not stop the program that is being logged: what cannot be written counts as left out, and `error`
    keeps the first reason.
    """

    def __init__(self, path: Path) -> None:
        """Open the log; what is in it stays."""
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        self._size = os.fstat(self._file).st_size
        self.left_out = 0
        self.error: OSError | None = None

    def __enter__(self) -> CappedLog:
        """The log, to be closed at the end."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close the file."""
        os.close(self._file)

    def write(self, data: bytes) -> None:
        """Append; where the file is full, its middle gives way."""
        view = memoryview(data)
        while view:
            limit = HEAD_BYTES + TAIL_BYTES + (NOTE_BYTES if self.left_out else 0)
            part = view[: limit - self._size]
            if not part:
                self._make_room()
                continue
            self._put(part, self._size)
            self._size += len(part)
            view = view[len(part) :]

    def _put(self, part: memoryview | bytes, place: int) -> None:
        try:
            while part:
                written = os.pwrite(self._file, part, place)
                part, place = part[written:], place + written
        except OSError as error:
            self.error = self.error or error
            self.left_out += len(part)

    def _make_room(self) -> None:
        """Let the file be its head, the note, and the last `KEPT_BYTES`."""
        kept = os.pread(self._file, KEPT_BYTES, self._size - KEPT_BYTES)
        begin = HEAD_BYTES + (NOTE_BYTES if self.left_out else 0)
        self.left_out += self._size - KEPT_BYTES - begin
        self._put(NOTE.format(self.left_out).encode() + kept, HEAD_BYTES)
        self._size = HEAD_BYTES + NOTE_BYTES + len(kept)
        os.ftruncate(self._file, self._size)


def follow(log: BinaryIO, seen: int) -> tuple[bytes, int]:
    """What a log holds beyond the first `seen` bytes of all that was ever printed, and how much that makes in all.

    Where the middle has given way meanwhile, reading goes on after the gap, with the note that tells of it.
    """
    log.seek(HEAD_BYTES)
    note = re.match(NOTE_PATTERN, log.read(NOTE_BYTES))
    gap = int(note[1]) if note else 0
    hidden = gap - NOTE_BYTES if note else 0  # place in the file + hidden = place in all that was printed
    begin = min(seen, HEAD_BYTES) if note and seen < HEAD_BYTES + gap else seen - hidden
    log.seek(begin)
    data = log.read()
    return data, begin + len(data) + hidden


def log_end(log: Path, limit: int = 4000) -> str:
    """The last characters of a log, control characters made visible."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    from workflow.markup import visible  # Jinja2 comes with it

    return visible(text)
