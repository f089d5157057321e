"""Runs under fire: kills with a fixed seed, the same plain command again and again, and what came of it.

python tests/faults/campaign.py --kills 200 --seed 1     repeats the figures of the first goal
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import Desk  # noqa: E402

from faults import census, checker, packages, points, shots  # noqa: E402
from faults.census import Process  # noqa: E402
from faults.checker import Violation  # noqa: E402
from faults.desks import STILL, command, lay_out, start  # noqa: E402
from faults.history import Ear, History  # noqa: E402
from faults.shots import Hit, Range  # noqa: E402

LINGER_S, HANG_S = 2.0, 240.0
PHASES, AGENTS = ("plan", "build", "test", "ship"), ("first", "second", "third")
KINDS = {
    "plain": ["--seconds", "0.12"],
    "forker": ["--seconds", "0.06", "--child"],
    "daemon": ["--seconds", "0.2", "--daemon"],
    "deaf": ["--seconds", "0.3", "--daemon", "--child", "--deaf"],
}
RUNNERS = {"plan": ("plain", "daemon", "forker"), "build": ("daemon", "plain", "plain"), "test": ("forker", "deaf", "plain"),
           "ship": ("plain", "forker", "daemon")}  # fmt: skip


@dataclass
class Report:
    """What a campaign came to."""

    seed: int
    sandbox: str
    hits: list[Hit] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    indeterminate: list[float] = field(default_factory=list)
    runs: int = 0
    calls: int = 0
    lost_kills: int = 0
    unlocks: int = 0
    duration_s: float = 0.0

    def of(self, *kinds: str) -> list[Violation]:
        """The violations of some kinds."""
        return [found for found in self.violations if found.kind in kinds]

    @property
    def survived(self) -> int:
        """The kills whose run was delivered by the same plain command."""
        return len(self.hits) - self.lost_kills

    @property
    def proven(self) -> int:
        """The kills after which the journal held an exit and no result."""
        return sum(hit.proven for hit in self.hits)

    def histogram(self, of: Callable[[Hit], str]) -> dict[str, int]:
        """How many kills there were of each value."""
        found: dict[str, int] = {}
        for hit in self.hits:
            found[of(hit)] = found.get(of(hit), 0) + 1
        return found

    def add(self, other: Report) -> None:
        """Take in what another lane came to."""
        self.hits += other.hits
        self.violations += other.violations
        self.indeterminate += other.indeterminate
        for name in ("runs", "calls", "lost_kills", "unlocks"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def configuration(sandbox: str) -> dict[str, Any]:
    """Four phases of three agents that do a little real work; killed agents are worth another attempt."""
    phases = {
        phase: {
            "gate": "none",
            "agents": {
                "first": {"runner": RUNNERS[phase][0]},
                "second": {"runner": RUNNERS[phase][1]},
                "third": {"runner": RUNNERS[phase][2], "needs": ["first"]},
            },
            "artifacts": {"required": [f"{phase}/*.txt"]},
            "checks": [{"name": "whole", "command": ["grep", "-q", "line 99", f"{phase}/third.txt"]}],
        }
        for phase in PHASES
    }
    retry = {"retries": 20, "exit_codes": [137], "base_delay": 0.05, "factor": 1.0, "jitter": 0.0}
    return {"sandbox": sandbox, "retry": retry, "max_parallel_agents": 2, "phases": phases, "runners": KINDS}


class Lane:
    """One run after the other under fire, until enough kills were made."""

    def __init__(self, folder: Path, seed: int, kills: int, sandbox: str, reference: Mapping[str, str]) -> None:
        """`reference` holds the digests of a run that nobody disturbed."""
        self.folder, self.kills, self.sandbox, self.reference = folder, kills, sandbox, reference
        self.dice = random.Random(seed)
        self.report = Report(seed, sandbox)
        self.token = f"{folder.name}-{seed}-{time.time_ns()}"
        self.history = History(folder / "history.jsonl")
        self.watches: list[threading.Thread] = []
        self.ear: Ear | None = None

    def play(self) -> Report:
        """All kills; afterwards nothing of this lane is alive."""
        self.folder.mkdir(parents=True)
        if self.sandbox != "off":
            self.ear = Ear(self.token, self.history.path)
            self.ear.start()
        try:
            while len(self.report.hits) < self.kills and self.report.lost_kills == 0:
                self._deliver()
        finally:
            for watch in self.watches:
                watch.join()
            census.kill_all(self.token, [event.process for event in self.history.read() if event.kind in ("daemon", "child")])
            if self.ear:
                self.ear.close()
        self._check_history()
        return self.report

    # --- one run ---

    def _deliver(self) -> None:
        self.report.runs += 1
        desk = lay_out(self.folder / f"run-{self.report.runs:03d}", configuration(self.sandbox))
        desk.env |= {"FAULTS_HISTORY": f"@{self.token}" if self.ear else str(self.history.path)}
        first, wanted = len(self.report.hits), self.dice.randint(14, 22)
        in_vain = 0
        while True:
            before = len(self.report.hits)
            code, said = self._call(desk, min(self.kills, first + wanted))
            self.report.unlocks += "--unlock" in said
            if code == 0 and packages.is_delivered(desk.path):
                break
            in_vain = 0 if len(self.report.hits) > before else in_vain + 1
            if in_vain > 3:
                self._give_up(first, code, said)
                return
        self._check_run(desk)

    def _give_up(self, first: int, code: int, said: str) -> None:
        text = f"run {self.report.runs}: the plain command does not bring it to its end (exit code {code}): {said[-800:]}"
        self.report.violations.append(Violation("not survived", text))
        self.report.lost_kills += len(self.report.hits) - first

    def _call(self, desk: Desk, goal: int) -> tuple[int, str]:
        """One call of the plain command under fire; its exit code and what it said."""
        self.report.calls += 1
        token = f"{self.token}.{self.report.calls}"
        log = desk.path / f"call-{self.report.calls:04d}.log"
        call = start(desk, log, token)
        main = census.process(call.pid)
        deadline = time.monotonic() + HANG_S

        def over() -> bool:
            return call.poll() is not None or time.monotonic() > deadline

        while main and not over() and len(self.report.hits) < goal:
            shot = shots.plan(len(self.report.hits) + 1, self.dice)
            hit = shots.fire(shot, Range(token, desk.path, main, self.history, over))
            if hit:
                self.report.hits.append(hit)
                self._watch_attempts(hit)
        while not over():
            time.sleep(0.02)
        if call.poll() is None:
            self.report.violations.append(Violation("not survived", f"call {self.report.calls} of run {self.report.runs} hangs"))
            census.kill_all(token)
        call.wait()
        self._watch(lambda: census.carrying(token), f"call {self.report.calls} of run {self.report.runs}", LINGER_S)
        return call.returncode, log.read_text(errors="replace")

    # --- what must not be alive any more ---

    def _watch(self, left: Callable[[], list[Process]], what: str, after_s: float) -> None:
        def look() -> None:
            time.sleep(after_s)
            for process in left():
                text = f"{after_s:g} s after the end of {what}: {process}, {process.age_s:.1f} s old"
                self.report.violations.append(Violation("alive", text))
                process.kill()

        self.watches.append(threading.Thread(target=look))
        self.watches[-1].start()

    def _watch_attempts(self, hit: Hit) -> None:
        """What a killed supervisor had started must end, too; a killed agent's children have the supervisor's grace."""
        after = LINGER_S + (STILL.grace_s if hit.shot.target in shots.OF_AGENT else 0)
        for attempt in hit.attempts:
            self._watch(lambda attempt=attempt: self._of_attempt(attempt), f"{attempt} (kill {hit.shot.number}, {hit.shot.target})", after)

    def _of_attempt(self, attempt: str) -> list[Process]:
        events = [event for event in list(self.history.events) if event.attempt == attempt]
        return [event.process for event in events if event.process.alive]

    # --- what must hold ---

    def _check_run(self, desk: Desk) -> None:
        again = desk.shell(command(desk), check=None)
        self.report.calls += 1
        self.report.violations += packages.check(desk, self.reference, again)
        shutil.rmtree(desk.path / ".snakemake", ignore_errors=True)

    def _check_history(self) -> None:
        found, lags = checker.check(self.history.read(), self.report.hits)
        self.report.violations += found
        self.report.indeterminate += lags


def reference(folder: Path) -> dict[str, str]:
    """The digests of a run that nobody disturbs."""
    desk = lay_out(folder, configuration("off"))
    desk.env |= {"FAULTS_HISTORY": str(folder / "history.jsonl")}
    token = f"reference-{time.time_ns()}"
    call = start(desk, desk.path / "call.log", token)
    code = call.wait(timeout=180)
    assert code == 0, (desk.path / "call.log").read_text()
    return packages.digests(desk.path)


def run(folder: Path, kills: int, seed: int, lanes: int = 2, sandboxes: tuple[str, ...] = ("off",)) -> Report:
    """The campaign: `kills` kills over `lanes` lanes side by side, which go by the sandboxes in turn."""
    begin = time.monotonic()
    wanted = reference(folder / "undisturbed")
    shares = [kills // lanes + (lane < kills % lanes) for lane in range(lanes)]
    made = [
        Lane(folder / f"lane-{lane}", seed + lane, share, sandboxes[lane % len(sandboxes)], wanted) for lane, share in enumerate(shares)
    ]
    report = Report(seed, ", ".join(sandboxes))
    with ThreadPoolExecutor(lanes) as pool:
        for one in pool.map(Lane.play, made):
            report.add(one)
    report.duration_s = time.monotonic() - begin
    return report


def tell(report: Report) -> str:
    """Seeds, histograms and violations, for people."""
    size = f"{len(report.hits)} kills in {report.runs} runs and {report.calls} calls, {report.duration_s:.0f} s"
    by_point, by_target = report.histogram(lambda hit: hit.point), report.histogram(lambda hit: hit.shot.target)
    lines = [f"seed {report.seed}, sandbox {report.sandbox}: {size}", "where the kills landed:"]
    lines += [f"  {by_point.get(name, 0):4d}  {name}" for name in points.NAMES]
    lines.append(f"  between an agent's exit and its result, proven by the journal: {report.proven}")
    lines.append("who was hit: " + ", ".join(f"{name} {by_target.get(name, 0)}" for name in shots.TARGETS))
    if report.indeterminate:
        lags = ", ".join(f"{1000 * lag:.1f}" for lag in sorted(report.indeterminate))
        lines.append(f"ended so shortly before a kill that nothing could note it (ms), and run again: {lags}")
    return "\n".join([*lines, *(f"VIOLATION {found.kind}: {found.text}" for found in report.violations)])


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=2)
    parser.add_argument("--sandbox", default="off,off", help="of the lanes in turn: off, auto")
    parser.add_argument("--keep", type=Path, help="folder for the runs and histories; it is kept")
    options = parser.parse_args()
    folder = options.keep or Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        report = run(folder, options.kills, options.seed, options.lanes, tuple(options.sandbox.split(",")))
    finally:
        if not options.keep:
            shutil.rmtree(folder, ignore_errors=True)
    print(tell(report))
    return 1 if report.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
