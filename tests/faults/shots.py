"""One kill: whom it hits, and the moment at which it is fired."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from faults import census, points
from faults.census import Process
from faults.history import History
from faults.points import Scene, Supervisor

TARGETS = ("snakemake", "supervisor", "agent", "group", "agent group", "everything", "client", "server")
OF_JOB = ("supervisor", "client")  # the process that carries a job out, and the one that snakemake waits for
OF_AGENT = ("agent", "agent group")
LATEST_S = 1.6
POLL_S = 0.001
SCAN_S = 0.04


@dataclass(frozen=True)
class Shot:
    """A kill as it was planned.

    `aim` is a point of `points`, or `any time`; `delay_s` counts from the first job that is seen, at START_UP from the start.
    """

    number: int
    target: str
    aim: str
    delay_s: float


@dataclass(frozen=True)
class Hit:
    """A kill as it happened. `at` is the monotonic clock; `attempts` are the attempts that lost their supervisor or agent."""

    shot: Shot
    at: float
    point: str
    proven: bool
    killed: tuple[Process, ...]
    attempts: tuple[str, ...]
    call: str = ""

    def strikes(self, attempt: str, call: str) -> bool:
        """Whether it ended the supervisor of an attempt that was made in this call."""
        if self.shot.target in OF_AGENT:
            return False
        return attempt in self.attempts or (self.shot.target not in OF_JOB and call == self.call)


@dataclass(frozen=True)
class Range:
    """What a shot is fired at: one call of snakemake in a working directory."""

    token: str
    workdir: Path
    main: Process
    history: History
    ended: Callable[[], bool]


def plan(number: int, dice: random.Random) -> Shot:
    """The next shot: half of them at any time, the others at the moments that are most delicate."""
    target = dice.choice([*TARGETS, *(name for name in TARGETS if name not in OF_AGENT)])
    aims = ["any time"] * 9 + [points.EXITED] * 6 + [points.SETTLED, points.BEGUN, points.ENDED, points.JOBS, points.START_UP]
    aim = "any time" if target in OF_AGENT else dice.choice(aims)
    if target in OF_JOB and aim in (points.JOBS, points.START_UP):
        target = "snakemake"
    delay = dice.uniform(0, 1.2) if aim == points.START_UP else dice.uniform(0, LATEST_S)
    return Shot(number, target, aim, delay)


def fire(shot: Shot, place: Range) -> Hit | None:
    """Wait for the moment and kill; None where the call ended before the moment came."""
    begin = None if shot.aim != points.START_UP else time.monotonic()
    seen, scanned = points.scene(place.token, place.workdir), time.monotonic()
    while not place.ended():
        now = time.monotonic()
        if now - scanned > SCAN_S:
            seen, scanned = points.scene(place.token, place.workdir), now
        if begin is None and (seen.supervisors or seen.jobs):
            begin = now
        aimed = _ready(shot, seen, place.history, now - begin) if begin is not None else None
        if aimed is not None:
            hit = _kill(shot, place, aimed)
            if hit is not None:
                return hit
        time.sleep(POLL_S if shot.aim in points.NAMES else 0.01)
    return None


def _ready(shot: Shot, seen: Scene, history: History, waited_s: float) -> Scene | None:
    """What the shot is fired at, where its moment has come."""
    if shot.aim in (points.START_UP, "any time"):
        return seen if waited_s >= shot.delay_s and _has_target(shot.target, seen) else None
    if shot.aim == points.JOBS:
        return seen if seen.jobs and waited_s >= shot.delay_s / 4 else None
    if waited_s < shot.delay_s / 2:
        return None
    there = tuple(item for item in seen.supervisors if points.point_of(item, history) == shot.aim)
    return replace(seen, supervisors=there) if there else None


def _has_target(target: str, seen: Scene) -> bool:
    needed = {**dict.fromkeys(OF_JOB, seen.supervisors), "server": seen.servers, **dict.fromkeys(OF_AGENT, seen.workers)}
    return bool(needed.get(target, True))


def _kill(shot: Shot, place: Range, aimed: Scene) -> Hit | None:
    if shot.target in OF_AGENT:
        return _kill_agent(shot, place, aimed.workers[0])
    if shot.target in OF_JOB:
        one = shot.number % len(aimed.supervisors)  # of a supervisor and its keeper, each has its turn
        victims: tuple[Supervisor, ...] = aimed.supervisors[one : one + 1]
        struck = victims[0].process if shot.target == "supervisor" else aimed.client_of(victims[0])
        before, at = points.newest_of(victims), time.monotonic()
        killed = (struck,) if struck is not None and struck.kill() else ()
    else:
        victims = aimed.supervisors if shot.aim in points.NAMES else points.scene(place.token, place.workdir).supervisors
        before, at = points.newest_of(victims), time.monotonic()
        killed = tuple(one for one in aimed.servers if one.kill()) if shot.target == "server" else _kill_many(shot.target, place)
    return _witness(shot, place, aimed, victims, killed, at, before) if killed else None


def _kill_agent(shot: Shot, place: Range, worker: Process) -> Hit | None:
    attempt = worker.variables.get("PHASEGATE_BRIEF", "").rpartition("/")[0]
    at = time.monotonic()
    if shot.target == "agent":
        if not worker.kill():
            return None
    else:
        with suppress(ProcessLookupError):
            group = os.getpgid(worker.pid)
            if group in (os.getpgid(0), place.main.pid) or not worker.alive:
                return None
            os.killpg(group, signal.SIGKILL)
    place.history.read()
    point = points.ENDED if place.history.of(attempt, "end") else points.WORKS
    return Hit(shot, at, point, False, (worker,), (attempt,) if attempt else (), place.token)


def _kill_many(target: str, place: Range) -> tuple[Process, ...]:
    if target == "group":
        with suppress(ProcessLookupError):
            os.killpg(place.main.pid, signal.SIGKILL)  # the call was started as the leader of its own group
    elif not place.main.kill():
        return ()
    if target == "everything":
        for _ in range(2):  # a daemon may have been told of, and have dropped the token, while the first look was at work
            census.kill_all(place.token, [event.process for event in place.history.read() if event.kind == "daemon"])
    return (place.main,)


def _witness(
    shot: Shot, place: Range, aimed: Scene, victims: tuple[Supervisor, ...], killed: tuple[Process, ...], at: float, before: set[str]
) -> Hit:
    """Read from the files where the kill landed; what was killed has ended by now.

    `before` are the attempts that stood right before it: snakemake starts a job again at once, and a late look would take
    the attempt of that second job for the one that was hit.
    """
    deadline = time.monotonic() + 1
    while any(one.alive for one in killed) and time.monotonic() < deadline:
        time.sleep(0.0005)
    found = [points.point_of(item, place.history) for item in victims]
    point = points.most_delicate([*found, *([points.JOBS] if aimed.jobs and not found else [])])
    struck = time.time() - (time.monotonic() - at)
    attempts = tuple(sorted(before | {folder for folder in points.newest_of(victims) if points.begun_before(folder, struck)}))
    return Hit(shot, at, point, points.EXITED in found, killed, attempts, place.token)
