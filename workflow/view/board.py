"""The board: what stands at the foot of the terminal while a run goes on, drawn from the run's files.

One line for the run (jobs done, time, cost so far), one for each phase that is being worked on, one for each agent at work.
It looks at the files of an agent again only while its job runs, and once when that has ended.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workflow import files
from workflow.markup import plain
from workflow.plan.phases import Agent, Phase, Plan
from workflow.view import tables
from workflow.work import journal, outcomes, spending
from workflow.work.journal import Attempt

SPARE_LINES = 7  # of the terminal's height that stay free for what was said before
STEPS = {
    "start_phase": "begins", "merge_phase": "is merged", "validate_phase": "is checked", "score_hygiene": "is scored",
    "request_review": "is packed for review",
}  # fmt: skip
UNKNOWN = "unknown"
ROUNDED_S = 0.001  # how exact times on record are


@dataclass(frozen=True)
class Seen:
    """What there was of an agent when its files were last looked at: its outcome, its attempts, and what each of them used."""

    outcome: dict[str, Any] | None
    tries: Sequence[Attempt]
    usage: Sequence[dict[str, Any]]

    @property
    def begun(self) -> dict[str, Any]:
        """What the newest attempt noted at its start, while it has not ended; else empty."""
        return self.tries[-1].begin if self.tries and self.tries[-1].exit is None else {}

    def began_after(self, moment: float) -> bool:
        """Whether an attempt began after a moment (seconds since the epoch): an agent's job begins before there is a slot for it."""
        started = self.tries[-1].begin.get("started_at") if self.tries else None
        return started is not None and files.parse_time(started).timestamp() > moment - ROUNDED_S

    @property
    def paused(self) -> bool:
        """Whether an attempt has ended and another one is to follow."""
        return bool(self.tries) and not self.tries[-1].concluded and bool((self.tries[-1].result or {}).get("retryable"))


@dataclass
class Board:
    """What is known of a run while it goes on. `done` and `total` are jobs; `jobs` those that run now, id to (rule, phase).

    One thread tells it of jobs, another one draws it.
    """

    run_dir: Path
    plan: Plan
    begun: float = field(default_factory=time.monotonic)
    done: int = 0
    total: int = 0
    jobs: dict[int, tuple[str, str]] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)  # when the job of a rule did
    _seen: dict[str, Seen] = field(default_factory=dict)
    _stale: set[str] = field(default_factory=set)  # rules whose agents have to be looked at once more
    _kept: dict[Path, tuple[int, dict[str, Any] | None]] = field(default_factory=dict)

    def begins(self, job: int, rule: str, phase: str) -> None:
        """The job runs."""
        self._began[rule] = time.time()
        self.jobs[job] = rule, phase

    def ends(self, job: int) -> None:
        """The job does not run any more."""
        rule, _ = self.jobs.pop(job, ("", ""))
        self._stale.add(rule)  # after the pop, so that the last look is at what the job has left

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, as many as the terminal has room for; where a damaged file stands in the way, what is wrong."""
        try:
            yield from list(self._drawn(console, options))
        except Exception as error:  # a file may be damaged in any way, and what was said has to be shown all the same
            said = plain(f"what goes on cannot be shown: {type(error).__name__}: {error}; the run goes on")
            yield Text(said, style="red", overflow="ellipsis", no_wrap=True)

    def _drawn(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        jobs, room = list(self.jobs.values()), max(1, console.height - SPARE_LINES)
        self._look({rule for rule, _ in jobs})
        lines = list(self._lines(jobs))
        hidden = len(lines) - room
        shown = lines if hidden <= 0 else [*lines[: room - 1], Text(f"  ... and {hidden + 1} lines more", style="dim")]
        yield ""
        yield self._head(options.max_width)
        for line in shown:
            line.truncate(options.max_width, overflow="ellipsis")
            yield line

    def _look(self, running: Collection[str]) -> None:
        """Look at the agents whose jobs run or have ended since, and at those that nobody has looked at yet."""
        for agent in self.plan.agents():
            rule = agent.rule
            if rule in running or rule in self._stale or rule not in self._seen:
                self._stale.discard(rule)
                self._seen.pop(rule, None)  # what cannot be looked at now is looked at next time
                folder = self.run_dir / agent.phase / "agents" / agent.name
                tries = journal.attempts(folder)
                used = [self._read(attempt.folder / spending.USAGE) or {} for attempt in tries]
                self._seen[rule] = Seen(self._outcome(folder / "outcome.json"), tries, used)

    def _head(self, width: int) -> Table:
        head = Table.grid(padding=(0, 1))
        bar = ProgressBar(
            total=max(1, self.total), completed=self.done, width=max(6, min(30, width - 50)), complete_style="cyan", finished_style="green"
        )
        words = [Text(f"{self.done} of {self.total} jobs"), Text(tables.seconds(time.monotonic() - self.begun)), Text(self._cost())]
        parts: list[Text | ProgressBar] = [Text(self.run_dir.name, style="bold"), bar, *words]
        while len(parts) > 2 and sum(len(part.plain) if isinstance(part, Text) else bar.width or 0 for part in parts) + len(parts) > width:
            parts.pop()
        head.add_row(*parts)
        return head

    def _cost(self) -> str:
        found = [usage for seen in self._seen.values() for usage in seen.usage]
        known = [usage["cost_usd"] for usage in found if usage.get("cost_usd") is not None]
        estimated = any(usage.get("estimated") for usage in found)
        return tables.dollars(sum(known), len(found) - len(known), len(found), estimated) if known else "cost unknown"

    def _lines(self, jobs: Sequence[tuple[str, str]]) -> Iterator[Text]:
        running = {rule for rule, _ in jobs}
        for phase in self.plan.phases.values():
            if not any(name == phase.name for _, name in jobs):
                continue
            steps = [STEPS[rule] for rule, name in jobs if name == phase.name and rule in STEPS]
            found = [(agent, self._seen[agent.rule]) for agent in phase.agents]
            busy = [(agent, seen) for agent, seen in found if agent.rule in running and not seen.outcome]
            ended = [seen.outcome["status"] for _, seen in found if seen.outcome]
            working = [(agent, seen) for agent, seen in busy if seen.began_after(self._began[agent.rule])]
            paused = sum(seen.paused for _, seen in working)
            yield self._phase_line(phase, ended, len(working) - paused, paused, steps)
            yield from (self._agent_line(agent, begun) for agent, seen in working if (begun := seen.begun))

    @staticmethod
    def _phase_line(phase: Phase, ended: list[str], working: int, paused: int, steps: list[str]) -> Text:
        done, skipped, unknown = (ended.count(status) for status in (outcomes.SUCCEEDED, "skipped", UNKNOWN))
        failed, waiting = len(ended) - done - skipped - unknown, len(phase.agents) - len(ended) - working - paused
        counts = {
            "failed": failed,
            "skipped": skipped,
            "unknown": unknown,
            "at work": working,
            "backing off": paused,
            "waiting": waiting,
        }
        words = [f"{done} of {len(phase.agents)} done", *(f"{count} {word}" for word, count in counts.items() if count)]
        line = Text(f"  {phase.name}: ", style="bold") + Text(", ".join(words), style="red" if failed else "")
        return line + Text(f"; {' and '.join(steps)}" if steps else "", style="cyan")

    @staticmethod
    def _agent_line(agent: Agent, begun: dict[str, Any]) -> Text:
        since = files.parse_time(begun["started_at"]).timestamp()
        about = f" ({begun.get('runner', '')}{', attempt ' + str(begun['number']) if begun['number'] > 1 else ''})"
        return (
            Text(f"    {agent.name}", style="cyan") + Text(f" {tables.seconds(max(0.0, time.time() - since))}") + Text(about, style="dim")
        )

    def _outcome(self, path: Path) -> dict[str, Any] | None:
        """An outcome; of a damaged one no more than that it is unknown; None where there is none."""
        found = self._read(path)
        if found is not None and outcomes.whole(found):
            return found
        return {"status": UNKNOWN} if path.exists() else None

    def _read(self, path: Path) -> dict[str, Any] | None:
        """The object in a JSON file, read again where its time has changed; None where there is none."""
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        if self._kept.get(path, (0, None))[0] != changed:
            found = files.try_read_json(path)
            self._kept[path] = changed, found if isinstance(found, dict) else None
        return self._kept[path][1]
