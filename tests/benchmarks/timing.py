"""Timing: commands and calls that take turns with their floor; the median of all rounds counts."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from conftest import SNAKEMAKE, Desk


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


def version_s(desk: Desk) -> float:
    """Wall time of `snakemake --version`, the floor of all that starts Snakemake."""
    return seconds(lambda: desk.shell([str(SNAKEMAKE), "--version"]))


def phasegate(desk: Desk, *words: str, cores: int = 2) -> None:
    """Type `snakemake ...` with Phasegate's Snakefile, as a new process."""
    desk.shell([str(SNAKEMAKE), "-s", str(desk.root / "Snakefile"), "--cores", str(cores), *words])
