"""Where Phasegate adjusts Snakemake itself; each is guarded, so that another version of Snakemake only gets slower."""

from __future__ import annotations

import threading
from importlib import import_module
from typing import Any

from workflow.call import slots, stopping
from workflow.call.model import Call
from workflow.forks import starting
from workflow.view import terminal

LATER_S = 1.0  # when what the end of a run needs is imported, pandas above all: agents are at work by then


def cap_agents(workflow: Any, call: Call) -> None:
    """Let at most `max_parallel_agents` agents work at once; a lower `--resources agents=` counts."""
    given = workflow.global_resources["agents"].value if "agents" in workflow.global_resources else None
    cap = call.settings["max_parallel_agents"]
    workflow.global_resources["agents"] = min(cap, given) if given else cap


def write_params_plainly() -> None:
    """Spare Snakemake the import of pandas, which takes half a second, to find out that no parameter of a job is one of its tables."""
    try:
        from snakemake.persistence import PersistenceBase
    except ImportError:
        return
    if isinstance(getattr(PersistenceBase, "_serialize_param", None), property) and hasattr(PersistenceBase, "_serialize_param_builtin"):
        PersistenceBase._serialize_param = property(lambda persistence: persistence._serialize_param_builtin)


def settle_in(workflow: Any, call: Call) -> None:
    """Signals are ours, and so is a terminal.

    For local runs: no limit of job starts per second (a timer of 1 s at the end), slots of our own, jobs as forks.
    """
    stopping.heed(call)
    later = threading.Timer(LATER_S, import_module, ("workflow.view.figures",))
    later.daemon = True
    later.start()
    if not call.line.verbose and terminal.watched():
        _draw(workflow, call)
    if not workflow.local_exec:
        return
    if hasattr(workflow.scheduler, "job_rate_limiter"):
        workflow.scheduler.job_rate_limiter = None
    slots.serve(workflow.scheduler)
    starting.start()


def _draw(workflow: Any, call: Call) -> None:
    """Show what goes on at the foot of the terminal, through Snakemake's interface for loggers."""
    from snakemake.logging import logger

    from workflow.view.screen import Screen

    screen = Screen(workflow.output_settings, None)
    if screen.show(call.run_dir, call.seen(), len(workflow.dag)):
        logger.addHandler(screen)
        terminal.CALM.draws = screen.say
