"""Break three rules of the verdict, one after the other, in a copy, and see the gate machine find each.

Run by hand: `python tests/break_verdicts.py [STEPS]`. Exit code 1 where a broken rule was not found.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "runs", ".snakemake", "__pycache__", ".*_cache", ".hypothesis")
BREAKS = {
    "an approval of other content opens the gate": (
        "workflow/gate/verdict.py",
        "if approval.digest != digest:",
        "if not approval.digest:",
    ),
    "a bare marker opens the gate whatever was shown since": (
        "workflow/gate/history.py",
        'if mtime_ns <= record["shown"][-1]["at_ns"]:',
        'if mtime_ns <= record["shown"][0]["at_ns"]:',
    ),
    "a request for changes does not close the gate": (
        "workflow/gate/verdict.py",
        "    if pending:\n",
        "    if pending and not marker_is_there(folder):\n",
    ),
}
HELPER = "\n\ndef marker_is_there(folder: Path) -> bool:\n    return (folder / approvals.MARKER).exists()\n"


def found(name: str, steps: str) -> bool:
    """Whether the machine fails on a copy in which this rule is broken."""
    file, right, wrong = BREAKS[name]
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "phasegate")
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        text = (copy / file).read_text()
        assert right in text, f"{file} no longer holds {right!r}"
        (copy / file).write_text(text.replace(right, wrong) + (HELPER if "marker_is_there" in wrong else ""))
        command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "-x", "tests/stories/test_gate_machine.py", "-p", "no:cacheprovider"]
        env = os.environ | {"PHASEGATE_MACHINE_STEPS": steps}
        done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, check=False)
        lines = [line for line in done.stdout.splitlines() if line.startswith("E ")]
        print(f"{'found' if done.returncode == 1 else 'NOT FOUND'}: {name}\n  {lines[0] if lines else done.stdout[-300:]}", flush=True)
        return done.returncode == 1


if __name__ == "__main__":
    results = [found(name, sys.argv[1] if len(sys.argv) > 1 else "240") for name in BREAKS]
    sys.exit(0 if all(results) else 1)
