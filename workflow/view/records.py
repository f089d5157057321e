"""The records of a run: everything that its views are made from, read once from the files that the jobs wrote.

Nothing is computed or kept here: `figures` computes, and pages, tables and metrics show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import RunError
from workflow.gate import feedback, history
from workflow.plan.phases import Phase, Plan
from workflow.proof import validation as validations
from workflow.proof.hygiene import record as hygienes
from workflow.view.state import PhaseState, RunState
from workflow.work import journal, outcomes

Json = Mapping[str, Any]


@dataclass(frozen=True)
class PhaseRecord:
    """One phase: its plan, where it stands, and its files; None stands for a file that is not there or damaged.

    `outcomes` has the agents that have published one, in plan order; `damaged` those whose outcome.json cannot be used.
    `unpublished` has, for agents with attempts that no outcome names, these attempts and their usage, as an outcome has them.
    `gate` is the record of its gate (`history`), `rounds` are those of feedback on it.
    """

    plan: Phase
    state: PhaseState
    outcomes: Mapping[str, Json]
    merge: Json | None
    validation: Json | None
    hygiene: Json | None
    gate: Json
    rounds: Sequence[Json]
    damaged: tuple[str, ...] = ()
    unpublished: Mapping[str, Json] = field(default_factory=dict)

    def tries(self, agent: str) -> list[Json]:
        """All attempts of an agent: those in its outcome, and those that no outcome names (put away, interrupted, at work)."""
        return [attempt for part in self._parts(agent) for attempt in part["attempts"]]

    def used(self, agent: str, amount: str) -> float | None:
        """What these attempts have used of an amount of `usage`; None where one of them did not say."""
        told = [part["usage"].get(amount) for part in self._parts(agent) if part["attempts"]]
        return None if None in told else sum(told)

    def estimated(self, agent: str) -> bool:
        """Whether some of the cost was computed from a price list."""
        return any(part["usage"].get("estimated") for part in self._parts(agent))

    def _parts(self, agent: str) -> list[Json]:
        return [part for part in (self.outcomes.get(agent), self.unpublished.get(agent)) if part]


@dataclass(frozen=True)
class RunRecord:
    """One run: run.json, where it stands, and its phases in plan order."""

    run: str
    run_dir: Path
    begun: Json
    state: RunState
    phases: Mapping[str, PhaseRecord]


def read(state: RunState, plan: Plan) -> RunRecord:
    """The records of a run whose state was just read."""
    phases = {name: _phase(state.run_dir, phase, state.phases[name]) for name, phase in plan.phases.items()}
    begun = files.read_json(state.run_dir / "run.json")
    if not isinstance(begun, dict) or not files.is_time(begun.get("started_at")):
        raise RunError(f"{state.run_dir / 'run.json'}: does not say when the run was started; restore it from a copy")
    return RunRecord(state.run, state.run_dir, begun, state, phases)


def _phase(run_dir: Path, phase: Phase, state: PhaseState) -> PhaseRecord:
    folder = run_dir / phase.name
    paths = {agent.name: folder / "agents" / agent.name / "outcome.json" for agent in phase.agents}
    read = {name: files.try_read_json(path) for name, path in paths.items()}
    found = {name: outcome for name, outcome in read.items() if outcomes.whole(outcome)}
    damaged = tuple(name for name in read if name not in found and paths[name].exists())
    gate, rounds = history.read(run_dir, phase.name), feedback.rounds(run_dir, phase.name)
    merge, hygiene = _object(folder / "merge.json"), dict(hygienes.scored(run_dir, [phase.name])).get(phase.name)
    left = {name: _unpublished(path.parent, found.get(name)) for name, path in paths.items()}
    rest = {name: part for name, part in left.items() if part}
    return PhaseRecord(phase, state, found, merge, _validation(run_dir, phase.name), hygiene, gate, rounds, damaged, rest)


def _unpublished(agent_dir: Path, outcome: Json | None) -> Json | None:
    named = {attempt["number"] for attempt in outcome["attempts"]} if outcome else set()
    rest = [attempt for attempt in journal.attempts(agent_dir) if attempt.number not in named]
    return {"attempts": [outcomes.summary(attempt) for attempt in rest], "usage": outcomes.usage_of(rest)} if rest else None


def _validation(run_dir: Path, phase: str) -> Json | None:
    try:
        return validations.read(run_dir, phase)
    except (RunError, KeyError, TypeError):
        return None


def _object(path: Path) -> Json | None:
    found = files.try_read_json(path)
    return found if isinstance(found, dict) else None
