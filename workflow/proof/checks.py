"""Checks: commands that are really run in a clean checkout of the merged result.

A check passes when it exits 0 and fails when it ends otherwise. One that could not run (no such program, no
environment, not finished in time) is unknown, which is not a pass.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.errors import PhasegateError
from workflow.work import environments, processes, sandbox, saying, scratch, trees
from workflow.work.logs import log_end

FOLDERS = ("src", ".")


@dataclass(frozen=True)
class Bench:
    """Where a phase's checks run: the checkout, the environment, the logs, and what protects the machine."""

    run_dir: Path
    logs: Path
    room: sandbox.Room
    environment: environments.Environment | None
    protection: str
    refused: str


def run_all(run_dir: Path, what: str, logs: Path, tree: str, wanted: list[dict[str, Any]], options: dict[str, Any]) -> dict[str, Any]:
    """Run checks on a tree of the repository, one after the other; `{checks: [...], environment: ..., sandbox: ...}`.

    `what` they are, for the lines of progress; `logs` is a folder for their logs.

    Each row has name, command, purpose, status, exit_code, duration_s, log, summary (its last line), reason. The
    set-up of the environment is timed apart from the checks. `options`: timeouts_s, sandbox, environments.
    """
    if not wanted:
        return {"checks": [], "environment": None, "sandbox": None}
    shutil.rmtree(logs, ignore_errors=True)
    logs.mkdir(parents=True)
    with scratch.folder("checks") as place:
        room = sandbox.Room.inside(place)
        trees.export(run_dir / "project.git", tree, room.tree)
        made = None
        if any(check["environment"] == "python" for check in wanted):
            made = environments.prepare(room.tree, options["environments"], logs / "environment.log")
        try:
            protection, refused = sandbox.choose(options["sandbox"]), ""
        except PhasegateError as error:
            protection, refused = "none", str(error)
        bench = Bench(run_dir, logs, room, made, protection, refused)
        rows = []
        for check in wanted:
            rows.append(_run(check, bench, options["timeouts_s"][check["name"]]))
            saying.say(f"{what} {check['name']}: {rows[-1]['status']}")
    prepared = None if made is None else {"name": made.folder.name, "setup_s": round(made.setup_s, 3), "error": made.error or None}
    return {"checks": rows, "environment": prepared, "sandbox": protection}


def _run(check: dict[str, Any], bench: Bench, timeout_s: float) -> dict[str, Any]:
    """One check as a row of validation.json."""
    log = bench.logs / f"{check['name']}.log"
    log.touch()
    row = {"name": check["name"], "command": check["command"], "purpose": check["purpose"]}
    row |= {"log": str(log.relative_to(bench.run_dir)), "exit_code": None, "duration_s": None, "summary": ""}
    tree, made = bench.room.tree, bench.environment
    env = sandbox.environment(bench.room, (), {"PYTHONPATH": os.pathsep.join(str(tree / part) for part in FOLDERS)})
    reads: list[Path] = []
    if check["environment"] == "python" and made is not None:
        if made.error:
            return row | {"status": "unknown", "reason": made.error}
        env |= made.variables(env)
        reads.append(made.folder)
    if bench.refused:
        return row | {"status": "unknown", "reason": bench.refused}
    if shutil.which(check["command"][0], path=env["PATH"]) is None:
        return row | {"status": "unknown", "reason": f"there is no program `{check['command'][0]}` to run it with"}
    command = sandbox.wrap(bench.protection, check["command"], bench.room, Path.cwd(), reads, env["PATH"])
    try:
        ended = processes.run(command, tree, env, log, timeout_s)
    except OSError as error:
        return row | {"status": "unknown", "reason": f"cannot be started: {error}"}
    row |= {"exit_code": ended.exit_code, "duration_s": round(ended.duration_s, 3), "summary": last_line(log)}
    if ended.timed_out:
        return row | {"status": "unknown", "reason": f"not finished after {timeout_s:g} s"}
    status = "fail" if ended.exit_code else "pass"
    return row | {"status": status, "reason": f"exit code {ended.exit_code}" if ended.exit_code else ""}


def no_result(check: dict[str, Any]) -> dict[str, Any]:
    """The row of a check that was asked for and has no result."""
    row = {"name": check["name"], "command": check["command"], "purpose": check["purpose"], "log": "", "summary": ""}
    return row | {"exit_code": None, "duration_s": None, "status": "unknown", "reason": "there is no result of it"}


def last_line(log: Path) -> str:
    """The last line of a log that says something, at most 200 characters."""
    lines = [line.strip() for line in log_end(log).splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""
