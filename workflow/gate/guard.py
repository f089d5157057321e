"""The gate once more, when a job of a later phase starts: what was open when the run was planned may be closed now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from workflow.errors import RunError
from workflow.gate import verdict


def require_open(run_dir: Path, gates: Mapping[str, str], policy: str) -> None:
    """RunError that names the first of these phases whose gate is not open. `gates` maps phases to their kind of gate."""
    for phase, kind in gates.items():
        found = verdict.judge(run_dir, phase, kind, policy)
        if not found.is_open:
            why = "; ".join(found.reasons)
            raise RunError(f"the gate of {phase} is not open any more ({why}); nothing was done. Approve it, then run snakemake again")
