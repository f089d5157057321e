"""The board: what stands at the foot of the terminal while a run goes on, drawn from the run's files.

One line for the run (jobs done, time, cost so far), one for each phase that is being worked on, one for each agent at work.
It looks at files again only where their times have changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from workflow import files
from workflow.plan.phases import Agent, Phase, Plan
from workflow.view import tables
from workflow.work import journal, outcomes, spending

SPARE_LINES = 7  # of the terminal's height that stay free for what was said before
STEPS = {
    "start_phase": "begins", "merge_phase": "is merged", "validate_phase": "is checked", "score_hygiene": "is scored",
    "request_review": "is packed for review",
}  # fmt: skip


@dataclass
class Board:
    """What is known of a run while it goes on. `done` and `total` are jobs; `jobs` those that run now, id to (rule, phase)."""

    run_dir: Path
    plan: Plan
    begun: float = field(default_factory=time.monotonic)
    done: int = 0
    total: int = 0
    jobs: dict[int, tuple[str, str]] = field(default_factory=dict)
    _kept: dict[Path, tuple[int, Any]] = field(default_factory=dict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines, as many as the terminal has room for."""
        room = max(1, console.height - SPARE_LINES)
        lines = list(self._lines(options.max_width))
        hidden = len(lines) - room
        shown = lines if hidden <= 0 else [*lines[: room - 1], Text(f"  ... and {hidden + 1} lines more", style="dim")]
        yield ""
        yield self._head(options.max_width)
        for line in shown:
            line.truncate(options.max_width, overflow="ellipsis")
            yield line

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
        found = [self._read(path / spending.USAGE) or {} for path in self._tries()]
        known = [usage["cost_usd"] for usage in found if usage.get("cost_usd") is not None]
        return tables.dollars(sum(known), len(found) - len(known), len(found)) if known else "cost unknown"

    def _tries(self) -> Iterator[Path]:
        for agent in self.plan.agents():
            yield from (attempt.folder for attempt in journal.attempts(self.run_dir / agent.phase / "agents" / agent.name))

    def _lines(self, width: int) -> Iterator[Text]:
        for phase in self.plan.phases.values():
            steps = [STEPS[rule] for rule, name in self.jobs.values() if name == phase.name and rule in STEPS]
            found = {agent.name: self._outcome(agent) for agent in phase.agents}
            at_work = [(agent, begun) for agent in phase.agents if not found[agent.name] and (begun := self._begun(agent))]
            if steps or at_work or any(name == phase.name for _, name in self.jobs.values()):
                yield self._phase_line(phase, found, self._running(phase, found), self._paused(phase, found), steps)
                yield from (self._agent_line(agent, begun) for agent, begun in at_work)

    @staticmethod
    def _phase_line(phase: Phase, found: dict[str, Any], running: int, paused: int, steps: list[str]) -> Text:
        ended = [outcome["status"] for outcome in found.values() if outcome]
        done, skipped = ended.count(outcomes.SUCCEEDED), ended.count("skipped")
        failed, waiting = len(ended) - done - skipped, len(found) - len(ended) - running
        counts = {"failed": failed, "skipped": skipped, "at work": running - paused, "backing off": paused, "waiting": waiting}
        words = [f"{done} of {len(found)} done", *(f"{count} {word}" for word, count in counts.items() if count)]
        line = Text(f"  {phase.name}: ", style="bold") + Text(", ".join(words), style="red" if failed else "")
        return line + Text(f"; {' and '.join(steps)}" if steps else "", style="cyan")

    @staticmethod
    def _agent_line(agent: Agent, begun: dict[str, Any]) -> Text:
        since = files.parse_time(begun["started_at"]).timestamp()
        about = f" ({begun.get('runner', '')}{', attempt ' + str(begun['number']) if begun['number'] > 1 else ''})"
        return (
            Text(f"    {agent.name}", style="cyan") + Text(f" {tables.seconds(max(0.0, time.time() - since))}") + Text(about, style="dim")
        )

    def _outcome(self, agent: Agent) -> Any:
        return self._read(self.run_dir / agent.phase / "agents" / agent.name / "outcome.json")

    def _begun(self, agent: Agent) -> Any:
        """What the newest attempt noted at its start, while it has not ended."""
        if agent.rule not in {rule for rule, _ in self.jobs.values()}:
            return None
        tries = journal.attempts(self.run_dir / agent.phase / "agents" / agent.name)
        return tries[-1].begin if tries and tries[-1].exit is None else None

    def _running(self, phase: Phase, found: dict[str, Any]) -> int:
        """How many agents without an outcome have a job that runs."""
        rules = {rule for rule, _ in self.jobs.values()}
        return sum(agent.rule in rules for agent in phase.agents if not found[agent.name])

    def _paused(self, phase: Phase, found: dict[str, Any]) -> int:
        """How many of them have ended an attempt and wait before their next one."""
        rules = {rule for rule, _ in self.jobs.values()}
        left = [agent for agent in phase.agents if not found[agent.name] and agent.rule in rules]
        tries = [journal.attempts(self.run_dir / phase.name / "agents" / agent.name) for agent in left]
        return sum(bool(made) and not made[-1].concluded and (made[-1].result or {}).get("retryable", False) for made in tries)

    def _read(self, path: Path) -> Any:
        """The JSON in a file, read again where its time has changed."""
        try:
            changed = path.stat().st_mtime_ns
        except OSError:
            return None
        if self._kept.get(path, (0, None))[0] != changed:
            self._kept[path] = changed, files.try_read_json(path)
        return self._kept[path][1]
