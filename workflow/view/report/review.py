"""The review of a phase whose gate holds the run: what changed, what to look at first, what to type.

What to look at first is found in the records of the phase, in the order in which it matters; nothing of it is an opinion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.gate import feedback, verdict
from workflow.gate.approvals import blockers, how_to_waive
from workflow.gate.requests import KEY
from workflow.plan.commandline import Command
from workflow.view.records import PhaseRecord
from workflow.view.report import badges, differences, numbers
from workflow.view.report.differences import Difference
from workflow.view.state import next_command
from workflow.work import naming

MOST, MOST_BLOCKERS = 5, 20


@dataclass(frozen=True)
class Point:
    """One thing to look at: its tone, what kind of thing it is, what it is, and where on the page (an id, or empty)."""

    tone: str
    kind: str
    text: str
    more: str = ""
    place: str = ""

    @property
    def sign(self) -> str:
        """What stands beside its colour."""
        return badges.SIGNS[self.tone]


@dataclass(frozen=True)
class Order:
    """One command to copy, and what it is for."""

    wish: str
    command: str


def points(phase: PhaseRecord, change: Difference, places: Mapping[str, str]) -> list[Point]:
    """What to look at first. `places` are the ids of agents, checks and files on the page, as `agent:NAME` and so on."""
    if phase.state.manifest is None:
        return [Point(badges.BAD, "damaged", "manifest.json of this phase cannot be read")]
    found = [*_blockers(phase, places), *_waivers(phase), *_unknowns(phase), *_hygiene(phase), *_unusual(phase, places)]
    return [*found, *_files(phase, change, places), *_repeated(phase, places), *_unprotected(phase, places)]


def _blockers(phase: PhaseRecord, places: Mapping[str, str]) -> Iterator[Point]:
    wrong = blockers((phase.state.manifest or {})["subject"])
    for item in wrong[:MOST_BLOCKERS]:
        yield Point(badges.BAD, "keeps the gate closed", item.text, item.id, places.get(item.id, ""))
    if len(wrong) > MOST_BLOCKERS:
        yield Point(badges.BAD, "keeps the gate closed", f"{len(wrong) - MOST_BLOCKERS:,} more", "all of them are in REQUEST.md")


def _waivers(phase: PhaseRecord) -> Iterator[Point]:
    for row in (phase.state.manifest or {}).get("waivers", []):
        yield Point(badges.WARN, f"waived in {row['phase']}", row["item"], f"by {row['by'] or 'unknown'}: {row['reason']}")
    for item, reason in phase.state.waived:
        yield Point(badges.WARN, "waived here", item, reason)


def _unknowns(phase: PhaseRecord) -> Iterator[Point]:
    if phase.hygiene is None:
        yield Point(badges.IDLE, "not measured", "cleanliness of the files", "there is no hygiene.json")
    elif phase.hygiene.get("score") is None:
        tools = ", ".join(map(str, phase.hygiene.get("unknown") or ())) or "a scanner"
        yield Point(badges.IDLE, "not measured", "cleanliness of the files", f"{tools} is missing or failed")
    silent = [name for name, outcome in phase.outcomes.items() if outcome["attempts"] and outcome["usage"].get("cost_usd") is None]
    if silent:
        yield Point(badges.IDLE, "not measured", f"cost of {_some(silent)}", "their tools told none")
    cut = (phase.validation or {}).get("scan", {}).get("cut") or []
    if cut:
        yield Point(badges.WARN, "searched in part", _some(cut), "only the beginning was searched for secrets")


def _hygiene(phase: PhaseRecord) -> Iterator[Point]:
    rows = [row for row in (phase.hygiene or {}).get("findings", []) if isinstance(row, dict)]
    for row in rows[:MOST]:
        place = str(row.get("path", "unknown")) + (f":{row['line']}" if row.get("line") else "")
        yield Point(badges.WARN, "untidy", place, str(row.get("reason", "")))
    if len(rows) > MOST:
        yield Point(badges.WARN, "untidy", f"{len(rows) - MOST} more findings", "", f"hygiene-{phase.plan.name}")


def _unusual(phase: PhaseRecord, places: Mapping[str, str]) -> Iterator[Point]:
    rows = [*(phase.merge or {}).get("findings", [])]
    rows += [row for outcome in phase.outcomes.values() for row in outcome.get("findings", [])]
    for path, reason in sorted({(row["path"], row["reason"]) for row in rows})[:MOST]:
        yield Point(badges.WARN, "odd name", naming.escaped(path), reason, places.get(f"file:{path}", ""))


def _files(phase: PhaseRecord, change: Difference, places: Mapping[str, str]) -> Iterator[Point]:
    """The biggest changes, what is new at the top of the project, and what is gone."""
    for item in differences.largest(change, MOST):
        text = f"+{item.added:,} −{item.deleted:,} lines"
        yield Point(badges.BUSY, "big change", item.path, text, places.get(f"change:{item.path}", places.get(f"file:{item.path}", "")))
    rows = (phase.merge or {}).get("changes", [])
    new = [row["path"] for row in rows if row["change"] == "added" and "/" not in row["path"]]
    if new:
        yield Point(badges.BUSY, "new at the top", _some(new))
    gone = [row["path"] for row in rows if row["change"] == "deleted"]
    if gone:
        yield Point(badges.WARN, "deleted", _some(gone))


def _repeated(phase: PhaseRecord, places: Mapping[str, str]) -> Iterator[Point]:
    names = [name for name, outcome in phase.outcomes.items() if len(outcome["attempts"]) > 1]
    for name in names[:MOST]:
        tries = len(phase.outcomes[name]["attempts"])
        yield Point(badges.WARN, "worked again", f"agent {name}", numbers.plural(tries, "attempt"), places.get(f"agent:{name}", ""))
    if len(names) > MOST:
        yield Point(badges.WARN, "worked again", f"{len(names) - MOST} more agents")


def _unprotected(phase: PhaseRecord, places: Mapping[str, str]) -> Iterator[Point]:
    names = [name for name, outcome in phase.outcomes.items() if outcome.get("sandbox") == "none"]
    if names:
        yield Point(badges.WARN, "no sandbox", f"agents that ran unprotected: {_some(names)}", "", places.get(f"agent:{names[0]}", ""))


def _some(names: Sequence[str]) -> str:
    """The first names of a list, and how many more there are."""
    shown = ", ".join(str(name) for name in names[:MOST])
    return f"{shown} and {len(names) - MOST:,} more" if len(names) > MOST else shown


def orders(phase: PhaseRecord, run_dir: Path, command: Command) -> list[Order]:
    """The commands for a gate that holds, the likeliest first."""
    name, state = phase.plan.name, phase.state
    this = f"phase={name}"
    if state.manifest is None:
        return [Order("make the request anew", next_command(state, run_dir, command))]
    wrong = blockers(state.manifest["subject"])
    failed = [agent for agent in state.manifest["subject"]["agents"] if agent["status"] not in ("succeeded", "skipped")]
    made, key = [], (KEY,) if state.to_sign else ()
    if state.state in (verdict.WAITING, verdict.STALE):
        made.append(Order("approve what is shown here, and go on", next_command(state, run_dir, command)))
        if not state.to_sign:
            named = f"{command.line('approve', config=(this,))} && {command.go_on()}"
            made.append(Order("approve with your name (trust: recorded)", named))
    elif state.state == verdict.CHANGES:
        made.append(Order("go on", next_command(state, run_dir, command)))
    if failed:
        made.append(Order("run what failed again", command.line("retry", config=(this,))))
    made.append(Order("ask for changes", command.line("request_changes", config=(this, "note=what should change", *key))))
    if state.state == verdict.BLOCKED and 0 < len(wrong) <= MOST_BLOCKERS:
        waive = how_to_waive(item.id for item in wrong)
        made.append(
            Order(
                "approve in spite of what is wrong, with a reason for each", command.line("approve", config=(this, f"waive={waive}", *key))
            )
        )
    made.append(Order("see the whole change", command.line("diff", config=(this,))))
    if phase.rounds:
        made.append(Order("see what changed since the last review", command.line("diff", config=(this, "against=reviewed"))))
    return made


def answers(phase: PhaseRecord) -> Mapping[str, Any] | None:
    """The newest round of feedback with what the agents answered to each item; None where nobody asked for changes."""
    if not phase.rounds:
        return None
    last = phase.rounds[-1]
    items = [{**item, "said": list(_said(phase, last, item["id"]))} for item in last["items"]]
    unchanged = feedback.UNCHANGED in "; ".join(phase.state.reasons)
    return {**last, "items": items, "unchanged": unchanged}


def _said(phase: PhaseRecord, last: Mapping[str, Any], item: str) -> Iterator[str]:
    for name in last["agents"]:
        for entry in phase.outcomes.get(name, {}).get("feedback", []) if last["answered"] else ():
            if entry["id"] == item:
                yield f"{name}: {entry['status']}. {entry['why']}"
