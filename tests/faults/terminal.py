"""Ctrl-C and hang-up on a real terminal, with agents that ignore INT, TERM and HUP."""

from __future__ import annotations

import os
import shlex
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pexpect
from conftest import Desk, wait_for

from faults import census, packages, verdicts
from faults.census import Process
from faults.desks import STILL, command, lay_out
from faults.history import Ear, History

PROMPT = "[at the prompt] "
WAYS = ("Ctrl-C", "Ctrl-C twice", "hang-up")
MARGIN_S = 1.5


@dataclass(frozen=True)
class Stopped:
    """How a call in a terminal ended."""

    way: str
    seconds: float
    left: tuple[str, ...]
    resumed: bool
    clear: bool
    said: str

    @property
    def good(self) -> bool:
        """Whether it is as it must be."""
        return self.seconds <= STILL.grace_s + MARGIN_S and not self.left and self.resumed and self.clear


def stop(folder: Path, way: str, sandbox: str = "off") -> Stopped:
    """Type the plain command in a shell on a terminal, stop it while two deaf agents work, and let it go on afterwards."""
    go = folder / "go"
    runner = ["--seconds", "0.1", "--child", "--daemon", "--deaf"] + (["--wait", str(go)] if sandbox == "off" else ["--seconds", "4"])
    phases = {"plan": {"gate": "none", "agents": {"left": {}, "right": {}}}}
    desk = lay_out(folder, {"sandbox": sandbox, "phases": phases, "runner": "deaf", "runners": {"deaf": runner}})
    token = f"terminal-{time.time_ns()}"
    history = History(folder / "history.jsonl")
    ear = Ear(token, history.path) if sandbox != "off" else None
    if ear:
        ear.start()
    desk.env |= {"FAULTS_HISTORY": f"@{token}" if ear else str(history.path)}
    try:
        seconds, left, said = _stop(desk, way, token, history)
        go.touch()
        desk.env |= {census.TOKEN: f"{token}.again"}
        resumed = desk.shell(command(desk), check=None).code == 0 and packages.is_delivered(desk.path)
    finally:
        census.kill_all(token, [event.process for event in history.read()])
        if ear:
            ear.close()
    return Stopped(way, seconds, tuple(left), resumed, not verdicts.has_traceback(said), said)


def _stop(desk: Desk, way: str, token: str, history: History) -> tuple[float, list[str], str]:
    env = desk.environment() | {"PS1": PROMPT, "TERM": "dumb"}
    shell = pexpect.spawn("bash", ["--norc", "--noprofile", "-i"], cwd=str(desk.path), env=env, encoding="utf-8", timeout=60)
    shell.expect_exact(PROMPT)
    shell.sendline(f"{census.TOKEN}={token}.1 {shlex.join(command(desk))}")
    wait_for(lambda: sum(event.kind == "daemon" for event in history.read()) == 2)
    time.sleep(0.3)
    pressed = time.monotonic()
    if way == "hang-up":
        shell.ptyproc.fileobj.close()
        seconds = _until_still(token, history, pressed)
        said = ""
    else:
        shell.sendintr()
        if way == "Ctrl-C twice":
            time.sleep(0.5)
            shell.sendintr()
        shell.expect_exact(PROMPT)
        seconds, said = time.monotonic() - pressed, shell.before
    left = [str(process) for process in alive(token, history)]
    os.kill(shell.pid, signal.SIGKILL)
    os.waitpid(shell.pid, 0)
    return seconds, left, said


def _until_still(token: str, history: History, since: float) -> float:
    """Seconds until nothing is left, at most a little more than is allowed."""
    while alive(token, history) and time.monotonic() - since < STILL.grace_s + MARGIN_S:
        time.sleep(0.02)
    return time.monotonic() - since


def alive(token: str, history: History) -> list[Process]:
    """What carries the token, or was reported by an agent, and lives."""
    return [*census.carrying(token), *(event.process for event in history.read() if event.process.alive)]
