"""Where Phasegate adjusts Snakemake itself; each is guarded, so that another version of Snakemake only gets slower."""

from __future__ import annotations

from typing import Any

from workflow.call import slots, stopping
from workflow.call.model import Call


def cap_agents(workflow: Any, call: Call) -> None:
    """Let at most `max_parallel_agents` agents work at once; a lower `--resources agents=` counts."""
    given = workflow.global_resources["agents"].value if "agents" in workflow.global_resources else None
    cap = call.settings["max_parallel_agents"]
    workflow.global_resources["agents"] = min(cap, given) if given else cap


def settle_in(workflow: Any, call: Call) -> None:
    """Signals are ours. For local runs: no limit of job starts per second (it ends each run with a timer of 1 s), lent slots."""
    stopping.heed(call)
    if not workflow.local_exec:
        return
    if hasattr(workflow.scheduler, "job_rate_limiter"):
        workflow.scheduler.job_rate_limiter = None
    slots.serve(workflow.scheduler)
