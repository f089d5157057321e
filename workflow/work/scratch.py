"""Scratch folders: temporary folders that are swept when the process that made them was killed.

Each holds a locked file `.held`; the kernel lets go of the lock when the process ends, however it ends. A folder whose lock is
free is a leftover.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from workflow.work import trees

PREFIX = "phasegate-"
HELD = ".held"


@contextlib.contextmanager
def folder(kind: str) -> Iterator[Path]:
    """An empty folder below a private one in the place for temporary files; it is gone afterwards."""
    made = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{kind}-"))
    try:
        with (made / HELD).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (made / "room").mkdir()
            yield made / "room"
    finally:
        trees.remove(made)


def until_the_end(kind: str) -> Path:
    """Such a folder that is there until this process ends."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(folder(kind))


def sweep() -> None:
    """Remove the scratch folders of this user whose makers are gone."""
    for made in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if made.is_symlink() or made.stat().st_uid != os.getuid():
                continue
            with (made / HELD).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                trees.remove(made)
