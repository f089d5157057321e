"""How agents and checks ended: each with what it said last, as far as there is room for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.view.records import PhaseRecord
from workflow.view.report.room import Room
from workflow.view.report.texts import Cut, Guard
from workflow.work import outcomes

LOG_END, SHORT_END = 4_000, 600
MOST_ERRORS = 20


@dataclass(frozen=True)
class Ending:
    """One agent or check: its record, and the end of its log; `path` is where all of it is."""

    id: str
    name: str
    record: Mapping[str, Any]
    log: Cut
    path: Path | None
    no_room: bool = False

    @property
    def status(self) -> str:
        """Its status."""
        return str(self.record["status"])

    @property
    def told(self) -> bool:
        """Whether there is more to say than its row in the table says."""
        return bool(self.log.text or self.record.get("errors") or len(self.record.get("attempts", ())) > 1)


@dataclass(frozen=True)
class Group:
    """Endings that fold together; without a title they stand open."""

    title: str
    endings: Sequence[Ending]


def groups(endings: Sequence[Ending], most: int = 40) -> list[Group]:
    """The endings that have something to tell: first those that did not succeed, few enough of both to look at."""
    told = [ending for ending in endings if ending.told]
    bad = [ending for ending in told if ending.status != outcomes.SUCCEEDED]
    good = [ending for ending in told if ending.status == outcomes.SUCCEEDED]
    if len(told) <= most:
        return [Group("", [*bad, *good])] if told else []
    found = [Group("", bad[:most]), Group("Further agents that did not succeed", bad[most:]), Group("Agents that succeeded", good)]
    return [group for group in found if group.endings]


def of_agents(run_dir: Path, number: int, phase: PhaseRecord, guard: Guard, room: Room) -> list[Ending]:
    """The agents of a phase that have an outcome, in plan order; logs of those that did not succeed have room first."""
    folder, found = run_dir / phase.plan.name / "agents", dict(phase.outcomes)
    places = {name: place for place, name in enumerate(found, 1)}
    ended: dict[str, Ending] = {}
    for name in sorted(found, key=lambda name: (found[name]["status"] == outcomes.SUCCEEDED, places[name])):
        log = folder / name / found[name]["log"] if found[name]["log"] else None
        limit = SHORT_END if found[name]["status"] == outcomes.SUCCEEDED and len(found) > 20 else LOG_END
        ended[name] = _ending(f"agent-{number}-{places[name]}", name, found[name], log, limit, guard, room)
    return [ended[name] for name in found]


def of_checks(run_dir: Path, number: int, rows: Sequence[Mapping[str, Any]], guard: Guard, room: Room) -> list[Ending]:
    """The checks of a phase, in their order; logs of those that did not pass have room first."""
    places = {row["name"]: place for place, row in enumerate(rows, 1)}
    ended = {}
    for row in sorted(rows, key=lambda row: row["status"] == "pass"):
        log = run_dir / row["log"] if row["log"] else None
        ended[row["name"]] = _ending(f"check-{number}-{places[row['name']]}", row["name"], row, log, LOG_END, guard, room)
    return [ended[row["name"]] for row in rows]


def _ending(name: str, title: str, record: Mapping[str, Any], log: Path | None, limit: int, guard: Guard, room: Room) -> Ending:
    cut = guard.tail(log, limit) if log else Cut("")
    if cut.text and not room.take(len(cut.text)):
        return Ending(name, title, record, Cut(""), log, no_room=True)
    return Ending(name, title, record, cut, log)
