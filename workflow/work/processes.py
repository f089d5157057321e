"""Run one program to its end, whatever it does: time limit, end of its whole tree, capped log, its end told at once.

A keeper (`keeper.py`) starts it and ends what it leaves behind; this side copies its output, watches the clock and the
signals, and has the end noted the moment it is known, before anything else is done.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workflow.errors import RunError
from workflow.work import keeper
from workflow.work.logs import CappedLog

GRACE_S = 3.0
OVERDUE_S = 10.0
DRAIN_S = 1.0
TIMED_OUT = 124


@dataclass(frozen=True)
class Ended:
    """How a program ended. `killed` names the processes that were ended with it or after it."""

    exit_code: int
    timed_out: bool
    duration_s: float
    killed: tuple[str, ...] = ()


class Interrupted(SystemExit):
    """This process was told to stop, and does; the program's tree has been ended."""

    def __init__(self, number: int) -> None:
        """`number` is the signal."""
        super().__init__(128 + number)
        self.number = number


def run(
    command: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    log: Path,
    timeout_s: float,
    stdin: Path | None = None,
    on_exit: Callable[[Ended], None] = lambda ended: None,
    grace_s: float = GRACE_S,
) -> Ended:
    """Run `command` (an argument list) in `folder`; its output goes to `log`, at most 2 MB of it.

    `on_exit` is called as soon as the program has ended by itself or by the time limit, while its leftovers may still
    be about. A program that a signal ended has the exit code 128 + signal; one that the time limit ended has 124.

    Raises FileNotFoundError or PermissionError where the program cannot be started, Interrupted when this process
    gets TERM, INT or HUP (where the program had ended by itself before, `on_exit` has been called), and RunError
    where the keeper was killed.
    """
    keeper.adopt_orphans()
    with _signals() as arrived, open(stdin or os.devnull, "rb") as given, CappedLog(log) as sink:
        begin = time.monotonic()
        kept = keeper.start(keeper.Program(command, folder, env, given.fileno(), grace_s))
        watch = _Watch(kept, sink, begin, begin + timeout_s, grace_s, on_exit, arrived)
        try:
            watch.follow()
        finally:
            watch.clear()
    if sink.error:
        print(f"phasegate: {log}: is not complete, it could not be written ({sink.error.strerror})", file=sys.stderr)
    return watch.ended()


@contextlib.contextmanager
def _signals() -> Iterator[_Arrived]:
    """Within, TERM, INT and HUP are only noted; they wake up whoever waits on the descriptor."""
    arrived = _Arrived()
    if threading.current_thread() is not threading.main_thread():
        yield arrived
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    arrived.descriptor = reading
    before = {number: signal.signal(number, lambda got, _: arrived.numbers.append(got)) for number in keeper.STOPPING}
    woken = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    try:
        yield arrived
    finally:
        signal.set_wakeup_fd(woken)
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(reading)
        os.close(writing)


@dataclass
class _Arrived:
    """The signals that this process got."""

    numbers: collections.deque[int] = field(default_factory=collections.deque)
    descriptor: int | None = None
    heed: bool = True


@dataclass
class _Watch:
    """One program while it runs. `deadline` is when something is to be done next: stop it, or give up waiting."""

    kept: keeper.Kept
    sink: CappedLog
    began: float
    deadline: float
    grace_s: float
    on_exit: Callable[[Ended], None]
    arrived: _Arrived
    reported: dict[str, Any] = field(default_factory=dict)
    end: Ended | None = None
    closing: bool = False  # it has ended or was told to
    timed_out: bool = False
    told: bytes = b""

    def follow(self) -> None:
        """Copy and wait until the keeper has cleared everything away, or is gone."""
        with selectors.DefaultSelector() as ready:
            for handle in filter(None, (self.kept.output, self.kept.report, self.arrived.descriptor)):
                ready.register(handle, selectors.EVENT_READ)
            while self.kept.report in ready.get_map():
                for key, _ in ready.select(max(0.0, self.deadline - time.monotonic())):
                    if not self._take(key.fd):
                        ready.unregister(key.fd)
                if not self._check():
                    return

    def _take(self, handle: int) -> bool:
        """Read what has come; False at its end."""
        data = os.read(handle, 65536)
        if handle == self.kept.output:
            self.sink.write(data)
        elif handle == self.kept.report:
            *lines, self.told = (self.told + data).split(b"\n")
            for line in lines:
                self._hear(json.loads(line))
        return bool(data)

    def _hear(self, word: dict[str, Any]) -> None:
        self.reported |= word
        if "exit" not in word:
            return
        if self.timed_out or not word["stopped"]:
            stopped = bool(word["stopped"])
            self.end = Ended(TIMED_OUT if stopped else word["exit"], stopped, time.monotonic() - self.began)
            self.on_exit(self.end)
        self._close(self.grace_s)

    def _check(self) -> bool:
        """Stop the program where its time is up or this process is told to stop; False where waiting is given up."""
        if self.arrived.numbers and self.arrived.heed:
            self.arrived.heed = False
            self._stop(min(self.grace_s, keeper.STOPPED_GRACE_S))
        elif time.monotonic() >= self.deadline:
            if self.closing:
                return False
            self.timed_out = True
            self._stop(self.grace_s)
        return True

    def _stop(self, grace_s: float) -> None:
        self.kept.stop(grace_s)
        self._close(grace_s)

    def _close(self, grace_s: float) -> None:
        self.closing = True
        self.deadline = time.monotonic() + grace_s + OVERDUE_S

    def clear(self) -> None:
        """End what is left, whatever happened, and take the rest of the output."""
        os.close(self.kept.control)
        if "killed" in self.reported or "errno" in self.reported:
            os.waitpid(self.kept.pid, 0)
        else:
            keeper.end_tree(keeper.STOPPED_GRACE_S)
        os.set_blocking(self.kept.output, False)
        give_up = time.monotonic() + DRAIN_S
        with contextlib.suppress(BlockingIOError):
            while time.monotonic() < give_up and self._take(self.kept.output):
                pass
        os.close(self.kept.output)
        os.close(self.kept.report)

    def ended(self) -> Ended:
        """How it ended; see `run` for what is raised."""
        if "errno" in self.reported:
            raise OSError(self.reported["errno"], os.strerror(self.reported["errno"]))
        if self.arrived.numbers:
            raise Interrupted(self.arrived.numbers[0])
        if self.end is None:
            raise RunError("the process that keeps the program was killed; run snakemake again")
        return replace(self.end, killed=tuple(self.reported.get("killed", ())))
