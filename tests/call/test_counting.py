"""The count of slots: never more at work than there are, never below zero, and whole again at the end, whoever lends, waits or dies."""

from __future__ import annotations

import contextlib
import random
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workflow.call import slots

CORES, SPARE = 2, 3


class Scheduler:
    """What slots need of Snakemake's scheduler, with the same rules: a job starts with a slot, and its end frees one."""

    def __init__(self) -> None:
        """A scheduler of two cores; its executor has three threads more."""
        self.resources = {"_cores": CORES, "agents": CORES}
        self._lock = threading.Lock()
        self._open_jobs = threading.Semaphore(0)
        self._executor, self._local_executor = SimpleNamespace(workers=CORES + SPARE), None
        self.working = self.most = self.running = 0
        self.lowest = CORES

    def _free_resources(self, job: Any) -> None:
        for name in self.resources:
            self.resources[name] += 1

    def works(self, change: int) -> None:
        with self._lock:
            self.working += change
            self.most = max(self.most, self.working)
            self.lowest = min(self.lowest, *self.resources.values())

    def try_to_start(self) -> bool:
        with self._lock:
            if self.resources["_cores"] < 1:
                return False
            for name in self.resources:
                self.resources[name] -= 1
            self.running += 1
            return True

    def end(self) -> None:
        with self._lock:
            self.running -= 1
            self._free_resources(None)


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(slots.ADDRESS, "")
    (tmp_path / "runs").mkdir()
    made = Scheduler()
    slots.serve(made)
    return made


def job(scheduler: Scheduler, seed: int) -> None:
    """Work, lend, and then end, die in the queue, or come back and work again; as `workflow.work.slots` does it."""
    dice = random.Random(seed)
    for _ in range(dice.randint(1, 3)):
        scheduler.works(+1)
        time.sleep(dice.uniform(0, 0.01))
        scheduler.works(-1)
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(str(slots.SOCKET))
            time.sleep(dice.uniform(0, 0.01))
            what = dice.choice(["end", "back", "die"])
            with contextlib.suppress(OSError):  # refused: it has its slot still
                if what != "end":
                    line.sendall(b"resume\n")
                if what == "back":
                    line.recv(16)
            if what == "back":
                continue
            time.sleep(dice.uniform(0, 0.005))
        break
    scheduler.end()


@pytest.mark.parametrize("seed", range(4))
def test_whatever_jobs_do_the_count_holds(scheduler: Scheduler, seed: int) -> None:
    waiting = [threading.Thread(target=job, args=(scheduler, 100 * seed + number), daemon=True) for number in range(60)]
    started = []
    deadline = time.monotonic() + 60
    while waiting and time.monotonic() < deadline:
        if scheduler.try_to_start():
            started.append(waiting.pop())
            started[-1].start()
        else:
            time.sleep(0.0005)
    for one in started:
        one.join(30)
    assert not waiting
    assert scheduler.running == 0
    assert scheduler.most <= CORES
    assert scheduler.lowest >= 0
    assert scheduler.resources == {"_cores": CORES, "agents": CORES}


def test_no_more_lend_than_there_are_threads_for(scheduler: Scheduler) -> None:
    lines = [socket.socket(socket.AF_UNIX) for _ in range(SPARE + 2)]
    for line in lines:
        line.settimeout(0.3)
        line.connect(str(slots.SOCKET))
    refused = []
    for line in lines:
        try:
            refused.append(line.recv(1) == b"")
        except TimeoutError:
            refused.append(False)
    assert refused == [False] * SPARE + [True] * 2
    assert scheduler.resources["_cores"] == CORES + SPARE
    for line in lines:
        line.close()


@pytest.mark.parametrize("missing", slots.NEEDED)
def test_nobody_listens_where_the_scheduler_is_another(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    known = {name: None for name in slots.NEEDED if name != missing} | ({} if missing == "resources" else {"resources": {}})
    slots.serve(SimpleNamespace(**known))
    assert not slots.SOCKET.exists()
