"""Run one program to its end, whatever it does: time limit, end of its whole tree, capped log, its end told at once.

A keeper (`keeper.py`) starts it, has its end noted the moment it is known, and ends what it leaves behind; this side copies
its output, and watches the clock, the signals, and what the program says of itself.
"""

from __future__ import annotations

import collections
import contextlib
import json
import os
import selectors
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from workflow.errors import RunError, StorageError
from workflow.work import keeper
from workflow.work.logs import CappedLog
from workflow.work.redaction import Redactor, Values

NONE = Values({})
GRACE_S = 3.0
OVERDUE_S = 10.0
DRAIN_S = 1.0
GLANCE_S = 0.5


@dataclass(frozen=True)
class Ended:
    """How a program ended. `stopped` says why it was stopped (`timeout`, `spent`), or is empty.

    `killed` names the processes that were ended with it or after it.
    """

    exit_code: int
    stopped: str
    duration_s: float
    killed: tuple[str, ...] = ()

    @property
    def timed_out(self) -> bool:
        """Whether its time was up."""
        return self.stopped == keeper.TIMEOUT


class Listener(Protocol):
    """Somebody who reads what a program says, and may find that it has to stop."""

    def hear(self, stream: str, data: bytes) -> None:
        """Take bytes of `out` or `err` as they come."""

    def enough(self) -> bool:
        """Whether the program is to be stopped; asked after each word and every half second."""


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
    listener: Listener | None = None,
    secret: Values = NONE,
) -> Ended:
    """Run `command` (an argument list) in `folder`; its output goes to `log`, at most 2 MB of it, without what is `secret`.

    `on_exit` is called as soon as the program has ended by itself, by the time limit or because the listener had enough,
    while its leftovers may still be about. It runs in a process of its own, which outlives this one where that is
    killed. A program that a signal ended has the exit code 128 + signal; the time limit gives 124, the listener 125.

    Raises FileNotFoundError or PermissionError where the program cannot be started, Interrupted when this process
    gets TERM, INT or HUP (where the program had ended by itself before, `on_exit` has been called), RunError where
    the keeper was killed, and StorageError where `on_exit` could not note the end.
    """
    keeper.adopt_orphans()
    with _signals() as arrived, _given(stdin) as given, CappedLog(log) as sink:
        begin = time.monotonic()

        def note(code: int, stopped: str, took: float) -> None:
            on_exit(Ended(code, stopped, took))

        kept = keeper.start(keeper.Program(command, folder, env, given.fileno(), grace_s, note, listener is not None))
        streams = {handle: Redactor(secret) for handle in (kept.output, kept.errors) if handle}
        watch = _Watch(kept, sink, begin + timeout_s, grace_s, arrived, listener, streams)
        try:
            watch.follow()
        finally:
            watch.clear()
    if sink.error:
        print(f"phasegate: {log}: is not complete, it could not be written ({sink.error.strerror})", file=sys.stderr)
    return watch.ended()


def _given(stdin: Path | None) -> IO[bytes]:
    """What the program reads: a copy, since a program can open its standard input for writing by /proc/self/fd/0."""
    if stdin is None:
        return open(os.devnull, "rb")
    given = tempfile.TemporaryFile()  # noqa: SIM115 - the caller closes it
    given.write(stdin.read_bytes())
    given.seek(0)
    return given


@contextlib.contextmanager
def _signals() -> Iterator[_Arrived]:
    """Within, TERM, INT and HUP are only noted; they wake up whoever waits on the descriptor.

    INT or HUP that is ignored stays ignored (`nohup`, a job in the background of a script), as in the main process; TERM
    comes from there, too, when that ends.
    """
    arrived = _Arrived()
    if threading.current_thread() is not threading.main_thread():
        yield arrived
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    arrived.descriptor = reading
    heeded = [number for number in keeper.STOPPING if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda got, _: arrived.numbers.append(got)) for number in heeded}
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
    deadline: float
    grace_s: float
    arrived: _Arrived
    listener: Listener | None
    streams: Mapping[int, Redactor]
    reported: dict[str, Any] = field(default_factory=dict)
    closing: bool = False  # it has ended or was told to
    told: bytes = b""
    orphaned: bool = False  # the keeper is gone, so that nobody else would end what is left if this process were killed now

    def follow(self) -> None:
        """Copy and wait until the keeper has cleared everything away, or is gone."""
        with selectors.DefaultSelector() as ready:
            for handle in filter(None, (self.kept.output, self.kept.errors, self.kept.report, self.arrived.descriptor)):
                ready.register(handle, selectors.EVENT_READ)
            while self.kept.report in ready.get_map():
                for key, _ in ready.select(self._patience()):
                    if not self._take(key.fd):
                        ready.unregister(key.fd)
                if not self._check():
                    return

    def _patience(self) -> float:
        left = max(0.0, self.deadline - time.monotonic())
        return min(left, GLANCE_S) if self.listener else left

    def _take(self, handle: int) -> bool:
        """Read what has come; False at its end."""
        data = os.read(handle, 65536)
        if handle in self.streams:
            self.sink.write(self.streams[handle].feed(data))
            if self.listener:
                self.listener.hear("out" if handle == self.kept.output else "err", data)
        elif handle == self.kept.report:
            self.orphaned = not data
            *lines, self.told = (self.told + data).split(b"\n")
            for line in lines:
                self.reported |= json.loads(line)
                if "exit" in self.reported:
                    self._close(self.grace_s)
        return bool(data)

    def _check(self) -> bool:
        """Stop the program where its time is up or this process is told to stop; False where waiting is given up."""
        if self.arrived.numbers and self.arrived.heed:
            self.arrived.heed = False
            self._stop(min(self.grace_s, keeper.STOPPED_GRACE_S), keeper.TOLD)
        elif time.monotonic() >= self.deadline:
            if self.closing:
                return False
            self._stop(self.grace_s, keeper.TIMEOUT)
        elif self.listener and not self.closing and self.listener.enough():
            self._stop(keeper.STOPPED_GRACE_S, keeper.SPENT)
        return True

    def _stop(self, grace_s: float, why: str) -> None:
        self.kept.stop(grace_s, why)
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
            keeper.end_tree(0 if self.orphaned else keeper.STOPPED_GRACE_S)
        for handle, stream in self.streams.items():
            self._drain(handle)
            self.sink.write(stream.end())
            os.close(handle)
        os.close(self.kept.report)

    def _drain(self, handle: int) -> None:
        os.set_blocking(handle, False)
        give_up = time.monotonic() + DRAIN_S
        with contextlib.suppress(BlockingIOError):
            while time.monotonic() < give_up and self._take(handle):
                pass

    def ended(self) -> Ended:
        """How it ended; see `run` for what is raised."""
        found = self.reported
        if "errno" in found:
            raise OSError(found["errno"], os.strerror(found["errno"]))
        if "unnoted" in found:
            raise StorageError(f"{found['unnoted']}; mend that, then run the same command again")
        if self.arrived.numbers:
            raise Interrupted(self.arrived.numbers[0])
        if "exit" not in found or found["stopped"] == keeper.TOLD:
            raise RunError("the process that keeps the program was killed; run snakemake again")
        return Ended(found["exit"], found["stopped"], found["duration_s"], tuple(found.get("killed", ())))
