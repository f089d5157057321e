"""Slots: a job in which no program works (it backs off, or settles what was made) gives its slot to other jobs meanwhile.

Snakemake counts slots in its scheduler and has no word for that. Here a thread of the main process listens on `runs/.slots`: a
connection is a job that does without a slot (it is added to what is free); `resume` asks for one again (the next one that is
free; `go` is answered then); a connection that closes before that is a job that has ended or died, for which Snakemake frees a slot
that it did not hold. What is owed so is paid when Snakemake frees slots, before it gives them to others, and the count is never
below zero, with which its selection of jobs does not reckon.

Each job keeps one of the local executor's threads, so only as many may lend as it has beyond its slots: else a job that was given
a slot would wait for a thread. The others keep their slots. Guarded like everything that touches Snakemake: where its scheduler
looks different nobody listens, and every job keeps its slot.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import select
import selectors
import socket
import threading
from collections import deque
from pathlib import Path
from typing import Any

from workflow.work.slots import ADDRESS

SOCKET = Path("runs", ".slots")
HELD = {"_cores": 1, "agents": 1}
NEEDED = ("resources", "_executor", "_local_executor", "_lock", "_open_jobs", "_free_resources")


def serve(scheduler: Any) -> None:
    """Listen until the process ends, and tell the jobs where. Nothing happens where the scheduler is not as it is known."""
    if not all(hasattr(scheduler, name) for name in NEEDED) or not set(HELD) <= set(scheduler.resources):
        return
    executor = scheduler._local_executor or scheduler._executor
    spare = getattr(executor, "workers", 0) - scheduler.resources["_cores"]
    if spare <= 0:
        return
    SOCKET.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(SOCKET))
        listener.listen(64)
    except OSError:
        listener.close()
        return
    os.environ[ADDRESS] = str(SOCKET)
    atexit.register(SOCKET.unlink, missing_ok=True)
    desk = Desk(scheduler, listener, spare)
    scheduler._free_resources = desk.freeing(scheduler._free_resources)
    threading.Thread(target=desk.work, daemon=True).start()


class Desk:
    """Where jobs without a slot stand: `lent` have given theirs back, `owed` are the slots that are to be taken out of the count.

    Who waits for a slot is owed one; None stands for a job that has ended, whose slot Snakemake frees once more.
    """

    def __init__(self, scheduler: Any, listener: socket.socket, spare: int) -> None:
        """At most `spare` jobs are without a slot at a time."""
        self.scheduler = scheduler
        self.listener = listener
        self.spare = spare
        self.lent: set[socket.socket] = set()
        self.owed: deque[socket.socket | None] = deque()

    def work(self) -> None:
        """Serve for ever; the thread ends with the process."""
        with selectors.DefaultSelector() as ready:
            ready.register(self.listener, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    job = key.fileobj
                    if job is self.listener:
                        self._welcome(ready)
                    elif isinstance(job, socket.socket) and not self._hear(job):
                        ready.unregister(job)
                        job.close()

    def freeing(self, free: Any) -> Any:
        """Snakemake's way to free the slots of a job, which pays what is owed at once. It is called with the scheduler's lock held."""

        def free_and_pay(job: Any) -> None:
            free(job)
            for one in filter(_has_hung_up, [*self.lent, *filter(None, self.owed)]):  # this job, of which the thread may not have heard
                self._owe_for_ended(one)
            self._pay()

        return free_and_pay

    def _welcome(self, ready: selectors.BaseSelector) -> None:
        job, _ = self.listener.accept()
        with self.scheduler._lock:
            if len(self.lent) + sum(one is not None for one in self.owed) >= self.spare:
                job.close()
                return
            self.lent.add(job)
            for name, count in HELD.items():
                self.scheduler.resources[name] += count
            self._pay()
        ready.register(job, selectors.EVENT_READ)
        self.scheduler._open_jobs.release()

    def _hear(self, job: socket.socket) -> bool:
        """A word of a job; False where it has hung up."""
        try:
            word = job.recv(64)
        except OSError:
            word = b""
        with self.scheduler._lock:
            if not word and (job in self.lent or job in self.owed):
                self._owe_for_ended(job)
            elif job in self.lent:
                self.lent.discard(job)
                self.owed.append(job)
            self._pay()
        return bool(word)

    def _owe_for_ended(self, job: socket.socket) -> None:
        """Before all others: the slot that Snakemake frees for it is not there for anybody."""
        self.lent.discard(job)
        if job in self.owed:
            self.owed.remove(job)
        self.owed.appendleft(None)

    def _pay(self) -> None:
        while self.owed and all(self.scheduler.resources[name] >= count for name, count in HELD.items()):
            for name, count in HELD.items():
                self.scheduler.resources[name] -= count
            job = self.owed.popleft()
            if job is not None:
                with contextlib.suppress(OSError):
                    job.sendall(b"go\n")


def _has_hung_up(job: socket.socket) -> bool:
    watch = select.poll()
    watch.register(job, getattr(select, "POLLRDHUP", 0))  # elsewhere than on Linux POLLHUP, which is always told, says the same
    return bool(watch.poll(0))
