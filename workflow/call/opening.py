"""The opening of a call, while the Snakefile is parsed: command line, settings, run, intake, plan.

Only the main process of a call that works on a run writes; dry runs, looks and cluster jobs only read.
"""

from __future__ import annotations

import atexit
import getpass
import os
import sys
import time
from pathlib import Path
from typing import Any

from workflow import __version__, files, session
from workflow.call import acts, ending, reruns, stopping
from workflow.call.ending import finish
from workflow.call.model import Call
from workflow.commands import PARENT, main_guard
from workflow.errors import IntakeError, UsageError
from workflow.forks import starting
from workflow.gate import history, people
from workflow.plan import commandline, intake, phases, roles, settings
from workflow.plan.commandline import CommandLine
from workflow.plan.settings import Settings
from workflow.view import state, summary, terminal
from workflow.work import sandbox, scratch, trees

STARTERS = {"quickstart"}
PROTECTION = {  # what is said about the protection that there is; nothing about the best one
    "landlock": "phasegate: bubblewrap does not work here, so Landlock protects from agents and checks (config/README.md: Sandbox)",
    "none": "phasegate: WARNING: agents and checks run WITHOUT A SANDBOX and can do all that you can: "
    "neither bubblewrap nor Landlock works here; install bubblewrap, or say `sandbox: require`",
}


def begin(root: Path, main: bool) -> Call:
    """Settle one call. Ends the process with one clear line where something is asked for that cannot be."""
    os.environ[PARENT] = str(os.getpid())
    if not main:
        starting.forget()
    with main_guard():
        call = _settle(root, main)
        if main and not call.line.dry_run and not call.line.verbose:
            terminal.calm()
        act = acts.chosen(call.line.targets) if main else None
        if main:
            acts.check_parameters(call)
        if act and not call.line.looks_only:
            if call.writes:
                _become_writer(call)
            raise SystemExit(acts.perform(call, act))
        if call.writes:
            stopping.heed(call)
            atexit.register(finish, call, Path.cwd())
            _prepare(call)
        if main:
            _write_briefs(call)
        if main and call.line.dry_run:
            atexit.register(ending.foretell, call, Path.cwd())
        call.settled = True
        return call


def _settle(root: Path, main: bool) -> Call:
    line = commandline.parse(sys.argv[1:])
    workdir = Path.cwd()
    found = settings.load(root, workdir, line)
    act = acts.chosen(line.targets)
    writes = main and not line.dry_run and not line.looks_only
    writes = writes and (act is None or (acts.ACTS[act].writes and line.flag("apply", True)))
    run, brief, source = _choose_run(root, workdir, line, found)
    mine = roles.own(found)
    if mine and main and act is None:  # what only looks works with a broken template, too
        roles.check(mine, brief)
    plan = phases.make_plan(found, brief, roles.names(mine))
    chosen = writes and (found["run"] or STARTERS & set(line.targets))
    needed = () if chosen or run == _default_run(root, workdir, found) else (f"run={run}",)
    kept = tuple(f"{key}={value}" for key, value in line.raw.items() if key not in (*commandline.PARAMETERS, "run"))
    names = tuple(map(str, line.config_files))
    command = commandline.invocation(root / "Snakefile", workdir, _start_folder(), (*needed, *kept), names)
    return Call(root, line, found, run, brief, source, plan, main, command, writes, f"{os.getpid()}-{time.time_ns()}")


def _start_folder() -> Path:
    """The folder in which the person stands, which is not the working directory where `-d` was given."""
    start = Path(os.environ.get("PWD", "."))
    return start if start.is_dir() else Path.cwd()


def _default_run(root: Path, workdir: Path, found: Settings) -> str | None:
    """The run that a plain command without `run=` is about; None where its intake cannot be read."""
    try:
        return _current_run(workdir) or str(intake.read(intake_file(root, workdir, found))["project"]["name"])
    except IntakeError:
        return None


def _choose_run(root: Path, workdir: Path, line: CommandLine, found: Settings) -> tuple[str, dict[str, Any], Path]:
    """Name and intake of the run that this call is about, and the file that the intake comes from."""
    if STARTERS & set(line.targets):
        return _quickstart(root, line, found)
    run = found["run"] or _current_run(workdir)
    frozen = intake.frozen(Path("runs", run)) if run else None
    if run and frozen is not None:
        return run, frozen, Path("runs", run, "intake.yaml")
    source = intake_file(root, workdir, found)
    brief = intake.read(source)
    _refuse_name(run or brief["project"]["name"], "run" if run else f"{source}: project.name")
    run = run or brief["project"]["name"]
    return run, intake.frozen(Path("runs", run)) or brief, source


def _quickstart(root: Path, line: CommandLine, found: Settings) -> tuple[str, dict[str, Any], Path]:
    """A new run from a typed template. UsageError for an unknown type, a bad name, or a run that exists."""
    kinds = sorted(path.stem for path in (root / "config" / "intakes").glob("*.yaml"))
    kind = line.choice("type", kinds)
    name = line.text("name", kind)
    _refuse_name(name, "--config name")
    run = found["run"] or name
    if Path("runs", run).exists():
        go_on = commandline.invocation(root / "Snakefile", Path.cwd(), _start_folder(), (f"run={run}",)).go_on()
        raise UsageError(f"the run `{run}` exists and is left as it is; go on with it ({go_on}), or choose another name")
    folder = root / "config" / "intakes"
    return run, intake.from_template(kind, name, folder), folder / f"{kind}.yaml"


def _refuse_name(name: str, where: str) -> None:
    if not phases.ID.fullmatch(name) or name.lower() in phases.RESERVED or phases.is_bad_ref(name):
        allowed = "1 to 64 letters, digits, `.`, `_`, `-`, beginning with a letter or digit, and no reserved word"
        raise UsageError(f"{where}={name}: not a good name; allowed: {allowed}")


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
    reruns.check_names(call)
    _become_writer(call)
    if not (call.run_dir / "start.json").exists():
        starting.start()  # there will be jobs, which it can get ready for meanwhile
    _start(call)
    if call.settings["sandbox"] != "off" and sandbox.choose("auto") in PROTECTION:
        print(PROTECTION[sandbox.choose("auto")], file=sys.stderr)
    for phase in call.reached():
        call.judge(phase.name)  # what a bare marker has opened is noted before anything changes
    reruns.check_request(call)
    summary.status_file(call.run_dir, state.as_json(call.state(), call.command) | {"state": "running"})


def _become_writer(call: Call) -> None:
    session.become_writer(Path.cwd())
    phases_dirs = [call.run_dir / name for name in call.plan.phases]
    session.require_writable([call.run_dir, *(call.run_dir / name for name in ("bundles", "logs", "history")), *phases_dirs])
    scratch.sweep()
    history.settle_place(call.run_dir, list(call.plan.phases))
    history.record_lost(call.run_dir, list(call.plan.phases))


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
        intake.freeze(call.intake, call.source, folder)
        call.intake = intake.read_frozen(folder / "intake.yaml")
    if not (folder / "run.json").is_file():
        record = {"run": call.run, "started_at": files.now(), "started_by": getpass.getuser(), "version": __version__}
        more = {"starter": people.identities()}
        files.write_json(folder / "run.json", record | more | {"type": call.intake["project"]["type"], "python": sys.version.split()[0]})
    if call.settings["run"] or STARTERS & set(call.line.targets):
        files.write_text(Path("runs", "current"), f"{call.run}\n")
