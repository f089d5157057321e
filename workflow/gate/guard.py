"""The gate once more, when a job of a later phase starts: what was open when the run was planned may be closed now."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.errors import RunError
from workflow.gate import verdict
from workflow.plan import policies


def require_open(run_dir: Path, gates: Mapping[str, str], policy: Any, own: Mapping[str, Any] | None = None) -> None:
    """RunError that names the first of these phases whose gate is not open. `gates` maps phases to their kind of gate.

    `policy` is the general one and `own` those of phases that have one of their own, both as JSON values. Signatures are
    verified anew.
    """
    for phase, kind in gates.items():
        found = verdict.judge(run_dir, phase, kind, policies.read((own or {}).get(phase, policy)))
        if not found.is_open:
            why = "; ".join(found.reasons)
            raise RunError(f"the gate of {phase} is not open any more ({why}); nothing was done. Approve it, then run snakemake again")
