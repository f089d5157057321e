"""Files that a tool writes while it works, read as they grow.

They lie in a HOME that the agent can write, so links and anything but plain files are left alone, and only so much is
read at a time.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from workflow.work.runners.events.base import Lines

READ_LIMIT = 16_000_000


class Tail:
    """The lines that a file has gained since the last look."""

    def __init__(self, path: Path) -> None:
        """Nothing has been read yet."""
        self.path, self._offset, self._lines = path, 0, Lines()

    def lines(self) -> Iterator[bytes]:
        """The new lines, complete ones only."""
        for chunk in read_from(self.path, self._offset):
            self._offset += len(chunk)
            yield from self._lines.push(chunk)


def read_from(path: Path, offset: int = 0, limit: int = READ_LIMIT) -> Iterator[bytes]:
    """The bytes of a plain file from `offset` on, at most `limit` of them; nothing where it cannot be read."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return
        while limit > 0 and (chunk := os.pread(handle, min(limit, 1_000_000), offset)):
            offset += len(chunk)
            limit -= len(chunk)
            yield chunk
    except OSError:
        return
    finally:
        os.close(handle)


def below(folder: Path, prefix: str, suffix: str, depth: int = 4, limit: int = 64) -> list[Path]:
    """Plain files below a folder, by the beginning and end of their names, without following links."""
    found: list[Path] = []
    waiting = [(folder, depth)]
    while waiting and len(found) < limit:
        here, left = waiting.pop()
        try:
            entries = sorted(os.scandir(here), key=lambda entry: entry.name) if not here.is_symlink() else []
        except OSError:
            continue
        for entry in entries[:1000]:
            if entry.is_dir(follow_symlinks=False) and left:
                waiting.append((Path(entry.path), left - 1))
            elif entry.is_file(follow_symlinks=False) and entry.name.startswith(prefix) and entry.name.endswith(suffix):
                found.append(Path(entry.path))
    return found[:limit]
