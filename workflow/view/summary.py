"""The last lines of a run: what waits, what was made, what was checked, what to read, what to type."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import taskgates, verdict
from workflow.markup import plain
from workflow.plan.commandline import Command
from workflow.view.state import WORKING, PhaseState, RunState, next_command

NAMED = 3


def lines(state: RunState, command: Command) -> list[str]:
    """Five lines for each phase that holds the run, or five that say where the delivered project lies."""
    if state.state == "delivered":
        return _delivered(state, command)
    held = state.held(verdict.BLOCKED, verdict.CHANGES, verdict.WAITING, verdict.STALE)
    if not held or state.state == "failed":
        return _unfinished(state, command) + [line for phase in held for line in _held(state, phase, command)]
    return [line for phase in held for line in _held(state, phase, command)]


def stopped(state: RunState, command: Command) -> list[str]:
    """Two lines for a run that a person has stopped."""
    done = "nothing that has finished is lost, and what was interrupted works again"
    return [_headline(state, f"stopped; {done}"), _line("go on", command.go_on())]


def _held(state: RunState, phase: PhaseState, command: Command) -> list[str]:
    manifest = phase.manifest or {}
    if not manifest and phase.held_tasks:
        return _held_tasks(state, phase, command)
    words = {
        verdict.WAITING: f"{phase.name} waits for your review ({phase.ribbon})",
        verdict.STALE: f"{phase.name} waits for your review again ({phase.ribbon}): {'; '.join(phase.reasons)}",
        verdict.CHANGES: f"{phase.name}: {'; '.join(phase.reasons)}",
        verdict.BLOCKED: f"{phase.name} is blocked ({phase.ribbon}): {'; '.join(phase.reasons)}",
    }
    last = {verdict.BLOCKED: "mend", verdict.CHANGES: "go on"}.get(phase.state, "approve")
    return [
        _headline(state, words[phase.state]),
        _line("made", made(manifest)),
        _line("checked", checked(manifest)),
        _line("read", command.path(state.run_dir / phase.name / "REQUEST.md")),
        _line(last, next_command(phase, state.run_dir, command)),
    ]


def _held_tasks(state: RunState, phase: PhaseState, command: Command) -> list[str]:
    """Tasks that wait at gates of their own: which, where each is shown, and what to type."""
    names = [plain(name.split("/")[-1]) for name in phase.held_tasks]
    blocked = [name for name in phase.held_tasks if phase.tasks[name].state == verdict.BLOCKED]
    first = taskgates.place(phase.name, (blocked or phase.held_tasks)[0])
    listed = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
    words = f"{len(names)} tasks wait" if len(names) > 1 else "1 task waits"
    return [
        _headline(state, f"{phase.name}: {words} for your review ({listed})"),
        _line("done", f"{len(phase.tasks) - len(names)} tasks are approved" + (f"; {len(blocked)} are blocked" if blocked else "")),
        _line("read", command.path(state.run_dir / first / "REQUEST.md") + (", and so on" if len(names) > 1 else "")),
        _line("mend" if len(blocked) == len(names) else "approve", next_command(phase, state.run_dir, command)),
    ]


def _delivered(state: RunState, command: Command) -> list[str]:
    project = state.run_dir / "project"
    results = [row for phase in state.phases.values() for row in (phase.manifest or {})["subject"]["validation"]["checks"]]
    passed = sum(row["status"] == "pass" for row in results)
    count = sum((phase.manifest or {})["artifact_count"] for phase in state.phases.values())
    names = [item for phase in state.phases.values() for item, _ in phase.waived]
    waived = f"; waived: {', '.join(names)}" if names else ""
    readme = project / "README.md"
    return [
        _headline(state, f"delivered: all {len(state.phases)} phases are done"),
        _line("made", f"{count} files in {len(state.phases)} bundles; the project lies in {command.path(project)}"),
        _line("checked", f"{passed} of {len(results)} checks passed{waived}"),
        _line("read", command.path(readme if readme.is_file() else project)),
        _line("start", start_command(project, command)),
    ]


def start_command(project: Path, command: Command) -> str:
    """The command that starts a delivered project: its run.sh where it has one."""
    script = project / "run.sh"
    if script.is_file() and not script.is_symlink():
        return f"sh {command.path(script)}"
    return "see the project's own README"


def _unfinished(state: RunState, command: Command) -> list[str]:
    names = ", ".join(phase.name for phase in state.held(WORKING)) or "the run"
    word = "a job could not do its work; see the messages above" if state.state == "failed" else "work is left to do"
    return [
        _headline(state, f"{names}: {word}"),
        _line("go on", command.go_on()),
    ]


def made(manifest: Mapping[str, Any]) -> str:
    """Files and agents of a phase in one line."""
    if not manifest:
        return "unknown: manifest.json cannot be read"
    agents = [agent["name"] for agent in manifest["metrics_digest"]["agents"] if agent["success"]]
    paths = [item["path"] for item in manifest["artifacts"]]
    required = {path for row in manifest["subject"]["validation"]["artifacts"] for path in row["found"]}
    first = sorted(paths, key=lambda path: (path not in required, path))[:NAMED]
    named = ", ".join(map(plain, first)) + (", ..." if len(paths) > NAMED else "")
    who = ", ".join(agents[:NAMED]) + (f" and {len(agents) - NAMED} more" if len(agents) > NAMED else "") or "no agent"
    return f"{len(paths)} files by {who}: {named}" if paths else "nothing"


def checked(manifest: Mapping[str, Any]) -> str:
    """Validation of a phase in one line."""
    if not manifest:
        return "unknown"
    validation = manifest["subject"]["validation"]
    found = sum(1 for row in validation["artifacts"] if row["found"])
    text = f"{found} of {len(validation['artifacts'])} artifact patterns found"
    results = validation["checks"]
    if not results:
        return f"{text}; no checks in this phase"
    marks = ", ".join(f"{row['name']} {row['status']}" for row in results)
    return f"{text}; {sum(row['status'] == 'pass' for row in results)} of {len(results)} checks passed ({marks})"


def _headline(state: RunState, text: str) -> str:
    return f"{state.run}: {plain(text)}"


def _line(label: str, text: str) -> str:
    return f"  {label + ':':9}{plain(text)}"


def show(text_lines: list[str]) -> None:
    """Print the lines to standard error, the first word of each in bold on a colour terminal."""
    colour = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    for line in map(plain, text_lines):
        head, colon, rest = line.partition(":")
        print(f"\033[1m{head}{colon}\033[0m{rest}" if colour else line, file=sys.stderr)
    sys.stderr.flush()


def status_file(run_dir: Path, record: dict[str, Any]) -> None:
    """Write status.json."""
    files.write_json_if_changed(run_dir / "status.json", record)
