"""A model of what should be open, driven against a real run by hypothesis.

A small run of two phases: each agent writes its version to `<phase>.txt`, and appends what feedback asks it to add.
People touch, approve, delete, ask, withdraw, adopt, roll back and restore in any order; now and then somebody types
`snakemake`. The model knows only contents and decisions; after each step every gate of the real run must be open
exactly where the model says so, and after each run exactly the attempts must have been made that the model would pay.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from conftest import Desk, Done
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from workflow.gate import verdict

PHASES = ("plan", "build")
SCRIPT = (
    "cat > .prompt; printf 'VERSION\\n' > PHASE.txt; "
    "for word in $(grep -o 'please-add-[0-9]*' .prompt | sort -u); do "
    "grep -qx $word asked-PHASE.dat 2>/dev/null || echo $word >> asked-PHASE.dat; done; "
    "rm .prompt"
)


@dataclass
class Gate:
    """What the model knows of one phase."""

    shown: Any = None  # the content that is shown, as a value
    shown_at: int = -1
    marker: tuple[str, Any] | None = None  # ("bare", when it was touched) or ("named", content)
    opening: Any = None  # (content, when its bare marker was touched), noted when a run saw the gate open
    version: int = 0
    wanted: tuple[int, bool] | None = None  # the feedback that lies there: (number, whether agents can do it)
    round: tuple[int, bool] | None = None  # the feedback that was taken up
    base: tuple[int, ...] = ()  # what had been added in the version that was reviewed
    answered: bool = False
    unchanged: bool = False
    adopted: tuple[int, ...] = ()
    reviewed: Any = None  # the tree that was reviewed when the round was given
    before: tuple[Any, bool, tuple[int, ...], Any] = (None, False, (), None)  # what a withdrawn round falls back to
    above: Any = None  # what was shown above when this was shown
    keys: set[Any] = field(default_factory=set)
    extra: int = 0

    @property
    def added(self) -> tuple[int, ...]:
        """What feedback has been built in."""
        return (*self.base, self.round[0]) if self.round and self.round[1] else self.base


class GateMachine(RuleBasedStateMachine):
    """The run, and the model of it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="gate-machine-"))
        self.desk = Desk(self.folder)
        self.clock = 0
        self.gates = {name: Gate() for name in PHASES}
        self.put_away: tuple[str, dict[str, Gate]] | None = None

    def teardown(self) -> None:
        """Nothing stays behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize()
    def start(self) -> None:
        """Start the run and come to the first gate."""
        self.desk.brief()
        self._configure()
        self.carry_on()

    def _configure(self) -> None:
        runners = {
            name: {"command": ["sh", "-c", SCRIPT.replace("VERSION", str(self.gates[name].version)).replace("PHASE", name)]}
            for name in PHASES
        }
        phases = {name: {"agents": {"worker": {"runner": name}}} for name in PHASES}
        self.desk.configure(phases, runners)

    def _tick(self) -> int:
        self.clock += 1
        return self.clock

    # --- the model ---

    def _open(self, name: str) -> bool:
        gate = self.gates[name]
        if gate.shown is None or self._held(gate) or gate.marker is None:
            return False
        if name == "build" and gate.above != self.gates["plan"].shown:
            return False  # it builds on what is no longer there
        kind, what = gate.marker
        if kind == "named":
            return bool(what == gate.shown)
        return bool(what > gate.shown_at or gate.opening == (gate.shown, what))

    @staticmethod
    def _held(gate: Gate) -> bool:
        """Whether feedback keeps the gate closed."""
        if gate.wanted is None:
            return False
        return not (gate.answered and gate.round == gate.wanted) or gate.unchanged

    def _note_openings(self) -> None:
        for name in PHASES:
            gate = self.gates[name]
            if self._open(name) and gate.marker and gate.marker[0] == "bare":
                gate.opening = (gate.shown, gate.marker[1])

    def _take_up(self, gate: Gate) -> None:
        """What a run makes of the feedback that lies there."""
        if gate.round and not gate.answered and gate.round != gate.wanted:
            gate.round, gate.answered, gate.base, gate.reviewed = gate.before
        if gate.wanted and gate.shown is not None and gate.wanted != gate.round:
            gate.before = (gate.round, gate.answered, gate.base, gate.reviewed)
            gate.base, gate.round, gate.answered, gate.reviewed = gate.added, gate.wanted, False, gate.shown[0]

    def _work(self, name: str, above: Any) -> None:
        """A run comes to this phase: the agent works where it would be told something else, and the result is shown."""
        gate = self.gates[name]
        base = above[0] if above else None
        tree = (base, gate.version, gate.added, gate.adopted)
        gate.keys.add((base, gate.version, gate.round, gate.base))
        content = (tree, gate.round, above)
        gate.above = above
        if gate.round:
            gate.unchanged = gate.reviewed == tree  # since the review, whoever changed it
            gate.answered = True
        if content != gate.shown:
            gate.shown, gate.shown_at = content, self._tick()

    def _run_model(self) -> None:
        self._note_openings()
        above: Any = None
        for name in PHASES:
            self._take_up(self.gates[name])
        for name in PHASES:
            self._work(name, above)
            self._note_openings()
            if not self._open(name):
                break
            above = self.gates[name].shown

    # --- what people do ---

    @rule()
    def carry_on(self) -> None:
        """Somebody types snakemake."""
        self._run_model()
        self._expect(self.desk.run(check=None))
        for name in PHASES:
            assert self.desk.attempts(name, "worker") == len(self.gates[name].keys) + self.gates[name].extra, name
        self.put_away = None

    def _expect(self, done: Done) -> None:
        """A run ends with 1 while a phase that is reached was asked for changes in vain, and else with 0."""
        held = any(self._held(gate) for name, gate in self.gates.items() if gate.shown and self._reached(name))
        assert done.code == (1 if held else 0), (done.code, done.err)

    def _reached(self, name: str) -> bool:
        return all(self._open(other) for other in PHASES[: PHASES.index(name)])

    @rule(name=st.sampled_from(PHASES))
    def touch(self, name: str) -> None:
        """Somebody touches a marker; the folder is there once the phase has begun."""
        if (self.desk.path / "runs/demo" / name).is_dir():
            marker = self.desk.path / "runs/demo" / name / "APPROVED"
            kept = self.gates[name].marker
            self.desk.touch(name)
            if marker.stat().st_size == 0:
                self.gates[name].marker = ("bare", self._tick())
            else:
                self.gates[name].marker = kept

    @precondition(lambda self: self.gates["plan"].shown is not None)
    @rule(name=st.sampled_from(PHASES))
    def approve(self, name: str) -> None:
        """Somebody approves by name; refused where there is nothing to approve or changes were asked for."""
        gate = self.gates[name]
        chain = name == "plan" or (gate.shown is not None and gate.above == self.gates["plan"].shown)
        may = gate.shown is not None and not self._held(gate) and chain
        done = self.desk.run("approve", "--config", f"phase={name}", "by=Ann", check=None)
        assert done.code == (0 if may else 1), done.err
        if may:
            gate.marker = ("named", gate.shown)

    @rule(name=st.sampled_from(PHASES))
    def withdraw(self, name: str) -> None:
        """Somebody deletes a marker."""
        (self.desk.path / "runs/demo" / name / "APPROVED").unlink(missing_ok=True)
        self.gates[name].marker = None

    @rule(name=st.sampled_from(PHASES), version=st.integers(0, 2))
    def mutate(self, name: str, version: int) -> None:
        """Somebody changes what an agent will make."""
        self.gates[name].version = version
        self._configure()

    @precondition(lambda self: any(gate.shown for gate in self.gates.values()))
    @rule(name=st.sampled_from(PHASES), doable=st.booleans())
    def ask(self, name: str, doable: bool) -> None:
        """Somebody asks for changes; agents can only do what they understand."""
        if self.gates[name].shown is None:
            return
        number = self._tick()
        note = f"please-add-{number}" if doable else f"make it nicer ({number})"
        self.desk.run("request_changes", "--config", f"phase={name}", f"note={note}", "by=Ann")
        self.gates[name].wanted = (number, doable)

    @rule(name=st.sampled_from(PHASES))
    def forget(self, name: str) -> None:
        """Somebody deletes the request for changes."""
        (self.desk.path / "runs/demo" / name / "CHANGES_REQUESTED").unlink(missing_ok=True)
        self.gates[name].wanted = None

    @precondition(lambda self: self.gates["plan"].shown is not None)
    @rule()
    def redo(self) -> None:
        """Somebody has the planner's work done again: the same bytes open and close nothing."""
        self.gates["plan"].extra += 1
        self._fresh_key("plan")
        self._run_model()
        self._expect(self.desk.run("--forcerun", "plan_worker", check=None))

    def _fresh_key(self, name: str) -> None:
        """A forced attempt that would have been made anyway is paid once."""
        gate = self.gates[name]
        copy = replace(gate)
        self._take_up(copy)
        if (None, copy.version, copy.round, copy.base) not in gate.keys:
            gate.extra -= 1

    @precondition(lambda self: self.gates["plan"].shown is not None)
    @rule()
    def lose_outcome(self) -> None:
        """Somebody deletes the outcome of a finished agent: it is published again."""
        (self.desk.path / "runs/demo/plan/agents/worker/outcome.json").unlink(missing_ok=True)

    @precondition(lambda self: self.gates["build"].shown is not None)
    @rule()
    def roll_back(self) -> None:
        """Somebody goes back to the first gate."""
        self.desk.run("rollback", "--config", "to=plan", check=None)
        gate = self.gates["build"]
        self.put_away = ("build", {"build": gate})
        self.gates["build"] = Gate(version=gate.version, keys=gate.keys, extra=gate.extra)

    @precondition(lambda self: self.put_away is not None)
    @rule()
    def restore(self) -> None:
        """Somebody undoes the rollback."""
        assert self.put_away is not None
        marker = self.desk.path / "runs/demo/build/APPROVED"
        marker.unlink(missing_ok=True)
        names = sorted(path.name for path in (self.desk.path / "runs/demo").glob("ROLLBACK_*.md"))
        self.desk.run("restore", "--config", f"from={names[-1]}")
        version = self.gates["build"].version
        self.gates["build"] = self.put_away[1]["build"]
        self.gates["build"].version = version
        self.put_away = None

    @precondition(lambda self: self.gates["plan"].shown is not None and self.gates["build"].shown is None and self.put_away is None)
    @rule()
    def adopt(self) -> None:
        """Somebody commits to project/ and has it adopted into the plan."""
        number = self._tick()
        project = self.desk.path / "runs/demo/project"
        (project / f"human-{number}.txt").write_text("mine\n")
        for words in (["add", "-A"], ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "mine"]):
            subprocess.run(["git", "-C", str(project), *words], check=True, capture_output=True)
        self.gates["plan"].adopted += (number,)
        self._run_model()
        self._expect(self.desk.run("adopt", "--config", "phase=plan", "by=Ann", check=None))

    # --- what must hold ---

    @invariant()
    def gates_are_as_the_model_says(self) -> None:
        """Every gate is open exactly where the model says so."""
        run_dir = self.desk.path / "runs/demo"
        for name in PHASES:
            if (run_dir / name / "manifest.json").exists():
                found = verdict.judge(run_dir, name, "required", "digest")
                assert found.is_open == self._open(name), (name, found, self.gates[name])
            else:
                assert not self._open(name)
