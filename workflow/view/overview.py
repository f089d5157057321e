"""`status`: where a run stands and why, phase by phase, from its files alone.

It reads each outcome once and does without pandas, so that it answers at once; `figures` computes the same from the same
records (a test holds them against each other).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from typing import Any

from workflow import files
from workflow.markup import plain
from workflow.plan.commandline import Command
from workflow.view import state, summary, tables
from workflow.view.intervals import covered
from workflow.view.records import PhaseRecord, RunRecord
from workflow.work import outcomes

COLUMNS = ("phase", "state", "agents", "validation", "duration", "cost", "trust", "by", "since", "digest")
REASONS = 12  # of a phase, so many are listed; JSON and REQUEST.md have them all
SPARE = ("digest", "since", "by", "validation", "trust", "cost")


def phase_figures(phase: PhaseRecord) -> dict[str, Any]:
    """What a phase's agents have done so far: counts by how they ended, seconds of work, and what is known of the cost."""
    names = [agent.name for agent in phase.plan.agents]
    found = [phase.outcomes.get(name) for name in names]
    ended = [outcome["status"] for outcome in found if outcome]
    succeeded, skipped = ended.count(outcomes.SUCCEEDED), ended.count("skipped")
    tries = {name: phase.tries(name) for name in names}
    costs = [phase.used(name, "cost_usd") for name in names if tries[name]]
    spans = [span for name in names for span in map(_span, tries[name])]
    known = covered(filter(None, spans))
    return {
        "agents": len(found),
        "succeeded": succeeded,
        "failed": len(ended) - succeeded - skipped,
        "skipped": skipped,
        "pending": len(found) - len(ended),
        "validation": (phase.validation or {}).get("status"),
        "work_s": None if None in spans else known,
        "work_s_known": known,
        "worked": len(costs),
        "cost_usd_known": round(sum(cost for cost in costs if cost is not None), 6),
        "cost_unknown": costs.count(None),
        "estimated": any(map(phase.estimated, names)),
    }


def _span(attempt: Mapping[str, Any]) -> tuple[Any, Any] | None:
    """From when to when an attempt went on; None where its end is not known."""
    if not attempt["started_at"] or not attempt["ended_at"]:
        return None
    return files.parse_time(attempt["started_at"]), files.parse_time(attempt["ended_at"])


def as_json(record: RunRecord, command: Command) -> dict[str, Any]:
    """What `status` says: status.json with the figures of each phase, and who works at this moment."""
    said = state.as_json(record.state, command)
    for name, phase in record.phases.items():
        said["phases"][name] |= {"figures": phase_figures(phase), "working": working(phase), "damaged": list(phase.damaged)}
    return said | {"delivered": summary.lines(record.state, command)[1:] if record.state.state == "delivered" else []}


def working(phase: PhaseRecord) -> list[dict[str, Any]]:
    """The agents whose newest attempt has begun and not ended, with the start: they work, or were interrupted."""
    newest = {agent.name: phase.tries(agent.name)[-1:] for agent in phase.plan.agents if agent.name not in phase.outcomes}
    return [
        {"agent": name, "attempt": attempt["number"], "since": attempt["started_at"]}
        for name, tries in newest.items()
        for attempt in tries
        if attempt["started_at"] and not attempt["ended_at"]
    ]


def show(said: Mapping[str, Any], form: str = "table") -> None:
    """Print `as_json` as a table with the reasons and the next command of each phase, or as JSON."""
    if form == "json":
        sys.stdout.write(files.pretty_json(said))
        return
    goal = tables.console()
    goal.print(tables.cell("run", f"{said['run']}: ") + tables.cell("state", said["state"]), soft_wrap=True, end="\n\n")
    tables.print_rows([_row(name, phase) for name, phase in said["phases"].items()], COLUMNS, "table", SPARE)
    goal.print()
    following: set[str] = set()
    for name, phase in said["phases"].items():
        for line in _lines(name, phase, following):
            goal.print(plain(line), soft_wrap=True)
    for line in said["delivered"]:
        goal.print(plain(line), soft_wrap=True)


def _row(name: str, phase: Mapping[str, Any]) -> dict[str, Any]:
    found = phase["figures"]
    done = f"{found['succeeded']} of {found['agents']}"
    extra = [f"{found[word]} {word}" for word in ("failed", "skipped") if found[word]]
    cost = (found["cost_usd_known"], found["cost_unknown"], found["worked"], found["estimated"])
    return {
        "phase": name,
        **{key: phase[key] for key in ("state", "trust", "digest")},
        "by": phase["by"] or None,
        "since": tables.minute(phase["since"]),
        "agents": ", ".join([done, *extra]),
        "validation": found["validation"],
        "duration": tables.seconds(found["work_s"], found["work_s_known"]) if found["worked"] else None,
        "cost": tables.dollars(*cost) if found["worked"] else None,
    }


def _lines(name: str, phase: Mapping[str, Any], following: set[str]) -> Iterator[str]:
    """Why a phase stands where it does, and what to read and to type; a command stands once."""
    yield from (f"{name}: {row['agent']} works since {row['since']} (attempt {row['attempt']})" for row in phase["working"])
    yield from (f"{name}: outcome.json of {agent} cannot be read, so what it did is unknown" for agent in phase["damaged"])
    said = phase["reasons"][1:] if phase["state"] == "open" else phase["reasons"]  # that it is open stands in the table
    yield from (f"{name}: {reason}" for reason in said[:REASONS])
    if len(said) > REASONS:
        yield f"{name}: ... and {len(said) - REASONS} more"
    if not phase["next"] or phase["state"] == "pending" or phase["next"] in following:
        return
    following.add(phase["next"])
    if phase["request"]:
        yield f"read for {name}: {phase['request']}"
    yield f"next for {name}: {phase['next']}"
