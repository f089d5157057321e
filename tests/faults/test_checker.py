"""The checker itself: of each kind of violation it is shown one, and complains; of a good history it says nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Desk, Done

from faults import census, checker, packages, points, shots
from faults.history import Event, History
from faults.shots import Hit, Shot


def attempt(room: Path, number: int, code: int | None = 0, key: str = "k", result: bool = True) -> str:
    """The journal of an attempt of agent `a` of phase `p`, as Phasegate writes it."""
    folder = room / "p/agents/a/attempts" / f"{number:03d}"
    folder.mkdir(parents=True)
    (folder / "begin.json").write_text(json.dumps({"key": key}))
    if code is not None:
        (folder / "exit.json").write_text(json.dumps({"exit_code": code}))
        if result:
            (folder / "result.json").write_text("{}")
    return str(folder)


def event(kind: str, at: float, folder: str, call: str = "1") -> Event:
    """An event of the agent."""
    return Event(kind, at, "p", "a", folder, 1, 1, call, 0 if kind == "end" else None)


def hit(at: float, folder: str = "", target: str = "supervisor", call: str = "1") -> Hit:
    """A kill that ended the attempt's supervisor."""
    return Hit(Shot(1, target, "any time", 0), at, points.WORKS, False, (), (folder,) if folder else (), call)


def kinds(events: list[Event], *hits: Hit) -> list[str]:
    return [found.kind for found in checker.check(events, hits)[0]]


def test_a_history_in_order_is_not_complained_about(tmp_path: Path) -> None:
    """The first attempt was killed at work, the second ended."""
    first, second = attempt(tmp_path, 1, None), attempt(tmp_path, 2)
    events = [event("begin", 1, first), event("begin", 5, second), event("end", 6, second)]
    assert kinds(events, hit(2, first)) == []


def test_an_agent_that_had_exited_0_and_works_again_was_paid_twice(tmp_path: Path) -> None:
    first, second = attempt(tmp_path, 1, result=False), attempt(tmp_path, 2, None)
    events = [event("begin", 1, first), event("end", 2, first), event("begin", 5, second)]
    assert kinds(events, hit(3, first)) == ["paid twice"]


def test_an_agent_that_exits_0_twice_finished_twice(tmp_path: Path) -> None:
    first, second = attempt(tmp_path, 1), attempt(tmp_path, 2)
    events = [event(kind, at, folder) for at, folder in ((1, first), (5, second)) for kind in ("begin", "end")]
    assert kinds(events) == ["paid twice", "finished twice"]


def test_an_agent_that_is_told_something_else_may_work_again(tmp_path: Path) -> None:
    first, second = attempt(tmp_path, 1, key="one"), attempt(tmp_path, 2, key="two")
    assert kinds([event(kind, at, folder) for at, folder in ((1, first), (5, second)) for kind in ("begin", "end")]) == []


@pytest.mark.parametrize(
    ("killed_at", "complaints", "late"), [(2.004, [], 1), (2.5, ["paid twice"], 0), (1.5, [], 0), (None, ["paid twice"], 0)]
)
def test_an_end_that_was_not_noted_is_excused_only_by_a_kill_at_the_same_moment(
    tmp_path: Path, killed_at: float | None, complaints: list[str], late: int
) -> None:
    """At 2 s the agent ended: 4 ms before the kill; half a second before; after its supervisor was struck; or nobody was killed."""
    first, second = attempt(tmp_path, 1, None), attempt(tmp_path, 2)
    events = [event("begin", 1, first), event("end", 2, first), event("begin", 5, second, "2"), event("end", 6, second, "2")]
    for target, where in (("supervisor", first), ("snakemake", "")):
        found, lags = checker.check(events, [hit(killed_at, where, target)] if killed_at else [])
        assert [one.kind for one in found] == complaints
        assert len(lags) == late
    assert kinds(events, hit(2.004, "", "snakemake", "another call")) == ["paid twice"]
    assert kinds(events, hit(2.004, first, "agent")) == ["paid twice"]


def test_what_an_agent_does_after_its_supervisor_was_struck_proves_nothing(tmp_path: Path) -> None:
    """Also where it was started a moment later: it ignores TERM, and ends within its grace."""
    first, second = attempt(tmp_path, 1, None), attempt(tmp_path, 2)
    events = [event("begin", 2.1, first), event("end", 2.4, first), event("begin", 5, second), event("end", 6, second)]
    assert kinds(events, hit(2, first)) == []
    assert kinds(events, hit(2, target="snakemake")) == []
    assert kinds(events, hit(2, second)) == ["paid twice"]


def test_two_attempts_alive_at_once_are_seen(tmp_path: Path) -> None:
    first, second = attempt(tmp_path, 1, None), attempt(tmp_path, 2)
    events = [event("begin", 1, first), event("overlap", 2, second), event("begin", 2, second), event("end", 3, second)]
    assert kinds(events, hit(1.9, first)) == ["two alive"]


def test_journals_that_are_torn_missing_or_invented_are_seen(tmp_path: Path) -> None:
    torn, unbegun, invented, no_exit = (attempt(tmp_path / name, 1) for name in ("torn", "unbegun", "invented", "no-exit"))
    Path(torn, "exit.json").write_text('{"exit_')
    Path(unbegun, "begin.json").unlink()
    Path(no_exit, "exit.json").unlink()
    assert kinds([event("begin", 1, torn), event("end", 2, torn)]) == ["torn file"]
    assert kinds([event("begin", 1, unbegun), event("end", 2, unbegun)]) == ["no begin"]
    assert kinds([event("begin", 1, invented)]) == ["invented"]
    assert kinds([event("begin", 1, no_exit), event("end", 2, no_exit)]) == ["invented"]


def test_an_attempt_that_only_the_journal_knows_counts_too(tmp_path: Path) -> None:
    first = attempt(tmp_path, 1)
    attempt(tmp_path, 2)
    assert set(kinds([event("begin", 1, first), event("end", 2, first)])) == {"paid twice", "finished twice", "invented"}


def test_the_worker_reports_overlaps_daemons_and_its_end(tmp_path: Path) -> None:
    """Two attempts are started at once on purpose, and the daemon of one is found without any variable in it."""
    history = History(tmp_path / "history.jsonl")
    program = [sys.executable, "-I", "-S", str(Path(__file__).with_name("worker.py")), "--daemon", "--seconds", "0.3"]
    running = []
    for number in (1, 2):
        brief = tmp_path / f"p/agents/a/attempts/{number:03d}/brief.json"
        env = {"PHASEGATE_BRIEF": str(brief), "FAULTS_HISTORY": str(history.path), census.TOKEN: f"{tmp_path.name}.{number}"}
        running.append(subprocess.Popen(program, cwd=tmp_path, env=env))
    assert [one.wait(timeout=20) for one in running] == [0, 0]
    while len([one for one in history.read() if one.kind == "daemon"]) < 2:
        time.sleep(0.01)
    daemons = [one.process for one in history.events if one.kind == "daemon"]
    assert all(one.alive for one in daemons)
    assert sorted(one.kind for one in history.events) == ["begin", "begin", "daemon", "daemon", "end", "end", "overlap"]
    assert census.kill_all(f"{tmp_path.name}.", daemons) == 2
    assert not any(one.alive for one in daemons)


def test_only_processes_that_carry_the_token_are_counted(tmp_path: Path) -> None:
    other = subprocess.Popen(["sleep", "60"], env={census.TOKEN: f"other-{tmp_path.name}.1"})
    mine = subprocess.Popen(["sleep", "60"], env={census.TOKEN: f"{tmp_path.name}.1"})
    try:
        assert [one.pid for one in census.carrying(f"{tmp_path.name}.")] == [mine.pid]
        assert census.kill_all(f"{tmp_path.name}.") == 1
        assert (mine.wait(timeout=10), other.poll()) == (-9, None)
    finally:
        other.kill()
        other.wait()


def test_points_are_read_from_the_journal(tmp_path: Path) -> None:
    me = census.process(os.getpid())
    assert me is not None
    history = History(tmp_path / "history.jsonl")
    supervisor = points.Supervisor(replace(me, start=0), tmp_path / "p/agents/a")
    seen = [points.point_of(supervisor, history)]
    folder = Path(attempt(tmp_path, 1, None))
    seen.append(points.point_of(supervisor, history))
    for kind in ("begin", "end"):
        with history.path.open("a") as file:
            row = {"kind": kind, "at": 1, "phase": "p", "agent": "a", "attempt": str(folder), "pid": 1, "start": 1, "code": 0}
            file.write(json.dumps(row) + "\n")
        seen.append(points.point_of(supervisor, history))
    for path in (folder / "exit.json", folder / "result.json", supervisor.agent_dir / "outcome.json", supervisor.agent_dir / "published"):
        path.write_text("{}")
        seen.append(points.point_of(supervisor, history))
    wanted = [
        points.BEFORE_BEGIN,
        points.BEGUN,
        points.WORKS,
        points.ENDED,
        points.EXITED,
        points.SETTLED,
        points.SETTLED,
        points.PUBLISHED,
    ]
    assert seen == wanted
    (folder / "exit.json").unlink()
    newborn = points.Supervisor(replace(me, start=int(time.clock_gettime(time.CLOCK_BOOTTIME) * 100) + 500), tmp_path / "p/agents/a")
    assert points.point_of(newborn, history) == points.BEFORE_BEGIN, "the attempt is one of an earlier supervisor"


def test_shots_are_the_same_for_the_same_seed() -> None:
    first, second = random.Random(7), random.Random(7)
    planned = [shots.plan(number, first) for number in range(200)]
    assert planned == [shots.plan(number, second) for number in range(200)]
    assert {shot.target for shot in planned} == set(shots.TARGETS)
    assert sum(shot.aim == points.EXITED for shot in planned) >= 30


def test_wrong_bundles_and_leftovers_are_seen(desk: Desk) -> None:
    """A delivered run; then, one after the other, what must be noticed."""
    desk.configure({"plan": {"gate": "none", "agents": {"a": {}}}}, {"r": ["sh", "-c", "echo x > a.txt"]}, runner="r", sandbox="off")
    again = desk.run()
    good = packages.digests(desk.path)
    assert packages.is_delivered(desk.path)
    assert packages.check(desk, good, again) == []
    assert [one.kind for one in packages.check(desk, {"plan": "0" * 64}, Done(1, "", ""))] == ["not still", "wrong bundle"]
    assert len(packages.check(desk, {"ship": "0" * 64}, again)) == 1
    runs = desk.path / "runs/demo"
    (runs / "plan/.tmp-x-begin.json").write_text("{")
    (runs / "plan/agents/a/attempts/001/work").mkdir()
    (runs / "project.git/refs/agents.lock").write_text("")
    (desk.path / ".snakemake/locks").mkdir(exist_ok=True)
    (desk.path / ".snakemake/locks/0.input.lock").write_text("")
    assert len(list(packages.leftovers(desk.path))) == 4
    shutil.copy(runs / "bundles/plan.zip", desk.path / "kept.zip")
    desk.shell([sys.executable, "-c", REPACK])
    assert {one.kind for one in packages.check(desk, good, again)} == {"wrong bundle", "leftover"}


REPACK = """
import zipfile
with zipfile.ZipFile("kept.zip") as old, zipfile.ZipFile("runs/demo/bundles/plan.zip", "w") as new:
    for name in old.namelist():
        new.writestr(name, old.read(name).replace(b"x\\n", b"y\\n"))
"""
