"""Slots: Phasegate counts itself how many jobs work at once, and lets Snakemake start an agent's job before there is a slot for it.

So an agent's prompt and tree are ready when a slot becomes free, what an agent made is settled while the next one works, and others
work while one backs off. Snakemake, which counts from the start of a job to its end, has no word for that.

A thread of the main process listens on `runs/.slots` (`workflow/work/slots.py` says what jobs tell it). At most as many jobs have a
slot as `--cores` says, and at most `max_parallel_agents` of those in which agents work. Snakemake itself is told that there are cores
without end; of its resource `agents` a job holds one until it gets its first slot, so that as many get ready beforehand as may work.

Guarded like everything that touches Snakemake: where its scheduler looks different nobody listens, and Snakemake counts.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import selectors
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from workflow.work.slots import ADDRESS

SOCKET = Path("runs", ".slots")
NEEDED = ("resources", "running", "_executor", "_lock", "_open_jobs", "_free_resources")
THREADS = 64  # of the local executor, one for each job, beyond those of jobs that work; they are started when they are needed


def serve(scheduler: Any) -> None:
    """Hand out slots until the process ends, and tell the jobs where. Nothing happens where the scheduler is not as it is known."""
    if not all(hasattr(scheduler, name) for name in NEEDED) or not {"_cores", "agents"} <= set(scheduler.resources):
        return
    executor = scheduler._executor
    if not isinstance(getattr(executor, "pool", None), ThreadPoolExecutor) or not hasattr(executor, "workers"):
        return
    SOCKET.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(str(SOCKET))
        listener.listen(THREADS)
    except OSError:
        listener.close()
        return
    os.environ[ADDRESS] = str(SOCKET)
    atexit.register(SOCKET.unlink, missing_ok=True)
    desk = Desk(scheduler, listener)
    scheduler.resources |= {"_cores": sys.maxsize, "agents": desk.agents}  # Snakemake itself has such cores for clusters
    scheduler._free_resources = desk.freeing(scheduler._free_resources)
    executor.workers += THREADS
    executor.pool = ThreadPoolExecutor(max_workers=executor.workers)
    threading.Thread(target=desk.work, daemon=True).start()


class Desk:
    """Who waits for a slot and who has one: connections, with the file that the job makes where agents work in it, else nothing."""

    def __init__(self, scheduler: Any, listener: socket.socket) -> None:
        """As many slots, and as many for agents, as the scheduler has now."""
        self.scheduler = scheduler
        self.listener = listener
        self.slots = scheduler.resources["_cores"]
        self.agents = min(self.slots, scheduler.resources["agents"])
        self.waiting: dict[socket.socket, str] = {}  # in the order in which they came
        self.working: dict[socket.socket, str] = {}
        self.begun: set[str] = set()  # what is made by jobs that Snakemake was given their resource `agents` back for

    def work(self) -> None:
        """Serve for ever; the thread ends with the process. Where something breaks nobody waits for ever: all jobs that wait end."""
        with selectors.DefaultSelector() as ready, self.listener:
            ready.register(self.listener, selectors.EVENT_READ)
            try:
                while True:
                    for key, _ in ready.select():
                        job = key.fileobj
                        if job is self.listener:
                            ready.register(self.listener.accept()[0], selectors.EVENT_READ)
                        elif isinstance(job, socket.socket) and not self._hear(job):
                            ready.unregister(job)
                            job.close()
                    self._hand_out()
            finally:
                for job in self.waiting:
                    job.close()

    def freeing(self, free: Any) -> Any:
        """Snakemake's way to free the resources of a job, without what it has back already. It is called with the scheduler's lock held."""

        def free_what_it_holds(job: Any) -> None:
            free(job)
            for path in self.begun.intersection(job.output):
                self.begun.remove(path)
                self.scheduler.resources["agents"] -= 1

        return free_what_it_holds

    def _hear(self, job: socket.socket) -> bool:
        """What a job says, which is who it is; False where it has hung up."""
        try:
            word = job.recv(8192)
        except OSError:
            word = b""
        if word:
            self.waiting[job] = os.fsdecode(word.rstrip(b"\n"))
            return True
        self.waiting.pop(job, None)
        self.working.pop(job, None)
        return False

    def _hand_out(self) -> None:
        """Give slots to those that wait, while there are any."""
        begun: list[str] = []
        while len(self.working) < self.slots and (job := self._next()):
            self.working[job] = self.waiting.pop(job)
            begun += [self.working[job]] if self.working[job] else []
            with contextlib.suppress(OSError):
                job.sendall(b"go\n")
        if begun:  # only now, since Snakemake may hold its lock for a while
            self._let_others_get_ready(begun)

    def _next(self) -> socket.socket | None:
        """Jobs without agents first, which are short and which much waits for; then agents that have worked before, then new ones."""
        full = sum(map(bool, self.working.values())) >= self.agents
        ranks = {job: (made != "", made not in self.begun) for job, made in self.waiting.items() if not (made and full)}
        return min(ranks, key=ranks.__getitem__, default=None)

    def _let_others_get_ready(self, begun: list[str]) -> None:
        with self.scheduler._lock:
            for made in begun:  # unless it had a slot before, or has died in the queue
                if made not in self.begun and any(made in job.output for job in self.scheduler.running):
                    self.begun.add(made)
                    self.scheduler.resources["agents"] += 1
        self.scheduler._open_jobs.release()
