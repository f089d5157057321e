"""A simple model of a run of two phases: what is shown, what people decided, and which gates that opens.

It knows contents as values and time as a count of events; of files, digests and Snakemake it knows nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

PHASES = ("plan", "build")
Round = tuple[int, bool]  # its number, and whether agents understand it


class Shown(NamedTuple):
    """What a request shows; an approval is of one such value."""

    tree: Any  # (what the phase builds on, what its agent made unless it failed, what people added)
    work: tuple[int, tuple[int, ...]]  # the agent's version, and which feedback it has built in
    failed: bool
    round: Round | None
    above: Any  # the Shown that it builds on


@dataclass
class Gate:
    """What the model knows of one phase."""

    shown: Shown | None = None
    shown_at: int = 0
    marker: tuple[str, Any] | None = None  # ("bare", when it was touched) or ("named", the Shown that was approved)
    opening: Any = None  # (Shown, when its bare marker was touched), noted when a run saw the gate open
    version: int = 0
    attempts: int = 0
    results: dict[Any, bool] = field(default_factory=dict)  # what the agent was told -> whether its newest attempt failed
    outcome: bool | None = None  # whether the published outcome is a failure; None where there is none
    again: bool = False  # whether the agent has to work again, because somebody said so
    wanted: Round | None = None  # the feedback that lies there
    round: Round | None = None  # the newest feedback that was taken up
    answered: bool = False
    unchanged: bool = False
    base: tuple[int, ...] = ()  # what was built in already in the version that was reviewed
    reviewed: Any = None  # the tree of that version
    before: tuple[Any, ...] = (None, False, (), None)  # what a withdrawn round falls back to
    adopted: tuple[int, ...] = ()

    @property
    def added(self) -> tuple[int, ...]:
        """Which feedback is built in once the agent has worked."""
        return (*self.base, self.round[0]) if self.round and self.round[1] else self.base

    @property
    def held(self) -> bool:
        """Whether feedback keeps the gate closed."""
        return self.wanted is not None and (self.unchanged or not self.answered or self.round != self.wanted)


@dataclass
class Model:
    """The run."""

    gates: dict[str, Gate] = field(default_factory=lambda: {name: Gate() for name in PHASES})
    failing: bool = False  # whether agents that work now will fail
    clock: int = 0
    put_away: Gate | None = None

    def tick(self) -> int:
        """The next moment."""
        self.clock += 1
        return self.clock

    def state(self, name: str) -> str:
        """What the verdict of a shown phase should be."""
        gate = self.gates[name]
        assert gate.shown is not None
        if not self.chained(name):
            return "stale"
        if gate.held:
            return "changes_requested"
        approved = gate.marker == ("named", gate.shown)
        if gate.shown.failed:
            return "open" if approved else "blocked"  # approving a failure means waiving it
        if gate.marker is None:
            return "waiting"
        kind, when = gate.marker
        touched = kind == "bare" and (when > gate.shown_at or gate.opening == (gate.shown, when))
        return "open" if approved or touched else "stale"

    def chained(self, name: str) -> bool:
        """Whether what is shown builds on what is shown above."""
        shown = self.gates[name].shown
        return shown is not None and (name == "plan" or shown.above == self.gates["plan"].shown)

    def is_open(self, name: str) -> bool:
        """Whether what comes after may run."""
        return self.gates[name].shown is not None and self.state(name) == "open"

    def reached(self, name: str) -> bool:
        """Whether every gate before a phase is open."""
        return all(self.is_open(other) for other in PHASES[: PHASES.index(name)])

    def approvable(self, name: str) -> bool:
        """Whether somebody can approve what is shown (and waive what failed)."""
        return self.chained(name) and not self.gates[name].held

    def exit_code(self) -> int:
        """How a run ends: 1 while a phase that is reached is blocked, or was asked for changes in vain."""
        stops = ("blocked", "changes_requested")
        return int(any(self.reached(name) and self.gates[name].shown and self.state(name) in stops for name in PHASES))

    def idle(self) -> bool:
        """Whether a run would change nothing."""
        other = copy.deepcopy(self)
        other.run()
        return all(
            other.gates[name].shown == self.gates[name].shown and other.gates[name].outcome is not None for name in self._work_list()
        )

    def _work_list(self) -> Iterable[str]:
        return (name for name in PHASES if self.reached(name))

    def run(self, forced: str = "") -> None:
        """Somebody types snakemake: every phase that is reached works and is shown."""
        self.put_away = None
        self._note_openings()
        for name in PHASES:
            if not self.reached(name):
                break
            self._take_up(self.gates[name])
            self._work(name, name == forced)
        self._note_openings()

    def _note_openings(self) -> None:
        for name in self._work_list():
            gate = self.gates[name]
            if self.is_open(name) and gate.marker and gate.marker[0] == "bare":
                gate.opening = (gate.shown, gate.marker[1])

    @staticmethod
    def _take_up(gate: Gate) -> None:
        """What a run makes of the feedback that lies there, or was withdrawn."""
        if gate.round and not gate.answered and gate.round != gate.wanted:
            gate.round, gate.answered, gate.base, gate.reviewed = gate.before
        if gate.wanted and gate.shown is not None and gate.wanted != gate.round:
            gate.before = (gate.round, gate.answered, gate.base, gate.reviewed)
            gate.base, gate.round, gate.answered, gate.reviewed = gate.added, gate.wanted, False, gate.shown.tree

    def _work(self, name: str, forced: bool) -> None:
        """The agent works where it would be told something else, or has to; the result is merged and shown."""
        gate = self.gates[name]
        above = None if name == "plan" else self.gates["plan"].shown
        below = above.tree if above else None
        told = (below, gate.version, gate.round)
        if forced or gate.again or told not in gate.results:
            gate.results[told], gate.attempts = self.failing, gate.attempts + 1
        gate.outcome, gate.again = gate.results[told], False
        work = (gate.version, gate.added)
        tree = (below, None if gate.outcome else work, gate.adopted)
        shown = Shown(tree, work, gate.outcome, gate.round, above)
        if gate.round:
            gate.unchanged, gate.answered = gate.reviewed == tree, True  # since the review, whoever changed it
        if shown != gate.shown:
            gate.shown, gate.shown_at = shown, self.tick()

    def retry(self) -> None:
        """Every agent whose published outcome is a failure has to work again."""
        for gate in self.gates.values():
            if gate.outcome:
                gate.again, gate.outcome = True, None

    def lose_outcome(self, name: str) -> None:
        """A published outcome is deleted: a failure is tried again, a success is published again."""
        gate = self.gates[name]
        gate.again, gate.outcome = gate.again or bool(gate.outcome), None

    def roll_back(self) -> None:
        """All of the last phase is put away, apart from its attempts."""
        gate = self.gates["build"]
        self.put_away = gate
        self.gates["build"] = Gate(version=gate.version, attempts=gate.attempts, results=gate.results)

    def restore(self) -> None:
        """It comes back as it was."""
        assert self.put_away is not None
        self.gates["build"], self.put_away = self.put_away, None
