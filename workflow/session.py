"""One writer per working directory, and what is swept when it starts.

The lock is `flock` on `runs/.lock`: the kernel lets go of it when the process ends, however it ends. It is written
here and not taken from the filelock library because that empties the file when a second process tries, and the
file must tell the second process who holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from workflow import files
from workflow.errors import BusyError, RunError
from workflow.work import trees

FRESH_S = 60
PATIENCE_S = 2.0
MARKERS = ("APPROVED", "CHANGES_REQUESTED")
_held: IO[str] | None = None


def become_writer(workdir: Path) -> None:
    """Hold the lock of this working directory until the process ends. BusyError with pid and start of the holder.

    Afterwards leftovers of killed predecessors are gone: Snakemake's lock files, half-written files, and time
    stamps that lie in the future (they would make a finished job fail for ever).
    """
    global _held
    if _held is not None:
        return
    try:
        (workdir / "runs").mkdir(exist_ok=True)
        lock = (workdir / "runs" / ".lock").open("a+")
    except OSError as error:
        raise RunError(f"{workdir}/runs: cannot be written ({error.strerror}); make the folder writable") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BusyError(_holder(lock, workdir)) from error
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "started_at": files.now()}))
    lock.flush()
    _held = lock
    _sweep(workdir)


def _holder(lock: IO[str], workdir: Path) -> str:
    """Who holds the lock; a holder that has only just taken it is given the time to say who it is."""
    who, deadline = "another process", time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        lock.seek(0)
        with contextlib.suppress(ValueError, KeyError, TypeError):
            record = json.loads(lock.read())
            who = f"process {record['pid']}, started at {record['started_at']}"
            break
        time.sleep(0.02)
    return f"{workdir}: {who}, is working here; wait for it, or stop it with Ctrl-C"


def require_writable(folders: Iterable[Path]) -> None:
    """RunError for the first of these that is no folder, or one that this user cannot write; those that are not there may be made."""
    for folder in folders:
        if not os.path.lexists(folder):
            continue
        if folder.is_symlink() or not folder.is_dir():
            raise RunError(f"{folder}: is not a folder; move it away, then run the same command again")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise RunError(f"{folder}: cannot be written; make it writable for you, then run the same command again")


def _sweep(workdir: Path) -> None:
    shutil.rmtree(workdir / ".snakemake" / "locks", ignore_errors=True)
    for repo in (workdir / "runs").glob("*/project.git"):
        trees.forget_locks(repo)
    limit = time.time() + 1
    for folder, names, leaves in os.walk(workdir / "runs"):
        names[:] = [name for name in names if name not in ("project.git", "project", "tree", "artifacts")]
        for leaf in leaves:
            path = Path(folder, leaf)
            if leaf.startswith(".tmp-"):
                decision = any(f"-{name}" in leaf for name in MARKERS)  # it may be being written, without the lock
                if not decision or not 0 <= limit - path.lstat().st_mtime < FRESH_S:
                    path.unlink(missing_ok=True)
            elif leaf.startswith(MARKERS) or path.is_symlink():
                continue  # the time of a person's marker has a meaning
            elif path.stat().st_mtime > limit:
                os.utime(path)
