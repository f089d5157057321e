"""The subject of a report: the records and figures of a run, gathered for the page phase by phase."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from workflow.gate import costs, requests, verdict
from workflow.plan.commandline import Command
from workflow.view import figures as measured
from workflow.view import overview
from workflow.view.figures import Figures
from workflow.view.records import PhaseRecord, RunRecord
from workflow.view.report import artifacts, badges, differences, endings, numbers, review
from workflow.view.report.artifacts import Shelf
from workflow.view.report.badges import Badge
from workflow.view.report.differences import Difference
from workflow.view.report.endings import Ending, Group
from workflow.view.report.room import Room, rooms
from workflow.view.report.texts import Guard, is_unknown
from workflow.work import outcomes

MANY, REASONS = 40, 3


@dataclass(frozen=True)
class Subject:
    """What a report is about. `verified` are the rows of `verify` by phase; `budgets` those that agents count against."""

    record: RunRecord
    description: str
    verified: Mapping[str, Mapping[str, Any]]
    budgets: Sequence[Mapping[str, Any]]
    command: Command
    guard: Guard

    def figures(self) -> Figures:
        """The figures as of the newest event on record, so that the page is the same until something happens."""
        return measured.compute(self.record, newest_event(self.record))


@dataclass
class PhaseView:
    """One phase as the page shows it."""

    number: int
    record: PhaseRecord
    figures: Mapping[str, Any]
    agents: Sequence[Mapping[str, Any]]
    diff: str
    diff_reviewed: str
    change: Difference | None = None
    since: Difference | None = None
    shelf: Shelf | None = None
    endings: Mapping[str, Ending] = field(default_factory=dict)
    checks: Sequence[Ending] = ()
    points: Sequence[review.Point] = ()
    orders: Sequence[review.Order] = ()
    answers: Mapping[str, Any] | None = None
    working: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Its name."""
        return self.record.plan.name

    @property
    def state(self) -> str:
        """The state of its gate."""
        return self.record.state.state

    @property
    def held(self) -> bool:
        """Whether a person has to do something about it."""
        return self.state in verdict.HOLDING

    @property
    def gate(self) -> Badge:
        """The badge of its gate."""
        return badges.of(self.state)

    @property
    def ribbon(self) -> Badge:
        """Its ribbon."""
        return badges.ribbon(self.record.state.ribbon, self.state)

    @property
    def result(self) -> Badge:
        """What its request says of it, in short."""
        return badges.result(self.record.state.ribbon)

    @property
    def why(self) -> str:
        """Why its gate stands as it does: the first reasons, and how many more there are."""
        reasons = self.record.state.reasons
        more = len(reasons) - REASONS
        return "; ".join([*reasons[:REASONS], *([f"and {numbers.plural(more, 'more reason')}"] if more > 0 else [])])

    def status(self, agent: str) -> str:
        """The status of an agent: of its outcome (unknown where that is damaged), else whether an attempt goes on."""
        if agent in self.working:
            return "at_work"
        outcome = self.record.outcomes.get(agent)
        if outcome:
            return str(outcome["status"])
        return "unknown" if agent in self.record.damaged else "no_result"

    @property
    def many(self) -> bool:
        """Whether its agents are too many to be listed unfolded."""
        return len(self.agents) > MANY

    @property
    def checklist(self) -> list[str]:
        """What a reviewer goes through, as its request has it."""
        return requests.CHECKLISTS.get(self.name, []) + requests.GENERAL

    @property
    def has_result(self) -> bool:
        """Whether its agents' work was merged, so that there is something to look at."""
        return any((self.record.merge, self.record.validation, self.record.hygiene, self.shelf))

    @property
    def groups(self) -> list[Group]:
        """What its agents have to tell besides their rows."""
        return endings.groups(list(self.endings.values()), MANY)

    @property
    def untold(self) -> int:
        """Agents whose logs found no room."""
        return sum(ending.no_room for ending in self.endings.values())


def newest_event(record: RunRecord) -> pd.Timestamp:
    """The moment of the last thing that is on record."""
    times = [record.begun["started_at"]]
    for phase in record.phases.values():
        times += [entry["at"] for entry in phase.gate["shown"]]
        times += [attempt["ended_at"] for outcome in phase.outcomes.values() for attempt in outcome["attempts"]]
        times += [entry["at"] for entry in phase.rounds]
        times += [phase.state.since] if phase.state.since else []
    stamps = pd.to_datetime(pd.Series([time for time in times if time]), utc=True, format="ISO8601", errors="coerce")
    return stamps.max()


def views(subject: Subject, figures: Figures) -> list[PhaseView]:
    """The phases as the page shows them, in plan order. Room on the page goes first to those that a person has to look at."""
    agents = {str(name): _plain(rows) for name, rows in figures.agents.groupby("phase", sort=False)}
    rows = _plain(figures.phases)
    found = []
    for number, (row, (name, phase)) in enumerate(zip(rows, subject.record.phases.items(), strict=True), 1):
        diff = subject.command.line("diff", config=(f"phase={name}",))
        reviewed = subject.command.line("diff", config=(f"phase={name}", "against=reviewed"))
        found.append(PhaseView(number, phase, row, _in_order(agents.get(name, [])), diff, reviewed))
    space = rooms(len(found))
    for view in sorted(found, key=lambda view: (not view.held, view.number)):
        for room in space.values():
            room.next_phase()
        _fill(view, subject, space)
    return found


def _in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Agents in plan order; of very many, those that did not succeed first."""
    return sorted(rows, key=lambda row: row["status"] == outcomes.SUCCEEDED) if len(rows) > MANY else rows


def _plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame; what is unknown in them is None."""
    return [{str(key): None if is_unknown(value) else value for key, value in row.items()} for row in frame.to_dict("records")]


def _fill(view: PhaseView, subject: Subject, space: Mapping[str, Room]) -> None:
    """Take what a phase shows from the files of the run."""
    run_dir, guard, phase = subject.record.run_dir, subject.guard, view.record
    view.endings = {item.name: item for item in endings.of_agents(run_dir, view.number, phase, guard, space["logs"])}
    view.checks = endings.of_checks(run_dir, view.number, (phase.validation or {}).get("checks", []), guard, space["logs"])
    view.working = {row["agent"]: row for row in overview.working(phase)}
    repo, merge = run_dir / "project.git", phase.merge
    if merge:
        view.change = differences.between(repo, merge["base"]["commit"], merge["commit"], guard, space["differences"])
    if merge and phase.rounds and view.held:
        view.since = differences.between(repo, phase.rounds[-1]["reviewed"]["commit"], merge["commit"], guard, space["differences"])
    if phase.state.manifest:
        view.shelf = artifacts.of_phase(run_dir, view.number, phase.state.manifest, guard, space)
    if view.held:
        view.points = review.points(phase, view.change or Difference([], 0, 0, 0), _places(view))
        view.orders, view.answers = review.orders(phase, run_dir, subject.command), review.answers(phase)


def _places(view: PhaseView) -> dict[str, str]:
    """The ids of what is on the page: `agent:NAME`, `check:NAME`, `change:PATH`, `file:PATH`."""
    found = {f"agent:{name}": item.id for name, item in view.endings.items() if item.told}
    found |= {f"check:{item.name}": item.id for item in view.checks}
    shown = [item for item in view.change.files if item.body] if view.change else []
    found |= {f"change:{item.path}": f"change-{view.number}-{place}" for place, item in enumerate(shown, 1)}
    return found | {f"file:{item.path}": item.id for item in (view.shelf.items if view.shelf else ())}


def budget_rows(subject: Subject) -> list[Mapping[str, Any]]:
    """How far each budget is used up."""
    first = next(iter(subject.record.phases), None)
    return list(costs.of_phase(subject.record.run_dir, first, subject.budgets)["budgets"]) if first and subject.budgets else []


def headline(record: RunRecord, described: Badge) -> str:
    """What the run's state means, and which phases hold it."""
    held = [phase.name for phase in record.state.held(*verdict.HOLDING)]
    words = badges.RUN_WORDS.get(record.state.state, described.words)
    return f"{words} {'Look at: ' + ', '.join(held) + '.' if held else ''}".strip()
