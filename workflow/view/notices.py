"""`notify`: run a person's command once whenever a gate newly waits or a run is newly blocked."""

from __future__ import annotations

import os
import subprocess

from workflow import files
from workflow.gate import verdict
from workflow.view.state import RunState

TELLING = (verdict.WAITING, verdict.STALE, verdict.BLOCKED, verdict.CHANGES)
TIMEOUT_S = 60


def send(state: RunState, command: list[str]) -> list[str]:
    """Start `command` for each phase whose state is news since the last time; returns warnings, a line each.

    The command gets PHASEGATE_RUN, PHASEGATE_PHASE, PHASEGATE_STATE, PHASEGATE_DIGEST and PHASEGATE_REQUEST (the path
    of REQUEST.md) in its environment.
    """
    record = state.run_dir / "history" / "notified.json"
    before = files.try_read_json(record) or {}
    now = {phase.name: f"{phase.state} {phase.digest}" for phase in state.held(*TELLING)}
    warnings = []
    if command:
        for phase in state.held(*TELLING):
            if before.get(phase.name) != now[phase.name]:
                warnings += _call(command, state, phase.name, phase.state, phase.digest or "")
        files.write_json_if_changed(record, now)
    return warnings


def _call(command: list[str], state: RunState, phase: str, word: str, digest: str) -> list[str]:
    request = (state.run_dir / phase / "REQUEST.md").absolute()
    env = os.environ | {
        "PHASEGATE_RUN": state.run,
        "PHASEGATE_PHASE": phase,
        "PHASEGATE_STATE": word,
        "PHASEGATE_DIGEST": digest,
        "PHASEGATE_REQUEST": str(request),
    }
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return [f"  warning: notify could not run: {_path_free(error)}"]
    return [f"  warning: notify ended with exit code {done.returncode}"] if done.returncode else []


def _path_free(error: Exception) -> str:
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else "it took too long"
