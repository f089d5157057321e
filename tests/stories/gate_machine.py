"""A real run of two phases and a model of it (gate_model.py), driven by hypothesis through the same random events.

Each agent writes its version to `<phase>.txt` and appends what feedback asks it to add; it fails while a file says so.
After each step every gate of the real run must stand exactly where the model says; after each run exactly the files
must be shown that the model expects, and exactly the attempts must have been made that it would pay.

All events are variants of one rule, chosen by weight among those that make sense now. As rules of their own they would
be chosen evenly, and hypothesis would switch most of them off in most examples (swarm testing), so that the sequences
in which gates go wrong (approve, change, look) would be rare.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from conftest import Desk
from gate_model import PHASES, Model
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from workflow.gate import verdict

SCRIPT = (
    "cat > .prompt; printf 'VERSION\\n' > PHASE.txt; "
    "for word in $(grep -o 'please-add-[0-9]*' .prompt | sort -u); do "
    "grep -qx $word asked-PHASE.dat 2>/dev/null || echo $word >> asked-PHASE.dat; done; "
    "rm .prompt; ! [ -e FAILING ]"
)
VERSIONS = 3
Event = tuple[str | int | bool, ...]


class GateMachine(RuleBasedStateMachine):
    """The run, and the model of it."""

    done: ClassVar[Counter[str]] = Counter()  # which events happened how often, in all examples

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="gate-machine-"))
        self.desk = Desk(self.folder)
        self.run_dir = self.folder / "runs/demo"
        self.model = Model()

    def teardown(self) -> None:
        """Nothing stays behind."""
        shutil.rmtree(self.folder, ignore_errors=True)

    @initialize(number=st.integers(0, 2**32))
    def start(self, number: int) -> None:
        """The run comes to its first gate. Hypothesis begins with the simplest example, whatever the seed: it is left out."""
        assume(number > 0)
        self.desk.brief()
        self._configure()
        self._carry_on()

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        """Somebody does something."""
        event = data.draw(st.sampled_from([event for weight, event in self._events() for _ in range(weight)]), label="somebody")
        self.done[str(event[0])] += 1
        getattr(self, f"_{event[0]}")(*event[1:])

    @invariant()
    def gates_stand_where_the_model_says(self) -> None:
        """Every gate that shows something is in the state that the model says."""
        for name in PHASES:
            assert (self.run_dir / name / "manifest.json").exists() == (self.model.gates[name].shown is not None), name
            if self.model.gates[name].shown:
                found = verdict.judge(self.run_dir, name, "required", "digest")
                assert found.state == self.model.state(name), (name, found, self.model.gates[name])

    # --- what makes sense now, and how often it should happen ---

    def _events(self) -> Iterator[tuple[int, Event]]:
        yield (1 if self.model.idle() else 12), ("run",)
        if any(gate.outcome for gate in self.model.gates.values()):
            yield 10, ("retry", False)
            yield 2, ("retry", True)
        for name in PHASES:
            if self.model.gates[name].shown:
                yield from self._decisions(name)
                if self.model.reached(name):
                    yield from self._work(name)
        if self.model.gates["build"].shown:
            yield 3, ("rollback",)
        if self.model.put_away and not self.model.gates["build"].marker:
            yield 30, ("restore",)

    def _decisions(self, name: str) -> Iterator[tuple[int, Event]]:
        gate, is_open = self.model.gates[name], self.model.is_open(name)
        yield (1 if is_open else 5), ("touch", name)
        yield (1 if is_open or not self.model.approvable(name) else 5), ("approve", name)
        for understood in (True, False):
            yield (2 if is_open else 1), ("ask", name, understood)
        if gate.marker:
            yield 2, ("delete", name)
        if gate.wanted:
            yield 3, ("withdraw", name)

    def _work(self, name: str) -> Iterator[tuple[int, Event]]:
        """What makes a run change something: these carry on at once."""
        decided = self.model.gates[name].marker is not None
        for further in range(1, VERSIONS):
            yield (4 if decided else 1), ("mutate", name, (self.model.gates[name].version + further) % VERSIONS, False)
        yield (2 if decided else 1), ("mutate", name, (self.model.gates[name].version + 1) % VERSIONS, True)
        yield 1, ("redo", name, False)
        yield 1, ("redo", name, True)
        yield 1, ("lose", name)
        yield 2, ("adopt", name)

    # --- what people do ---

    def _carry_on(self, *words: str, forced: str = "", failing: bool = False) -> None:
        """Somebody types snakemake, while agents fail or do not."""
        self.model.failing = failing
        (self.folder / "failing").touch() if failing else (self.folder / "failing").unlink(missing_ok=True)
        self.model.run(forced)
        done = self.desk.run(*words, check=None)
        try:
            self.gates_stand_where_the_model_says()
        except AssertionError as error:
            error.add_note(f"snakemake ended with {done.code} and said:\n{done.out[-4000:]}{done.err[-4000:]}")
            raise
        assert done.code == self.model.exit_code(), (done.code, done.err)
        for name, gate in self.model.gates.items():
            assert self.desk.attempts(name, "worker") == gate.attempts, name
            if gate.shown:
                assert self._shown_files(name) == self._expected_files(name), name

    def _shown_files(self, name: str) -> dict[str, str]:
        manifest = json.loads((self.run_dir / name / "manifest.json").read_bytes())
        return {item["path"]: item["sha256"] for item in manifest["artifacts"]}

    def _expected_files(self, name: str) -> dict[str, str]:
        _, made, adopted = self.model.gates[name].shown.tree
        texts = {f"human-{number}.txt": "mine\n" for number in adopted}
        if made:
            version, added = made
            texts |= {f"{name}.txt": f"{version}\n"}
            texts |= {f"asked-{name}.dat": "".join(f"please-add-{number}\n" for number in added)} if added else {}
        return {path: hashlib.sha256(text.encode()).hexdigest() for path, text in texts.items()}

    def _configure(self) -> None:
        words = {"FAILING": str(self.folder / "failing")}
        runners = {}
        for name in PHASES:
            script = SCRIPT
            for word, text in (words | {"VERSION": str(self.model.gates[name].version), "PHASE": name}).items():
                script = script.replace(word, text)
            runners[name] = {"command": ["sh", "-c", script]}
        self.desk.configure({name: {"agents": {"worker": {"runner": name}}} for name in PHASES}, runners, sandbox="off")

    def _run(self) -> None:
        """Somebody types snakemake."""
        self._carry_on()

    def _touch(self, name: str) -> None:
        """Somebody touches a marker; one that holds an approval stays one."""
        self.desk.touch(name)
        if (self.run_dir / name / "APPROVED").stat().st_size == 0:
            self.model.gates[name].marker = ("bare", self.model.tick())

    def _approve(self, name: str) -> None:
        """Somebody approves by name, and waives what failed; refused where changes were asked for or the chain is outdated."""
        gate = self.model.gates[name]
        waive = ("waive=agent:worker=good enough",) if gate.shown.failed else ()
        may = self.model.approvable(name)
        self.desk.run("approve", "--config", f"phase={name}", "by=Ann", *waive, check=0 if may else 1)
        if may:
            gate.marker = ("named", gate.shown)

    def _delete(self, name: str) -> None:
        """Somebody deletes a marker."""
        (self.run_dir / name / "APPROVED").unlink()
        self.model.gates[name].marker = None

    def _ask(self, name: str, understood: bool) -> None:
        """Somebody asks for changes; agents can only do what they understand."""
        number = self.model.tick()
        note = f"please-add-{number}" if understood else f"make it nicer ({number})"
        self.desk.run("request_changes", "--config", f"phase={name}", f"note={note}", "by=Ann")
        self.model.gates[name].wanted = (number, understood)

    def _withdraw(self, name: str) -> None:
        """Somebody deletes the request for changes."""
        (self.run_dir / name / "CHANGES_REQUESTED").unlink()
        self.model.gates[name].wanted = None

    def _mutate(self, name: str, version: int, failing: bool) -> None:
        """Somebody changes what an agent makes, and carries on."""
        self.model.gates[name].version = version
        self._configure()
        self._carry_on(failing=failing)

    def _redo(self, name: str, failing: bool) -> None:
        """Somebody has work done again: the same bytes open and close nothing."""
        self._carry_on("--forcerun", f"{name}_worker", forced=name, failing=failing)

    def _retry(self, failing: bool) -> None:
        """Somebody has all agents that failed work again."""
        self.model.retry()
        self._carry_on("retry", failing=failing)

    def _lose(self, name: str) -> None:
        """Somebody deletes an outcome: a success is published again, a failure is tried again."""
        (self.run_dir / name / "agents/worker/outcome.json").unlink(missing_ok=True)
        self.model.lose_outcome(name)
        self._carry_on()

    def _adopt(self, name: str) -> None:
        """Somebody commits to project/ and has it adopted."""
        number, project = self.model.tick(), self.run_dir / "project"
        (project / f"human-{number}.txt").write_text("mine\n")
        for words in (["add", "-A"], ["-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-qm", "mine"]):
            subprocess.run(["git", "-C", str(project), *words], check=True, capture_output=True)
        self.model.gates[name].adopted += (number,)
        self._carry_on("adopt", "--config", f"phase={name}", "by=Ann")

    def _rollback(self) -> None:
        """Somebody goes back to the first gate."""
        self.desk.run("rollback", "--config", "to=plan", check=None)
        self.model.roll_back()

    def _restore(self) -> None:
        """Somebody undoes the rollback, before anything else ran."""
        names = sorted(path.name for path in self.run_dir.glob("ROLLBACK_*.md"))
        self.desk.run("restore", "--config", f"from={names[-1]}")
        self.model.restore()
