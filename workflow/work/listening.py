"""Listening: what a coding agent says of itself while it works, kept in the journal, and held against the budgets.

attempts/001/usage.json    what it has used so far; kept up to date, so that a killed attempt counts, too
attempts/001/report.json   how it ended, as its own events say: {said, problem: {kind, message} or null, usage, over_budget}
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow import files
from workflow.work import spending
from workflow.work.journal import Attempt
from workflow.work.runners import Runner, events, prices
from workflow.work.spending import Limit, Spent

REPORT = "report.json"
KEPT_EVERY_S = 0.5
OTHERS_EVERY_S = 1.0


class Ear:
    """Reads one program's output as it comes, and says when a budget is used up."""

    def __init__(self, attempt: Attempt, runner: Runner, home: Path, limits: Sequence[Limit], run_dir: Path) -> None:
        """Nothing has been said yet."""
        self.reader = events.reader(runner.usage)
        self.over_budget = ""
        self._attempt, self._runner, self._home = attempt, runner, home
        self._lines = {"out": events.Lines(), "err": events.Lines()}
        self._limits, self._run_dir, self._began = limits, run_dir, time.monotonic()
        self._place = (attempt.folder.parts[-5], attempt.folder.parts[-3], attempt.folder.name)
        self._prices_wanted = any("usd" in limit.most for limit in limits)
        self._others: list[Spent] = []
        self._kept: dict[str, Any] = {}
        self._looked_at = self._kept_at = 0.0

    def hear(self, stream: str, data: bytes) -> None:
        """Take output as it comes; new model calls count at once."""
        before = self.reader.usage.model_calls
        for line in self._lines[stream].push(data):
            self.reader.feed("out" if stream == "out" else "err", line)
        if self.reader.usage.model_calls != before:
            self._keep()

    def enough(self) -> bool:
        """Whether a budget is used up, by this program and all others of the run together."""
        self.reader.poll(self._home)
        if time.monotonic() - self._kept_at >= KEPT_EVERY_S:
            self._keep()
        if self._limits and not self.over_budget:
            self.over_budget = spending.reached(self._limits, [*self._look_at_others(), self._spent()])
        return bool(self.over_budget)

    def _look_at_others(self) -> list[Spent]:
        now = time.monotonic()
        if now - self._looked_at >= OTHERS_EVERY_S:
            self._others = [item for item in spending.all_of(self._run_dir) if (item.phase, item.agent, item.attempt) != self._place]
            self._looked_at = now
        return self._others

    def _usage(self, priced: bool) -> events.Usage:
        return prices.with_cost(self.reader.usage, self._runner.model) if priced else self.reader.usage

    def _spent(self) -> Spent:
        usage = dataclasses.asdict(self._usage(self._prices_wanted))
        return Spent(*self._place, spending.amounts(usage, time.monotonic() - self._began), usage)

    def _keep(self, priced: bool = False) -> None:
        usage = dataclasses.asdict(self._usage(priced or self._prices_wanted))
        files.write_json(self._attempt.folder / spending.USAGE, usage | {"wall_s": round(time.monotonic() - self._began, 3)})
        self._kept_at = time.monotonic()

    def end(self, exit_code: int) -> None:
        """Keep what the events say now that the program has ended."""
        for stream, lines in self._lines.items():
            for line in lines.close():
                self.reader.feed("out" if stream == "out" else "err", line)
        said = self.reader.end(exit_code, self._home)
        self._keep(priced=True)
        files.write_json(self._attempt.folder / REPORT, _record(said, self._usage(True), self.over_budget))


def _record(said: events.Report, usage: events.Usage, over_budget: str) -> dict[str, Any]:
    problem = dataclasses.asdict(said.problem) if said.problem else None
    return {"said": said.said, "problem": problem, "usage": dataclasses.asdict(usage), "over_budget": over_budget}


def report(attempt: Attempt, runner: Runner) -> dict[str, Any]:
    """How an attempt ended, as its events say. Where the supervisor was killed before it could keep that, it is read from the log."""
    kept = files.try_read_json(attempt.folder / REPORT)
    if isinstance(kept, dict):
        return kept
    reader = events.reader(runner.usage)
    lines = events.Lines()
    with attempt.log.open("rb") as log:
        for chunk in iter(lambda: log.read(1 << 16), b""):
            _feed(reader, lines.push(chunk))
    _feed(reader, lines.close())
    said = reader.end((attempt.exit or {}).get("exit_code") or 0, attempt.work / "home")
    made = _record(said, prices.with_cost(reader.usage, runner.model), "")
    files.write_json(attempt.folder / REPORT, made)
    files.write_json(attempt.folder / spending.USAGE, made["usage"] | {"wall_s": (attempt.exit or {}).get("duration_s")})
    return made


def _feed(reader: events.Reader, lines: Any) -> None:
    for line in lines:
        reader.feed("out", line)
