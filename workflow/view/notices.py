"""`notify`: run a person's command once whenever a gate newly waits or a run is newly blocked.

It runs as soon as the request is made, also while other branches work on, and at the end of a call for what changed
otherwise. `history/notified/<phase>.json` keeps what was told, so that nobody is told twice.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path

from workflow import files
from workflow.gate import verdict
from workflow.gate.verdict import Verdict

TIMEOUT_S = 60


def send(run_dir: Path, verdicts: Iterable[Verdict], command: list[str]) -> list[str]:
    """Start `command` for each verdict that is news since the last time; returns warnings, a line each.

    The command gets PHASEGATE_RUN, PHASEGATE_PHASE, PHASEGATE_STATE, PHASEGATE_DIGEST and PHASEGATE_REQUEST (the path
    of REQUEST.md) in its environment.
    """
    warnings = []
    for found in verdicts if command else ():
        record = run_dir / "history" / "notified" / f"{found.phase}.json"
        now = {"state": found.state, "digest": found.digest}
        if found.state not in verdict.HOLDING or found.digest is None:
            record.unlink(missing_ok=True)
        elif files.try_read_json(record) != now:
            files.write_json(record, now)
            warnings += _call(command, run_dir, found)
    return warnings


def _call(command: list[str], run_dir: Path, found: Verdict) -> list[str]:
    env = os.environ | {
        "PHASEGATE_RUN": run_dir.name,
        "PHASEGATE_PHASE": found.phase,
        "PHASEGATE_STATE": found.state,
        "PHASEGATE_DIGEST": found.digest or "",
        "PHASEGATE_REQUEST": str((run_dir / found.phase / "REQUEST.md").absolute()),
    }
    try:
        done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False)
    except OSError as error:
        return [f"  warning: notify could not run: {error.strerror}"]
    except subprocess.TimeoutExpired:
        return [f"  warning: notify was stopped after {TIMEOUT_S} s"]
    return [f"  warning: notify ended with exit code {done.returncode}"] if done.returncode else []
