"""The gate machine would find a wrong verdict: three rules are broken, each in a copy of the repository.

Each seed is one with which the machine comes to the point within its first steps. Should another version of hypothesis
make other sequences of it, the steps that it may drive are still more than it has ever needed with any seed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

LEFT_OUT = shutil.ignore_patterns(".*", "runs", "__pycache__", "build", "*.egg-info")
MACHINE = "tests/stories/test_gate_machine.py::test_gates_stand_exactly_where_the_model_says[0]"
STEPS = 150
BREAKS = {
    "an approval of other content opens the gate": (
        94,
        "workflow/gate/verdict.py",
        "    if approval.digest != digest:\n",
        "    if not approval.digest:\n",
    ),
    "a bare marker opens the gate, whatever was shown since it was touched": (
        91,
        "workflow/gate/history.py",
        'if mtime_ns <= record["shown"][-1]["at_ns"]:',
        'if mtime_ns <= record["shown"][0]["at_ns"]:',
    ),
    "a request for changes does not close a gate that has a marker": (
        91,
        "workflow/gate/verdict.py",
        "    if pending:\n",
        "    if pending and not (folder / approvals.MARKER).exists():\n",
    ),
}


@pytest.mark.long
@pytest.mark.parametrize("rule", BREAKS)
def test_machine_finds_a_broken_rule_of_the_verdict(rule: str, tmp_path: Path) -> None:
    seed, file, right, wrong = BREAKS[rule]
    copy = tmp_path / "phasegate"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    text = (copy / file).read_text()
    assert text.count(right) == 1
    (copy / file).write_text(text.replace(right, wrong))
    env = os.environ | {"PHASEGATE_MACHINE_SEED": str(seed), "PHASEGATE_MACHINE_STEPS": str(2 * STEPS)}  # it has two lanes
    command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", f"--basetemp={tmp_path / 'tmp'}", MACHINE]
    done = subprocess.run(command, cwd=copy, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "assert found.state == self.model.state(name)" in done.stdout
    said = next(line for line in done.stdout.splitlines() if line.startswith("E   ") and "AssertionError" in line)
    assert "state='open'" in said, said
    print(f"found with seed {seed}: {said}")
