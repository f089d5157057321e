"""Launching: everything that a program needs around it (home, variables, prompt, sandbox), and its run to the end."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workflow import files
from workflow.errors import RunError
from workflow.work import journal, processes, sandbox, settling
from workflow.work.jobs import Job
from workflow.work.journal import Attempt
from workflow.work.listening import Ear
from workflow.work.runners import Runner

ARGUMENT_LIMIT = 120_000
CANNOT_START = 127
UNFIT = (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.E2BIG, errno.ELIBBAD)  # the program's fault, not the machine's
PORTS = 3
SETUP_TIMEOUT_S = 1200
Failure = tuple[int | None, str]


@dataclass(frozen=True)
class Start:
    """A program with what stands around it; `failure` says why it cannot be started."""

    runner: Runner
    walls: sandbox.Walls
    command: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    failure: Failure | None = None


def prepare(job: Job, attempt: Attempt, runner: Runner, prompt: str, protection: str) -> Start:
    """Make what the program of an attempt needs, in the attempt's folder."""
    room = sandbox.Room.inside(attempt.work)
    prompt_file, brief_file = attempt.folder.absolute() / "prompt.md", attempt.folder.absolute() / "brief.json"
    variables = {"PHASEGATE_PROMPT": str(prompt_file), "PHASEGATE_BRIEF": str(brief_file), **runner.variables}
    env = sandbox.environment(room, runner.env, variables)
    argv = runner.argv(prompt, prompt_file, brief_file, room.tree, room.home)
    unfit = _unfit(runner, argv, env["PATH"], prompt, protection)
    if unfit:
        return Start(runner, sandbox.Walls(protection, room), failure=(CANNOT_START, unfit))
    reads = [*runner.reads, prompt_file, brief_file, job.repo.absolute() / "objects"]  # git in the tree borrows them
    if job.brief["environment"] == "python":
        from workflow.work import environments

        made = environments.prepare(room.tree, job.policy.environments, attempt.log)
        if made.error:
            return Start(runner, sandbox.Walls(protection, room), failure=(None, made.error))
        env |= made.variables(env)
        reads.append(made.folder)
    for name, text in runner.home_files(room.tree, room.home).items():
        files.write_text(_inside(room.home, name), text)
    walls = sandbox.Walls(protection, room, tuple(reads), _shared(runner, room), runner.network == "on")
    return Start(runner, walls, walls.around(argv, Path.cwd(), env["PATH"]), env)


def launch(job: Job, attempt: Attempt, start: Start) -> Failure | None:
    """Run the program to its end, which is journalled; exit code and reason where it cannot be started."""
    if start.failure:
        return start.failure
    env = {**start.env, **_free_ports()}
    if start.runner.setup:
        failed = _set_up(job, attempt, start.walls, list(start.runner.setup), env)
        if failed:
            return None, failed
    return _run(job, attempt, start, env)


def _unfit(runner: Runner, argv: list[str], path: str, prompt: str, protection: str) -> str:
    """Why the program cannot be started; empty where nothing is known against it."""
    if runner.prompt == "argument" and len(prompt.encode("utf-8", "replace")) > ARGUMENT_LIMIT:
        way = "use `prompt: stdin` or `prompt: file`"
        return f"the prompt is longer than {ARGUMENT_LIMIT} bytes, which one argument can hold; {way}"
    if shutil.which(argv[0], path=path) is None:
        return f"cannot start {argv[0]}: there is no such program"
    if runner.network == "off" and not sandbox.closes_network(protection):
        return f"runner {runner.name} says `network: off`, which `{protection}` cannot enforce here; install bubblewrap"
    return ""


def _free_ports() -> dict[str, str]:
    """Ports of the loopback address that are free now, as PHASEGATE_PORT_1, ..."""
    held = [socket.socket() for _ in range(PORTS)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return {f"PHASEGATE_PORT_{number}": str(one.getsockname()[1]) for number, one in enumerate(held, 1)}
    finally:
        for one in held:
            one.close()


def _inside(home: Path, name: str) -> Path:
    path = home / name
    if not Path(os.path.normpath(path)).is_relative_to(home):
        raise RunError(f"runners.*.files: {name} lies outside of the home folder")
    return path


def _shared(runner: Runner, room: sandbox.Room) -> tuple[Path, ...]:
    """The parts of the user's own home that a runner with `home: shared` sees; they are linked into the private one."""
    if runner.home != "shared":
        return ()
    found = []
    for name in runner.shares:
        real, link = Path.home() / name, _inside(room.home, name)
        if real.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(real)
            found.append(real)
    return tuple(found)


def _set_up(job: Job, attempt: Attempt, walls: sandbox.Walls, command: list[str], env: dict[str, str]) -> str:
    """Prepare the tree; what that changes is noted, so that it is not taken for the agent's work. Says what went wrong."""
    log = attempt.folder / "setup.log"
    try:
        guarded = walls.around(command, Path.cwd(), env["PATH"])
        ended = processes.run(guarded, walls.room.tree, env, log, SETUP_TIMEOUT_S, secret=job.secrets())
    except OSError as error:
        return f"the set-up {command[0]} cannot be started: {error.strerror}"
    if ended.exit_code:
        return f"the set-up {command[0]} ended with exit code {ended.exit_code}; see {log}"
    settling.note_setup(job, attempt, walls.room.tree)
    return ""


def version(command: list[str], env: dict[str, str] | None = None) -> str | None:
    """The first line that a program prints about its version; None where it says nothing of use."""
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:100] if lines and done.returncode == 0 else None


def _run(job: Job, attempt: Attempt, start: Start, env: dict[str, str]) -> Failure | None:
    def note(ended: processes.Ended) -> None:
        record = {"exit_code": ended.exit_code, "stopped": ended.stopped, "duration_s": ended.duration_s}
        if ended.exit_code and files.disk_is_full(attempt.folder):
            record["disk_full"] = True
        journal.ended(attempt, record)

    limits, runner, command = job.limits(), start.runner, start.command
    stdin = attempt.folder.absolute() / "prompt.md" if runner.prompt == "stdin" else None
    ear = Ear(attempt, runner, attempt.work / "home", limits, job.run_dir) if limits or runner.usage != "none" else None
    tree = attempt.work.absolute() / "tree"
    try:
        ended = processes.run(command, tree, env, attempt.log, job.policy.timeout_s, stdin, note, listener=ear, secret=job.secrets())
    except OSError as error:
        if error.errno not in UNFIT:
            raise
        return CANNOT_START, f"cannot start {command[0]}: {error.strerror}"
    if ear:
        ear.end(ended.exit_code)
    if ended.killed:
        journal.also(attempt, {"killed": list(ended.killed)})
    return None
