"""The journal: one folder per attempt, which is the truth about work that was paid for.

    attempts/001/begin.json    key, base, invocation, start (written before the program starts)
                 exit.json     exit code and end (written at once when it has ended), disk_full where it failed on a full disk
                 result.json   status, tree, errors (written when the result is safe in the repository)
                 concluded     no retry follows
                 reserve       room on the disk for exit.json, until the result is there
                 brief.json prompt.md output.log
                 work/         tree, home, tmp; removed when the result is written

A folder without begin.json is no attempt yet: tree, prompt and brief are there before it begins. An attempt without
exit.json was interrupted. One with exit.json and without result.json had ended: its tree is still there and is taken up
without running anything. While anything of an attempt may be alive, its begin.json is locked (`flock`) by the supervisor
and by the keeper of its program; the kernel lets go when both have ended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import RunError

PATIENCE_S = 30.0
RESERVE = "reserve"
BEGIN = "begin.json"
RESERVED_BYTES = 16_384


@dataclass(frozen=True)
class Attempt:
    """One attempt of an agent."""

    folder: Path

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return int(self.folder.name)

    @property
    def begin(self) -> dict[str, Any]:
        """What was noted before the program started."""
        return files.try_read_json(self.folder / BEGIN) or {}

    @property
    def exit(self) -> dict[str, Any] | None:
        """How the program ended; None where it was interrupted."""
        return files.try_read_json(self.folder / "exit.json")

    @property
    def result(self) -> dict[str, Any] | None:
        """What came of it; None where that was not settled."""
        return files.try_read_json(self.folder / "result.json")

    @property
    def concluded(self) -> bool:
        """Whether it was the last of its sequence: no retry of the policy follows it."""
        return (self.folder / "concluded").exists()

    @property
    def log(self) -> Path:
        """What the program printed."""
        return self.folder / "output.log"

    @property
    def work(self) -> Path:
        """The folder with tree, home and temporary files."""
        return self.folder / "work"


def attempts(agent_dir: Path) -> list[Attempt]:
    """All attempts of an agent that have begun, in their order."""
    folder = agent_dir / "attempts"
    names = [path.name for path in folder.iterdir() if re.fullmatch(r"[0-9]{3,}", path.name)] if folder.is_dir() else []
    return [Attempt(folder / name) for name in sorted(names, key=int) if (folder / name / BEGIN).exists()]


def upcoming(agent_dir: Path) -> Attempt:
    """The attempt that comes next: a folder where it is made ready, in which a killed process may have left something."""
    earlier = attempts(agent_dir)
    return Attempt(agent_dir / "attempts" / f"{earlier[-1].number + 1 if earlier else 1:03d}")


def begin(agent_dir: Path, record: dict[str, Any]) -> Attempt:
    """Note that the upcoming attempt begins, and what it is about to do."""
    attempt = upcoming(agent_dir)
    attempt.folder.mkdir(parents=True, exist_ok=True)
    _reserve(attempt.folder / RESERVE)
    files.write_json(attempt.folder / BEGIN, {**record, "number": attempt.number, "started_at": files.now()})
    os.utime(attempt.folder.parent)  # so that it shows that there is one more (`view/freshness.py`)
    return attempt


@contextlib.contextmanager
def alive(attempt: Attempt) -> Iterator[None]:
    """Within, an attempt counts as alive; where this process is killed, until the keeper has ended that it started within.

    The keeper is a fork, which has the same lock; a program that is started otherwise has not.
    """
    with (attempt.folder / BEGIN).open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def await_end(agent_dir: Path) -> None:
    """Wait until nothing of an earlier attempt is alive: a killed supervisor's keeper grants its program some time to end.

    RunError where that takes longer than it can.
    """
    for attempt in attempts(agent_dir):
        if attempt.result is None:
            _await_end(attempt)


def _await_end(attempt: Attempt) -> None:
    with (attempt.folder / BEGIN).open("r+b") as held:
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > deadline:
                raise RunError(f"{attempt.folder}: is alive still; find out by `lsof {held.name}` which process that is, and end it")
            time.sleep(0.02)


def _reserve(path: Path) -> None:
    """Take the room on the disk that the record of the end will need. An OSError here says that the disk is full."""
    path.write_bytes(bytes(RESERVED_BYTES))


def ended(attempt: Attempt, record: dict[str, Any]) -> None:
    """Note durably that the program has ended; a disk that is full by now does not hinder that."""
    record = {**record, "ended_at": files.now()}
    try:
        files.write_json(attempt.folder / "exit.json", record, durable=True)
    except OSError:
        (attempt.folder / RESERVE).unlink(missing_ok=True)
        files.write_json(attempt.folder / "exit.json", record, durable=True)


def also(attempt: Attempt, record: dict[str, Any]) -> None:
    """Add to the record of the end what was known only later."""
    files.write_json(attempt.folder / "exit.json", {**(attempt.exit or {}), **record})


def settled(attempt: Attempt, record: dict[str, Any]) -> None:
    """Note the result."""
    files.write_json(attempt.folder / "result.json", record, durable=True)
    (attempt.folder / RESERVE).unlink(missing_ok=True)


def finished(agent_dir: Path, key: str, invocation: str = "") -> Attempt | None:
    """The newest attempt with this key that has ended; with `invocation`, only one that this call made.

    None as well where a newer attempt was asked for by a person and was interrupted: what they asked for is still to do.
    """
    for attempt in reversed(attempts(agent_dir)):
        started = attempt.begin
        if started.get("key") == key and started.get("invocation") and attempt.exit is None:
            return None
        if started.get("key") == key and attempt.exit is not None and (not invocation or started.get("invocation") == invocation):
            return attempt
    return None


def conclude(attempt: Attempt) -> None:
    """Note that no retry follows this attempt."""
    files.write_text(attempt.folder / "concluded", "")


def sequence(agent_dir: Path, key: str) -> list[Attempt]:
    """The ended attempts with this key since the last one that was concluded: what the retry policy counts."""
    found: list[Attempt] = []
    for attempt in attempts(agent_dir):
        if attempt.begin.get("key") == key and attempt.exit is not None:
            found = [] if attempt.concluded else [*found, attempt]
    return found
