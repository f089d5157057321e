"""One call of snakemake, settled while the Snakefile is parsed: command line, settings, run, intake, plan.

Only the main process of a call that works on a run writes; dry runs, looks and cluster jobs only read.
"""

from __future__ import annotations

import atexit
import contextlib
import getpass
import json
import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import __version__, files, session
from workflow.errors import PhasegateError, UsageError
from workflow.gate import history, verdict
from workflow.plan import briefs, commandline, intake, phases, settings
from workflow.plan.commandline import CommandLine
from workflow.plan.phases import Agent, Phase, Plan
from workflow.plan.settings import Settings
from workflow.view import state, summary, terminal
from workflow.work import journal, sandbox, trees

LOOKS = {"bundles", "status"}
STARTERS = {"quickstart"}


@dataclass
class Call:
    """What one call of snakemake works on."""

    root: Path
    line: CommandLine
    settings: Settings
    run: str
    intake: dict[str, Any]
    plan: Plan
    main: bool
    command: list[str]
    writes: bool
    failed: bool = False
    settled: bool = False
    invocation: str = ""
    retried: set[str] = field(default_factory=set)
    shadow: Path | None = None

    @property
    def run_dir(self) -> Path:
        """The folder of the run, relative to the working directory."""
        return Path("runs", self.run)

    def judge(self, phase: str) -> verdict.Verdict:
        """The verdict of a phase's gate, now. The writer notes what a bare marker has opened."""
        found = verdict.judge(self.run_dir, phase, self.plan.phases[phase].gate, self.settings["gate"]["policy"])
        if self.writes and found.by_bare_marker and found.digest:
            history.record_opening(self.run_dir, phase, found.digest, self.run_dir / phase / "APPROVED")
        return found

    def brief(self, agent: Agent) -> str:
        """Path of an agent's brief, written anew where its bytes changed (in a dry run: to a temporary folder)."""
        path = self.run_dir / agent.phase / "agents" / agent.name / "brief.json"
        made = briefs.make_brief(self.plan, agent, self.run, self.intake, self.settings, self.run_dir)
        return self._current(path, made)

    def criteria(self, phase: str) -> str:
        """Path of a phase's criteria, likewise."""
        return self._current(self.run_dir / phase / "criteria.json", briefs.criteria(self.plan.phases[phase], self.settings))

    def _current(self, path: Path, value: dict[str, Any]) -> str:
        if not self.main:
            return str(path)
        if self.writes:
            files.write_json_if_changed(path, value)
        elif not path.is_file() or path.read_text(encoding="utf-8") != files.pretty_json(value):
            if self.shadow is None:
                self.shadow = Path(tempfile.mkdtemp(prefix="phasegate-dry-run-"))
                atexit.register(shutil.rmtree, self.shadow, ignore_errors=True)
            files.write_json(self.shadow / path, value)
            return str(self.shadow / path)
        return str(path)

    def policy(self, agent: Agent) -> str:
        """How an agent's attempts are carried out, as JSON for its job."""
        forced = agent.rule in self.retried
        record = {"timeout_s": agent.timeout_s, "retry": dict(agent.retry), "sandbox": self.settings["sandbox"]}
        return json.dumps(record | {"environments": self.settings["environments"], "force": self.invocation if forced else ""})

    def reached(self) -> list[Phase]:
        """The phases whose upstream gates are all open now."""
        return [phase for name, phase in self.plan.phases.items() if all(self.judge(other).is_open for other in self.plan.upstream(name))]

    def request_options(self, phase: str) -> str:
        """What the request of a phase needs to know from the plan and the settings, as JSON for its job."""
        entry = self.plan.phases[phase]
        record = {
            "agents": [agent.name for agent in entry.agents],
            "after": list(entry.after),
            "gate": {"kind": entry.gate, "policy": self.settings["gate"]["policy"]},
            "compression": self.settings["bundle"]["compression"],
            "command": commandline.quoted(self.command),
        }
        return json.dumps(record)

    def view_options(self) -> list[str]:
        """Options for a command that only looks, as its words."""
        with one_clear_line():
            record: dict[str, Any] = {"format": self.line.choice("format", ["table", "json"], "table")}
            if "bundles" in self.line.targets and "phase" in self.line.raw:
                record["phase"] = self.line.raw["phase"]
            if "status" in self.line.targets:
                record["record"] = state.as_json(self.state(), self.command)
        return ["--options", json.dumps(record)]

    def first_phases(self) -> list[str]:
        """The phases that build on no other."""
        return [name for name, phase in self.plan.phases.items() if not phase.after]

    def intake_path(self) -> str:
        """The frozen intake; in a dry run of a run that has not started, the file that it would be made from."""
        frozen = self.run_dir / "intake.yaml"
        if frozen.is_file() or not self.main:
            return str(frozen)
        return str(intake_file(self.root, Path.cwd(), self.settings))

    def state(self) -> state.RunState:
        """Where the run stands now."""
        return state.read(self.run_dir, self.plan, self.settings["gate"]["policy"], self.failed)


def begin(root: Path, main: bool) -> Call:
    """Settle one call. Ends the process with one clear line where something is asked for that cannot be."""
    with one_clear_line():
        call = _settle(root, main)
        if main and not call.line.dry_run and not call.line.verbose:
            terminal.calm()
        if call.writes:
            atexit.register(finish, call)
            _prepare(call)
        if main:
            _write_briefs(call)
        call.settled = True
        return call
    raise AssertionError("not reached")


@contextlib.contextmanager
def one_clear_line() -> Iterator[None]:
    """Turn a PhasegateError into its text on standard error and exit code 1."""
    try:
        yield
    except PhasegateError as error:
        print(f"phasegate: {error}", file=sys.stderr)
        raise SystemExit(1) from error


def _settle(root: Path, main: bool) -> Call:
    line = commandline.parse(sys.argv[1:])
    workdir = Path.cwd()
    found = settings.load(root, workdir, line)
    start = Path(os.environ.get("PWD", "."))
    command = commandline.invocation(root / "Snakefile", workdir, start if start.is_dir() else workdir)
    writes = main and not line.dry_run and not line.looks_only and not (set(line.targets) and set(line.targets) <= LOOKS)
    run, brief = _choose_run(root, workdir, line, found)
    plan = phases.make_plan(found, brief, briefs.roles())
    if found["run"] or _current_run(workdir) not in (None, run):
        command = [*command] if _current_run(workdir) == run or writes else command
    call = Call(root, line, found, run, brief, plan, main, command, writes)
    call.invocation = f"{os.getpid()}-{time.time_ns()}"
    return call


def _choose_run(root: Path, workdir: Path, line: CommandLine, found: Settings) -> tuple[str, dict[str, Any]]:
    """Name and intake of the run that this call is about."""
    if STARTERS & set(line.targets):
        return _quickstart(root, line, found)
    run = found["run"] or _current_run(workdir)
    if run:
        frozen = intake.frozen(Path("runs", run))
        if frozen is not None:
            return run, frozen
    source = intake_file(root, workdir, found)
    brief = intake.read(source)
    run = run or brief["project"]["name"]
    _refuse_name(run, f"{source}: project.name")
    return run, intake.frozen(Path("runs", run)) or brief


def _quickstart(root: Path, line: CommandLine, found: Settings) -> tuple[str, dict[str, Any]]:
    kinds = sorted(path.stem for path in (root / "config" / "intakes").glob("*.yaml"))
    kind = line.choice("type", kinds)
    name = line.text("name", kind)
    _refuse_name(name, "--config name")
    run = found["run"] or name
    if Path("runs", run).exists() and not line.looks_only:
        raise UsageError(
            f"the run `{run}` exists and is left as it is; go on with it: snakemake --cores 2 --config run={run}; or choose another name"
        )
    return run, intake.from_template(kind, name, root / "config" / "intakes")


def _refuse_name(name: str, where: str) -> None:
    if not phases.ID.fullmatch(name) or name in phases.RESERVED or ".." in name or name.endswith((".lock", ".")):
        raise UsageError(
            f"{where}={name}: not a good name; allowed: 1 to 64 letters, digits, `.`, `_`, `-`, beginning with a letter or digit, and no reserved word"
        )


def _current_run(workdir: Path) -> str | None:
    try:
        name = (workdir / "runs" / "current").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return name if phases.ID.fullmatch(name) and (workdir / "runs" / name).is_dir() else None


def intake_file(root: Path, workdir: Path, found: Settings) -> Path:
    """The intake that a new run starts from: in the working directory, else the one that Phasegate ships."""
    path = Path(found["intake"]).expanduser()
    return settings.first([workdir / path, root / path]) or path


def _prepare(call: Call) -> None:
    """Become the writer, start the run where it is new, and settle what the command line asks for."""
    trees.require_git()
    session.become_writer(Path.cwd())
    _start(call)
    history.settle_place(call.run_dir, list(call.plan.phases))
    if call.settings["sandbox"] == "auto" and sandbox.choose("auto") == "none":
        print("phasegate: WARNING: bubblewrap does not work here; agents and checks run without a sandbox", file=sys.stderr)
    check_request(call)
    summary.status_file(call.run_dir, state.as_json(call.state(), call.command) | {"state": "running"})


def _write_briefs(call: Call) -> None:
    """Bring briefs and criteria of all reached phases up to date before Snakemake looks at the files."""
    for phase in call.reached():
        call.criteria(phase.name)
        for agent in phase.agents:
            call.brief(agent)


def _start(call: Call) -> None:
    """Freeze the intake and note who started the run. Idempotent."""
    folder = call.run_dir
    if not (folder / "intake.yaml").is_file():
        quick = STARTERS & set(call.line.targets)
        kind = call.intake["project"]["type"]
        source = call.root / "config" / "intakes" / f"{kind}.yaml" if quick else intake_file(call.root, Path.cwd(), call.settings)
        intake.freeze(call.intake, source, folder)
        call.intake = intake.read_frozen(folder / "intake.yaml")
    if not (folder / "run.json").is_file():
        record = {"run": call.run, "started_at": files.now(), "started_by": getpass.getuser(), "version": __version__}
        files.write_json(folder / "run.json", record | {"type": call.intake["project"]["type"], "python": sys.version.split()[0]})
    if call.settings["run"] or STARTERS & set(call.line.targets):
        files.write_text(Path("runs", "current"), f"{call.run}\n")


def check_request(call: Call) -> None:
    """Hold what the command line asks for against the plan and the gates; note which agents are to work again."""
    rules = {agent.rule: agent for agent in call.plan.agents()}
    for name in call.line.forced:
        agent = _agent_named(call, name, rules)
        if agent is not None:
            _require_open(call, agent.phase, name)
            call.retried.add(agent.rule)
    for target in call.line.targets:
        phase = _phase_of_path(call, target)
        if phase and "/artifacts/" not in target:
            _require_open(call, phase, target)
    if call.line.force_all:
        _confirm_all(call)
    if "retry" in call.line.targets:
        _retry(call)
    for agent in rules.values():
        if _was_deleted(call.run_dir / agent.phase / "agents" / agent.name):
            call.retried.add(agent.rule)


def _agent_named(call: Call, name: str, rules: dict[str, Agent]) -> Agent | None:
    """The agent that a word of --forcerun means: its rule, or a file that its job makes."""
    if name in rules:
        return rules[name]
    path = os.path.relpath(name)
    for agent in rules.values():
        if path == str(call.run_dir / agent.phase / "agents" / agent.name / "outcome.json"):
            return agent
    if "/" not in name and name not in phases.RESERVED and name not in call.plan.phases:
        raise UsageError(f"--forcerun {name}: there is no such agent; known: {', '.join(rules)}")
    return None


def _phase_of_path(call: Call, target: str) -> str | None:
    parts = Path(os.path.relpath(target)).parts
    inside = len(parts) > 3 and parts[:2] == ("runs", call.run)
    return parts[2] if inside and parts[2] in call.plan.phases else None


def _require_open(call: Call, phase: str, what: str) -> None:
    for name in call.plan.upstream(phase):
        found = call.judge(name)
        if not found.is_open:
            raise UsageError(
                f"{what}: the gate of `{name}` before it is not open ({'; '.join(found.reasons)}); see {call.run_dir / name / 'REQUEST.md'}"
            )


def _confirm_all(call: Call) -> None:
    agents = [agent for phase in call.reached() for agent in phase.agents]
    if not call.line.flag("confirm"):
        again = commandline.quoted([*call.command, "--cores", "2", "--forceall", "--config", "confirm=true"])
        raise UsageError(
            f"--forceall would buy {len(agents)} new attempts ({', '.join(agent.rule for agent in agents)}); if that is meant: {again}"
        )
    call.retried |= {agent.rule for agent in agents}


def _retry(call: Call) -> None:
    """Archive the outcomes of failed agents, so that they work again."""
    phase = call.line.raw.get("phase")
    if phase is not None:
        call.line.choice("phase", list(call.plan.phases))
    moment = files.now().replace(":", "").replace("-", "")
    count = 0
    for agent in call.plan.agents():
        wanted = phase in (None, agent.phase) and call.line.raw.get("agent") in (None, agent.name, agent.rule)
        path = call.run_dir / agent.phase / "agents" / agent.name / "outcome.json"
        outcome = files.try_read_json(path) if wanted else None
        if outcome and outcome["status"] not in ("succeeded", "skipped"):
            goal = call.run_dir / "history" / "retries" / moment / f"{agent.rule}.json"
            goal.parent.mkdir(parents=True, exist_ok=True)
            path.replace(goal)
            call.retried.add(agent.rule)
            count += 1
    where = f" of {phase}" if phase else ""
    print(
        f"phasegate: {count} failed agents{where} work again" if count else f"phasegate: no agent{where} has failed; nothing to retry",
        file=sys.stderr,
    )


def _was_deleted(folder: Path) -> bool:
    """Whether a person deleted the published outcome of a failed attempt, which asks for a new one."""
    if (folder / "outcome.json").exists() or not (folder / "published").exists():
        return False
    earlier = journal.attempts(folder)
    return bool(earlier) and (earlier[-1].result or {}).get("status") != "succeeded"


def finish(call: Call) -> None:
    """The last act of the main process: record openings, show the project, write status.json, say what is next.

    Runs after everything else (it was registered first) and sets the exit code: 1 when the run is blocked or failed.
    """
    try:
        if not call.settled:
            return  # one clear line has been said already
        for name in call.plan.phases:
            call.judge(name)
        now = call.state()
        problem = show_project(call, now)
        summary.status_file(call.run_dir, state.as_json(now, call.command))
        sys.stdout.flush()
        summary.show([*problem, *summary.lines(now, call.command)])
        code = now.exit_code
    except PhasegateError as error:
        print(f"phasegate: {error}", file=sys.stderr)
        code = 1
    if code:
        logging.shutdown()
        os._exit(code)


def cap_agents(workflow: Any, call: Call) -> None:
    """Let at most `max_parallel_agents` agents work at once; a lower `--resources agents=` counts."""
    given = workflow.global_resources["agents"].value if "agents" in workflow.global_resources else None
    cap = call.settings["max_parallel_agents"]
    workflow.global_resources["agents"] = min(cap, given) if given else cap


def speed_up(workflow: Any) -> None:
    """Take Snakemake's limit of job starts per second out of local runs (it ends each of them with a timer of 1 s)."""
    if workflow.local_exec and hasattr(workflow.scheduler, "job_rate_limiter"):
        workflow.scheduler.job_rate_limiter = None


def show_project(call: Call, now: state.RunState) -> list[str]:
    """Bring `project/` to the merge of all phases reached; a checkout that a person changed is left alone."""
    reached = [name for name, phase in now.phases.items() if phase.digest and (call.run_dir / name / "merge.json").is_file()]
    if not reached:
        return []
    from workflow.work import checkout

    heads = [name for name in reached if not any(name in call.plan.phases[other].after for other in reached)]
    commits = [files.read_json(call.run_dir / name / "merge.json")["commit"] for name in heads]
    return checkout.show(call.run_dir / "project.git", commits, call.run_dir / "project")
