"""Waiting for a decision: sleeps in the kernel (inotify and its like, through watchfiles) until a marker changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from watchfiles import watch as changes

from workflow import files
from workflow.errors import RunError

MARKERS = ("APPROVED", "CHANGES_REQUESTED")
HOLDING = ("waiting", "changes_requested", "blocked")


def watch(go_on: Callable[[], int]) -> int:
    """Carry the run on with `go_on` each time somebody decides, until it is delivered; returns the exit code.

    RunError where `go_on` leaves no status behind.
    """
    while True:
        before, written = decisions(), _written()
        code = go_on()
        status = newest_status()
        if status["state"] not in HOLDING or _written() == written:
            return code  # delivered, or refused before it began
        if decisions() == before:
            wait(Path("runs") / status["run"], list(status["phases"]), before)


def _written() -> list[int]:
    """When each status.json was written: a run that began has written its own anew."""
    return sorted(path.stat().st_mtime_ns for path in Path("runs").glob("*/status.json"))


def decisions() -> dict[str, tuple[int, int]]:
    """All markers of all runs, with time and size: what changes when somebody decides."""
    found = [path for name in MARKERS for path in Path("runs").glob(f"*/*/{name}*")]
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in found}


def newest_status() -> dict:
    """The status.json that was written last."""
    found = sorted(Path("runs").glob("*/status.json"), key=lambda path: path.stat().st_mtime_ns)
    if not found:
        raise RunError("runs/ holds no status.json; the command above did not start a run")
    status = files.read_json(found[-1])
    return dict(status)


def wait(run_dir: Path, phases: list[str], before: dict[str, tuple[int, int]]) -> None:
    """Return when a marker appears, changes or goes. A look once a minute covers what the kernel may not tell."""
    folders = [run_dir / phase for phase in phases if (run_dir / phase).is_dir()]
    print(f"watching {', '.join(str(folder) for folder in folders)} for a decision (Ctrl-C ends)", flush=True)
    for _ in changes(*folders, recursive=False, raise_interrupt=True, rust_timeout=60_000, yield_on_timeout=True):
        if decisions() != before:
            return
