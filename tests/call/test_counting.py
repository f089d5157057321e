"""The count of slots: never more at work than there are, never below zero, whole again at the end, whoever waits, comes back or dies."""

from __future__ import annotations

import contextlib
import random
import socket
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import wait_for

from workflow.call import slots
from workflow.work import slots as own

CORES, AGENTS = 3, 2


class Scheduler:
    """What slots need of Snakemake's scheduler, with the same rules: an agent's job starts with one `agents`, and its end frees it."""

    def __init__(self) -> None:
        """A scheduler of three cores, of which two are for agents."""
        self.resources = {"_cores": CORES, "agents": AGENTS}
        self._lock = threading.Lock()
        self._open_jobs = threading.Semaphore(0)
        self._executor = SimpleNamespace(workers=CORES + 5, pool=ThreadPoolExecutor(1))
        self.working = {"": 0, "agent": 0}
        self.most = {"all": 0, "agent": 0}
        self.running: list[SimpleNamespace] = []
        self.lowest = AGENTS

    def _free_resources(self, job: SimpleNamespace) -> None:
        self.resources["agents"] += bool(job.output)

    def works(self, kind: str, change: int) -> None:
        with self._lock:
            self.working[kind] += change
            self.most["all"] = max(self.most["all"], sum(self.working.values()))
            self.most["agent"] = max(self.most["agent"], self.working["agent"])
            self.lowest = min(self.lowest, self.resources["agents"])

    def try_to_start(self, made: str) -> bool:
        with self._lock:
            if made and self.resources["agents"] < 1:
                return False
            self.resources["agents"] -= bool(made)
            self.running.append(SimpleNamespace(output=[made] if made else []))
            return True

    def end(self, made: str) -> None:
        with self._lock:
            job = next(job for job in self.running if job.output == ([made] if made else []))
            self.running.remove(job)
            self._free_resources(job)


@pytest.fixture
def scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scheduler:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(slots.ADDRESS, "")
    (tmp_path / "runs").mkdir()
    made = Scheduler()
    slots.serve(made)
    return made


@contextlib.contextmanager
def waiting(made: str) -> Iterator[socket.socket]:
    """A job that asks for a slot, as `workflow.work.slots` does it."""
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(30)
        line.connect(str(slots.SOCKET))
        line.sendall(f"{made}\n".encode())
        yield line


def job(scheduler: Scheduler, made: str, seed: int) -> None:
    """Wait for a slot, work, give it back, and then settle and end, or come back, or die in the queue."""
    dice, kind = random.Random(seed), "agent" if made else ""
    time.sleep(dice.uniform(0, 0.005))
    for _ in range(dice.randint(1, 3)):
        with waiting(made) as line:
            if dice.random() < 0.2:
                break
            assert line.recv(16)
            scheduler.works(kind, +1)
            time.sleep(dice.uniform(0, 0.01))
            scheduler.works(kind, -1)
        time.sleep(dice.uniform(0, 0.005))
    scheduler.end(made)


@pytest.mark.parametrize("seed", range(4))
def test_whatever_jobs_do_the_count_holds(scheduler: Scheduler, seed: int) -> None:
    """Some jobs of each kind, many of which die while they wait; those that died are started again under the same name."""
    names = [("" if number % 5 == 0 else f"runs/{number % 40}/outcome.json") for number in range(100)]
    rest = [(made, threading.Thread(target=job, args=(scheduler, made, 100 * seed + at), daemon=True)) for at, made in enumerate(names)]
    started: list[tuple[str, threading.Thread]] = []
    deadline = time.monotonic() + 60
    while rest and time.monotonic() < deadline:
        made = rest[-1][0]
        twin = made and any(one.is_alive() for name, one in started if name == made)
        if not twin and scheduler.try_to_start(made):
            started.append(rest.pop())
            started[-1][1].start()
        else:
            time.sleep(0.0005)
    for _, one in started:
        one.join(30)
    assert not rest
    assert not scheduler.running
    assert scheduler.most["all"] == CORES, "all slots are used"
    assert scheduler.most["agent"] <= AGENTS
    assert scheduler.lowest >= 0
    assert scheduler.resources == {"_cores": sys.maxsize, "agents": AGENTS}


def answered(line: socket.socket) -> bool:
    line.settimeout(0.2)
    with contextlib.suppress(TimeoutError):
        return line.recv(16) == b"go\n"
    return False


def test_another_agent_gets_ready_when_one_has_its_slot(scheduler: Scheduler) -> None:
    assert all(map(scheduler.try_to_start, "ab"))
    assert not scheduler.try_to_start("c")
    with waiting("a") as line:
        assert answered(line)
        wait_for(lambda: scheduler.resources["agents"] == 1)
        scheduler._open_jobs.acquire(timeout=1)
    assert scheduler.try_to_start("c"), "one more job than may work"
    with waiting("a") as again:
        assert answered(again)
    scheduler.end("a")
    assert not scheduler.try_to_start("d"), "it was given back once, and is not free once more"


def test_jobs_without_agents_come_first_then_agents_that_have_worked_before(scheduler: Scheduler) -> None:
    with waiting("old") as first:
        assert answered(first)
    with contextlib.ExitStack() as holding, contextlib.ExitStack() as queue:
        for made in ("x", "y", ""):
            assert answered(holding.enter_context(waiting(made)))
        new, old, other = (queue.enter_context(waiting(made)) for made in ("new", "old", ""))
        assert not any(map(answered, (new, old, other)))
        holding.close()
        assert answered(other)
        assert answered(old)
        assert answered(new), "three slots were given back"


def test_no_more_agents_than_may_work_have_a_slot(scheduler: Scheduler) -> None:
    with waiting("a") as one, waiting("b") as two, waiting("c") as three, waiting("") as other:
        assert sum(map(answered, (one, two, three))) == AGENTS
        assert answered(other)


def test_who_hangs_up_while_waiting_is_forgotten(scheduler: Scheduler) -> None:
    with contextlib.ExitStack() as holding:
        for made in ("a", "b"):
            assert answered(holding.enter_context(waiting(made)))
        with waiting("dead") as dead:
            assert not answered(dead)
        with waiting("c") as line:
            holding.close()
            assert answered(line)


def test_with_fewer_cores_than_agents_the_cores_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(slots.ADDRESS, "")
    (tmp_path / "runs").mkdir()
    made = Scheduler()
    made.resources["_cores"] = 1
    slots.serve(made)
    assert made.resources["agents"] == 1
    with waiting("a") as one, waiting("b") as two:
        assert [answered(one), answered(two)] == [True, False]


def test_who_waits_ends_where_the_snakemake_that_hands_out_slots_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel closes its connections before it ends its jobs, so that an end of the connection is no leave to go on."""
    monkeypatch.setenv(slots.ADDRESS, str(tmp_path / "slots"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "slots"))
        listener.listen()
        threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True).start()
        with pytest.raises(SystemExit, match="143"):
            own.take(Path("runs/demo/plan/agents/a/outcome.json"))
    with pytest.raises(SystemExit, match="143"):
        own.take()
    monkeypatch.delenv(slots.ADDRESS)
    own.take()  # nobody counts


@pytest.mark.parametrize("missing", [*slots.NEEDED, "pool", "agents"])
def test_nobody_listens_where_the_scheduler_is_another(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs").mkdir()
    made = Scheduler()
    known = {name: getattr(made, name) for name in slots.NEEDED if name != missing}
    if missing == "pool":
        del made._executor.pool
    if missing == "agents":
        del made.resources["agents"]
    slots.serve(SimpleNamespace(**known))
    assert not slots.SOCKET.exists()
    assert made.resources["_cores"] == CORES
