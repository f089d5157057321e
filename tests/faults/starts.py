"""Many starts at the same moment in one folder: one works, each other is told which process does."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from faults import census
from faults.census import TOKEN
from faults.desks import command, lay_out
from faults.history import History

STALE = '{"pid": 999999, "started_at": "2026-01-01T00:00:00.000Z"}'


@dataclass(frozen=True)
class Rush:
    """What came of many starts."""

    starts: int
    workers: int
    double: int
    refused: int
    unnamed: tuple[str, ...]
    code: int

    @property
    def good(self) -> bool:
        """Whether one worked and each other was told so."""
        return (self.workers, self.double, self.refused, self.code, self.unnamed) == (1, 0, self.starts - 1, 0, ())


def rush(folder: Path, starts: int) -> Rush:
    """Start the plain command `starts` times at once; the agents work until all others have ended."""
    go = folder / "go"
    phases = {"plan": {"gate": "none", "agents": {"left": {}, "right": {}}}}
    desk = lay_out(folder, {"sandbox": "off", "phases": phases, "runner": "slow", "runners": {"slow": ["--wait", str(go)]}})
    desk.write("runs/.lock", STALE)  # what a process that was killed left there
    history = History(folder / "history.jsonl")
    token = f"starts-{time.time_ns()}"
    env = desk.environment() | {"FAULTS_HISTORY": str(history.path), TOKEN: f"{token}.1"}
    calls = []
    for number in range(starts):
        with (folder / f"call-{number:03d}.log").open("wb") as sink:
            words = {"cwd": desk.path, "env": env, "stdin": subprocess.DEVNULL, "stdout": sink, "stderr": sink}
            calls.append(subprocess.Popen(command(desk), **words))  # type: ignore[call-overload]
    try:
        while sum(call.poll() is None for call in calls) > 1:
            time.sleep(0.05)
        go.touch()
        codes = [call.wait(timeout=120) for call in calls]
    finally:
        census.kill_all(token)
    return _judge(folder, [call.pid for call in calls], codes, history)


def _judge(folder: Path, pids: list[int], codes: list[int], history: History) -> Rush:
    said = [(folder / f"call-{number:03d}.log").read_text() for number in range(len(pids))]
    refused = [number for number, text in enumerate(said) if codes[number] != 0 and "is working here" in text]
    workers = [number for number in range(len(pids)) if number not in refused]
    winner = pids[workers[0]] if workers else 0
    unnamed = [said[number] for number in refused if f"process {winner}," not in said[number]]
    begun = Counter(event.agent for event in history.read() if event.kind == "begin")
    double = sum(count - 1 for count in begun.values()) + sum(event.kind == "overlap" for event in history.events)
    return Rush(len(pids), len(workers), double, len(refused), tuple(unnamed), codes[workers[0]] if workers else 1)
