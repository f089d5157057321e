"""Which processes of a campaign are alive: found by a token that they carry in their environment.

Only processes that carry the token, or that the campaign's own agents reported, are ever signalled.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TOKEN = "FAULTS_TOKEN"
TITLE = "phasegate: "


@dataclass(frozen=True)
class Process:
    """A process, told from a later one with the same number by its start time in clock ticks."""

    pid: int
    start: int

    @property
    def alive(self) -> bool:
        """Whether it runs still; a zombie does not."""
        try:
            state, start = _state(self.pid)
        except OSError:
            return False
        return start == self.start and state not in "ZX"

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - self.start / os.sysconf("SC_CLK_TCK")

    @property
    def words(self) -> list[str]:
        """Its command line; of a job that is a fork (`phasegate: run_agent runs/demo plan a`) the words of its title."""
        try:
            raw = Path(f"/proc/{self.pid}/cmdline").read_bytes().decode(errors="replace")
        except OSError:
            return []
        return raw.strip("\0").split(" ") if raw.startswith(TITLE) else raw.split("\0")[:-1]

    @property
    def variables(self) -> dict[str, str]:
        """The environment that it was started with."""
        try:
            raw = Path(f"/proc/{self.pid}/environ").read_bytes().decode(errors="replace")
        except OSError:
            return {}
        return dict(pair.split("=", 1) for pair in raw.split("\0") if "=" in pair)

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Send a signal, to exactly this process; False where it has ended."""
        try:
            handle = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.alive:
                return False
            signal.pidfd_send_signal(handle, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)

    def __str__(self) -> str:
        """For people."""
        return f"{self.pid} ({' '.join(self.words)[:120]})"


def _state(pid: int) -> tuple[str, int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return fields[0], int(fields[19])


def process(pid: int) -> Process | None:
    """The process with this number now."""
    with contextlib.suppress(OSError):
        return Process(pid, _state(pid)[1])
    return None


def carrying(token: str) -> list[Process]:
    """The living processes whose token begins with `token`."""
    wanted = f"{TOKEN}={token}".encode()
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) != os.getpid():
            with contextlib.suppress(OSError):
                with open(f"/proc/{name}/environ", "rb") as file:
                    raw = file.read()
                if wanted in raw and (raw.startswith(wanted) or b"\0" + wanted in raw):
                    state, start = _state(int(name))
                    if state not in "ZX":
                        found.append(Process(int(name), start))
    return found


def kill_all(token: str, others: Iterable[Process] = ()) -> int:
    """Kill every process that carries the token, and `others`; says how many there were."""
    hit: set[Process] = set()
    others = list(others)
    while victims := [*carrying(token), *(other for other in others if other.alive)]:
        hit |= {victim for victim in victims if victim.kill()}
    return len(hit)


def script_of(words: list[str]) -> str:
    """The name of the script of Phasegate that a command line runs, such as run_agent; empty for any other, and for clients of forks."""
    if words[:1] == [TITLE.strip()]:
        return words[1]
    for word in words[1:3]:
        if word.endswith(".py") and "/scripts/" in word:
            return Path(word).stem
    return ""
