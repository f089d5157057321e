"""Timing: commands and calls that take turns with their floor; the median of all rounds counts."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from conftest import SNAKEMAKE, Desk

from workflow.forks import ADDRESS, starting


@dataclass(frozen=True)
class Effort:
    """How often everything is measured; the `short` form takes smaller runs as well."""

    rounds: int
    short: bool = False


def medians(effort: Effort, **measures: Callable[[int], float]) -> dict[str, float]:
    """The median of each measure; they take turns, and are told the number of the round.

    A first round that is not counted fills caches (bytecode, the kernel's pages); the short form goes without.
    """
    found: dict[str, list[float]] = {name: [] for name in measures}
    for number in range(0 if effort.short else -1, effort.rounds):
        for name, measure in measures.items():
            value = measure(number)
            if number >= 0:
                found[name].append(value)
    return {name: statistics.median(values) for name, values in found.items()}


def seconds(call: Callable[[], object]) -> float:
    """Wall time of a call."""
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def cpu_s(command: list[str], folder: Path, env: Mapping[str, str]) -> float:
    """CPU time of a command and all that it started; CalledProcessError where it fails."""
    process = subprocess.Popen(command, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return used.ru_utime + used.ru_stime


class Forks:
    """The server that a call of snakemake has, without snakemake; a context."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def __enter__(self) -> Forks:
        self.process, self.address = starting.launch(self.desk.root / "workflow/forks/server.py")
        self.server = psutil.Process(self.process.pid)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def cpu_s(self, script: str, *words: str) -> float:
        """CPU time of a script's job: of its client, of the fork with all that it started, and of the server meanwhile."""
        root, before = self.desk.root, sum(self.server.cpu_times()[:4])
        command = [sys.executable, "-S", "-E", str(root / "workflow/forks/client.py"), str(root / "scripts" / script), *words]
        used = cpu_s(command, self.desk.path, self.desk.environment() | {ADDRESS: self.address})
        return used + sum(self.server.cpu_times()[:4]) - before


def version_s(desk: Desk) -> float:
    """Wall time of `snakemake --version`, the floor of all that starts Snakemake."""
    return seconds(lambda: desk.shell([str(SNAKEMAKE), "--version"]))


def phasegate(desk: Desk, *words: str, cores: int = 2) -> None:
    """Type `snakemake ...` with Phasegate's Snakefile, as a new process."""
    desk.shell([str(SNAKEMAKE), "-s", str(desk.root / "Snakefile"), "--cores", str(cores), *words])
