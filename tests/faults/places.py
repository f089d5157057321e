"""Folders, programs and clocks that are not as they should be: one clear line, and the same command completes afterwards.

Each trouble is a context manager over a working directory in which nothing, or the first of two phases, has been done.
It yields how the command must be typed while the trouble lasts (`Typed`).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from conftest import Desk, Done

from faults import census, packages, verdicts
from faults.desks import WORKER, command, lay_out, worker
from faults.history import Ear, History
from workflow.work import sandbox

HOUR_S = 3600


class Unfit(Exception):
    """This machine lacks what the trouble is made with."""


@dataclass
class Typed:
    """How the command is typed: words before it, variables, the folder, and the settings that are changed."""

    before: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    desk: Desk | None = None


Maker = Callable[[Desk], "contextlib.AbstractContextManager[Typed]"]


@dataclass(frozen=True)
class Trouble:
    """One thing that is wrong. `cause` is what the one clear line must name; None where work must go on."""

    name: str
    make: Maker
    cause: str | None
    half_done: bool = False
    sandbox: str = "off"


@dataclass(frozen=True)
class Overcome:
    """What came of a trouble."""

    name: str
    code: int
    lines: tuple[str, ...]
    traceback: bool
    completed: bool
    paid_twice: int
    possible: bool
    said: str

    @property
    def good(self) -> bool:
        """Whether it was told in a clear line (or was none), and the same command completed, and nothing was paid twice."""
        told = self.code == 0 if self.possible else self.code != 0 and bool(self.lines)
        return told and not self.traceback and self.completed and not self.paid_twice


def overcome(folder: Path, trouble: Trouble) -> Overcome:
    """Run into a trouble, take its cause away, and type the same command again."""
    token = f"places-{time.time_ns()}"
    history = History(folder / "history.jsonl")
    desk = _desk(folder, trouble)
    ear = Ear(token, history.path) if trouble.sandbox == "require" else None
    if ear:
        ear.start()
    desk.env |= {"FAULTS_HISTORY": f"@{token}" if ear else str(history.path), census.TOKEN: f"{token}.1"}
    try:
        if trouble.half_done:
            desk.shell(command(desk, "plan"))
        with trouble.make(desk) as typed:
            where = typed.desk or desk
            where.env |= typed.env
            tried = where.shell([*typed.before, *command(where)], check=None)
            for name in typed.env:
                del where.env[name]
        after = where.shell(command(where), check=None)
    finally:
        census.kill_all(token)
        if ear:
            ear.close()
    return _judge(trouble, where, tried, after, history)


def _desk(folder: Path, trouble: Trouble) -> Desk:
    """Two phases of two agents; without a sandbox, the agents are a program with an interpreter that can be lost."""
    agents = {"first": {}, "second": {"needs": ["first"]}}
    phases = {name: {"gate": "none", "agents": agents} for name in ("plan", "build")}
    desk = lay_out(folder, {"sandbox": trouble.sandbox, "phases": phases, "runner": "plain", "runners": {"plain": []}})
    if trouble.sandbox == "off":
        program = folder / "bin/agent"
        program.parent.mkdir()
        program.write_text(f"#!{folder}/bin/python\n" + WORKER.read_text())
        program.chmod(0o755)
        (folder / "bin/python").symlink_to(sys.executable)
        desk.configure(phases, {"plain": worker() | {"command": [str(program)]}}, runner="plain", sandbox="off")
    return desk


def _judge(trouble: Trouble, where: Desk, tried: Done, after: Done, history: History) -> Overcome:
    lines = tuple(verdicts.clear_lines(tried.err + tried.out, trouble.cause)) if trouble.cause else ()
    completed = after.code == 0 and packages.is_delivered(where.path)
    said = tried.out + tried.err + ("" if completed else after.out + after.err)
    paid = Counter((event.phase, event.agent) for event in history.read() if event.kind == "begin")
    twice = sum(count - 1 for count in paid.values())
    return Overcome(trouble.name, tried.code, lines, verdicts.has_traceback(said), completed, twice, trouble.cause is None, said)


# --- folders ---


def _read_only(*names: str) -> Maker:
    """The folders below the working directory are mounted read-only for the command (root would write to them anyway)."""

    @contextlib.contextmanager
    def make(desk: Desk) -> Iterator[Typed]:
        words = ["bwrap", "--dev-bind", "/", "/"]
        if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
            raise Unfit("bubblewrap does not work here, which makes the read-only folder")
        for name in names:
            (desk.path / name).mkdir(parents=True, exist_ok=True)
            words += ["--ro-bind", str(desk.path / name), str(desk.path / name)]
        yield Typed([*words, "--"])

    return make


@contextlib.contextmanager
def _blocked_output(desk: Desk) -> Iterator[Typed]:
    """Where the bundles go there is a file."""
    blocker = desk.write("runs/demo/bundles", "in the way")
    yield Typed()
    blocker.unlink()


@contextlib.contextmanager
def _moved(desk: Desk) -> Iterator[Typed]:
    goal = desk.path.with_name("desk moved")
    desk.path.rename(goal)
    yield Typed(desk=_same(desk, goal))


@contextlib.contextmanager
def _copied(desk: Desk) -> Iterator[Typed]:
    goal = desk.path.with_name("copy")
    shutil.copytree(desk.path, goal, symlinks=True)
    yield Typed(desk=_same(desk, goal))


def _same(desk: Desk, place: Path) -> Desk:
    return Desk(place, desk.root, dict(desk.env))


@contextlib.contextmanager
def _no_snakemake_folder(desk: Desk) -> Iterator[Typed]:
    shutil.rmtree(desk.path / ".snakemake")
    yield Typed()


# --- programs ---


def _without(*programs: str) -> Maker:
    """A PATH on which everything of this machine is, except for some programs."""

    @contextlib.contextmanager
    def make(desk: Desk) -> Iterator[Typed]:
        folder = desk.path.with_name("path")
        folder.mkdir()
        for place in reversed(os.environ["PATH"].split(os.pathsep)):
            for program in Path(place).iterdir() if Path(place).is_dir() else ():
                link = folder / program.name
                link.unlink(missing_ok=True)
                if program.name not in programs:
                    link.symlink_to(program)
        yield Typed(env={"PATH": str(folder)})

    return make


@contextlib.contextmanager
def _no_sandbox(desk: Desk) -> Iterator[Typed]:
    """Neither bubblewrap nor Landlock is tried."""
    yield Typed(env={sandbox.TRIED: ""})


@contextlib.contextmanager
def _old_git(desk: Desk) -> Iterator[Typed]:
    shim = desk.path.with_name("shim") / "git"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho git version 2.30.2\n")
    shim.chmod(0o755)
    yield Typed(env={"PATH": f"{shim.parent}:{os.environ['PATH']}"})


def _gone(name: str) -> Maker:
    """The runner's program, or the interpreter that its first line names, is not there."""

    @contextlib.contextmanager
    def make(desk: Desk) -> Iterator[Typed]:
        path = desk.path.parent / "bin" / name
        path.rename(path.with_name("away"))
        yield Typed()
        path.with_name("away").rename(path)

    return make


# --- clocks ---


def _clock(words: str) -> Maker:
    """The clock of all processes is off, while the file system's is right."""

    @contextlib.contextmanager
    def make(desk: Desk) -> Iterator[Typed]:
        if not shutil.which("faketime"):
            raise Unfit("faketime is not installed, which puts the clock off")
        yield Typed(["faketime", "-f", words])

    return make


@contextlib.contextmanager
def _clock_was_ahead(desk: Desk) -> Iterator[Typed]:
    """The first phase was made while the clock of the machine was two hours ahead."""
    with _clock("+2h")(desk) as typed:
        desk.shell([*typed.before, *command(desk, "plan")])
    with _time_stamps(2 * HOUR_S)(desk):
        yield Typed()


def _time_stamps(shift_s: float) -> Maker:
    """Every file of the run is older or newer than it is."""

    @contextlib.contextmanager
    def make(desk: Desk) -> Iterator[Typed]:
        for path in (desk.path / "runs").rglob("*"):
            if path.is_file() and not path.is_symlink():
                moment = path.stat().st_mtime + shift_s
                os.utime(path, (moment, moment))
        yield Typed()

    return make


TROUBLES = (
    Trouble("read-only working directory", _read_only(""), "[Rr]ead-only|cannot be written"),
    Trouble("read-only runs folder", _read_only("runs"), "[Rr]ead-only|cannot be written", half_done=True),
    Trouble("read-only agent folder", _read_only("runs/demo/build/agents/first"), "[Rr]ead-only|cannot be written", half_done=True),
    Trouble("read-only bundles folder", _read_only("runs/demo/bundles"), "[Rr]ead-only|cannot be written"),
    Trouble("a file where the bundles go", _blocked_output, "bundles"),
    Trouble("git missing", _without("git"), "git is not installed"),
    Trouble("git too old", _old_git, "too old"),
    Trouble("no sandbox works, sandbox: require", _no_sandbox, "bubblewrap", sandbox="require"),
    Trouble("no sandbox works, sandbox: auto", _no_sandbox, None, sandbox="auto"),
    Trouble("runner program deleted", _gone("agent"), "cannot start"),
    Trouble("runner's interpreter deleted", _gone("python"), "cannot start"),
    Trouble("moved folder", _moved, None, half_done=True),
    Trouble("copied folder", _copied, None, half_done=True),
    Trouble(".snakemake deleted", _no_snakemake_folder, None, half_done=True),
    Trouble("clock 2 hours ahead", _clock("+2h"), None, half_done=True),
    Trouble("clock set back by 2 hours", _clock_was_ahead, None),
    Trouble("files 2 hours old", _time_stamps(-2 * HOUR_S), None, half_done=True),
    Trouble("time stamps in the future", _time_stamps(48 * HOUR_S), None, half_done=True),
)
