"""A full disk at random moments: one clear line, and the same command completes once there is space.

Run as a program of its own, so that it can have a mount namespace in which the small disks vanish with it:

    unshare -m python tests/faults/disk.py FOLDER --points 10 --seed 1      (unshare -rm where one is not root)
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import Desk  # noqa: E402

from faults import census, checker, packages, verdicts  # noqa: E402
from faults.desks import lay_out, start  # noqa: E402
from faults.history import History  # noqa: E402

SIZE_KB = 16_000
EARLIEST_S, LATEST_S = -1.0, 2.5


@dataclass(frozen=True)
class Full:
    """What came of one full disk."""

    delay_s: float
    code: int
    lines: tuple[str, ...]
    traceback: bool
    resumed: bool
    paid_twice: int
    said: str

    @property
    def good(self) -> bool:
        """Whether it was told in clear lines and overcome by the same command."""
        return self.code != 0 and bool(self.lines) and not self.traceback and self.resumed


def namespace() -> list[str] | None:
    """The words that give a program a mount namespace in which it may mount; None where that is not allowed."""
    words = ["unshare", "-m"] if os.getuid() == 0 else ["unshare", "-rm"]
    tried = [*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return words if subprocess.run(tried, capture_output=True, check=False).returncode == 0 else None
    except OSError:
        return None


def campaign(folder: Path, points: int, seed: int) -> list[Full]:
    """Full disks at `points` random moments, in a namespace of their own."""
    words = [*(namespace() or []), sys.executable, __file__, str(folder), "--points", str(points), "--seed", str(seed)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [Full(**{**row, "lines": tuple(row["lines"])}) for row in json.loads(done.stdout.splitlines()[-1])]


def fill(folder: Path, seed: int) -> Full:
    """One run on a small disk that becomes full at a random moment, counted in seconds from its first job."""
    delay = random.Random(seed).uniform(EARLIEST_S, LATEST_S)
    while True:
        found = _fill(folder / f"after-{delay:.3f}", delay)
        if found is not None:
            return found
        delay *= 0.7  # the run was done before


def _fill(folder: Path, delay: float) -> Full | None:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(folder)], check=True)
    agents = {"first": {}, "second": {"runner": "daemon", "needs": ["first"]}}
    phases = {name: {"gate": "none", "agents": agents} for name in ("plan", "build")}
    settings = {"sandbox": "off", "phases": phases, "runner": "plain", "runners": {"plain": [], "daemon": ["--daemon"]}}
    desk = lay_out(folder, settings)
    outside = folder.with_name(f"{folder.name}-outside")
    outside.mkdir()
    history = History(outside / "history.jsonl")
    desk.env |= {"FAULTS_HISTORY": str(history.path), "HOME": str(outside)}
    token = f"disk-{time.time_ns()}"
    code, said = _call(desk, outside / "full.log", f"{token}.1", folder / "filler", delay)
    if packages.is_delivered(desk.path) and code == 0:
        subprocess.run(["umount", "-l", str(folder)], check=True)
        return None
    (folder / "filler").unlink(missing_ok=True)
    again = start(desk, outside / "again.log", f"{token}.2").wait(timeout=120)
    found, _ = checker.check(history.read(), [])
    paid = sum(violation.kind == "paid twice" for violation in found)
    resumed = again == 0 and packages.is_delivered(desk.path)
    said += "" if resumed else (outside / "again.log").read_text()
    census.kill_all(token)
    subprocess.run(["umount", "-l", str(folder)], check=True)
    return Full(delay, code, tuple(verdicts.clear_lines(said, verdicts.FULL)), verdicts.has_traceback(said), resumed, paid, said)


def _call(desk: Desk, log: Path, token: str, filler: Path, delay: float) -> tuple[int, str]:
    call = start(desk, log, token)
    begin = None if delay >= 0 else time.monotonic() - EARLIEST_S
    while call.poll() is None:
        if begin is None and (desk.path / packages.RUN / "start.json").exists():
            begin = time.monotonic()
        if begin is not None and time.monotonic() - begin >= delay:
            _stuff(filler)
        time.sleep(0.004)
    return call.returncode, log.read_text(errors="replace")


def _stuff(filler: Path) -> None:
    """Take all the space that there is."""
    for size in (1 << 20, 1 << 16, 1 << 12):
        try:
            with filler.open("ab", buffering=0) as file:
                while file.write(bytes(size)) == size:
                    pass
        except OSError:
            continue


def main() -> None:
    """The command line: prints what came of each point as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--points", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with ThreadPoolExecutor(2) as pool:
        seeds = [options.seed * 1000 + point for point in range(options.points)]
        found = list(pool.map(lambda seed: fill(options.folder / f"point-{seed}", seed), seeds))
    print(json.dumps([asdict(one) for one in found]))


if __name__ == "__main__":
    main()
