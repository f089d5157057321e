"""Slots: a job in which no program works (it backs off, or settles what was made) gives its slot to other jobs meanwhile.

Snakemake counts slots in its scheduler and has no word for that. Here a thread of the main process listens on `runs/.slots`: a
connection is a job that does without a slot (it is added to what is free), `resume` asks for one again (the next one that is
free, and `go` is answered; until then the count may be below zero), and a connection that closes before that is a job that has
ended or died: Snakemake frees a slot for it that it did not hold. Guarded like everything that touches Snakemake: where its
scheduler looks different nobody listens, and a job keeps its slot.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import socket
import threading
from pathlib import Path
from typing import Any

from workflow.work.slots import ADDRESS

SOCKET = Path("runs", ".slots")
HELD = {"_cores": 1, "agents": 1}
PATIENCE_S = 0.05
NEEDED = ("resources", "running", "_lock", "_open_jobs")


def serve(scheduler: Any) -> None:
    """Listen until the process ends, and tell the jobs where. Nothing happens where the scheduler is not as it is known."""
    if not all(hasattr(scheduler, name) for name in NEEDED) or not set(HELD) <= set(scheduler.resources):
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
    threading.Thread(target=_Desk(scheduler, listener).work, daemon=True).start()


class _Desk:
    """Where waiting jobs stand: `paused` have given their slot back, `queue` want one again, in the order of asking."""

    def __init__(self, scheduler: Any, listener: socket.socket) -> None:
        self.scheduler = scheduler
        self.listener = listener
        self.paused: set[socket.socket] = set()
        self.queue: list[socket.socket] = []

    def work(self) -> None:
        """Serve for ever; the thread ends with the process."""
        with selectors.DefaultSelector() as ready:
            ready.register(self.listener, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select(PATIENCE_S if self.queue else None):
                    if key.fileobj is self.listener:
                        self._welcome(ready)
                    elif isinstance(key.fileobj, socket.socket) and not self._hear(key.fileobj):
                        ready.unregister(key.fileobj)
                        key.fileobj.close()
                self._grant()

    def _welcome(self, ready: selectors.BaseSelector) -> None:
        job, _ = self.listener.accept()
        if len(self.paused) + len(self.queue) >= len(self.scheduler.running):
            job.close()  # more than could be waiting
            return
        self.paused.add(job)
        ready.register(job, selectors.EVENT_READ)
        self._change(+1)

    def _hear(self, job: socket.socket) -> bool:
        """A word of a job; False where it has hung up."""
        try:
            word = job.recv(64)
        except OSError:
            word = b""
        if word and job in self.paused:
            self.paused.discard(job)
            self.queue.append(job)
            self._change(-1)  # the next slot that is free is its own, whatever else is ready to start
        elif not word and job in self.paused:
            self.paused.discard(job)
            self._change(-1)
        elif not word:
            self.queue = [other for other in self.queue if other is not job]
        return bool(word)

    def _change(self, sign: int) -> None:
        with self.scheduler._lock:
            for name, count in HELD.items():
                self.scheduler.resources[name] += sign * count
        if sign > 0:
            self.scheduler._open_jobs.release()

    def _grant(self) -> None:
        while self.queue:
            with self.scheduler._lock:
                owed = len(self.queue)
                if any(self.scheduler.resources[name] + owed * count < count for name, count in HELD.items()):
                    return
            with contextlib.suppress(OSError):
                self.queue.pop(0).sendall(b"go\n")
