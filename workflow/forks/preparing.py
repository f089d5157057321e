"""What the server does before it is asked for anything, and between jobs: import modules, and compile scripts and templates."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
from collections.abc import Iterator
from pathlib import Path
from types import CodeType

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
NEEDED = (  # in the order in which a run comes to it: scripts, and modules that are imported only where they are needed
    "start_run.py",
    "jsonschema",
    "start_phase.py",
    "setproctitle",
    "workflow.work.shapes",
    "score_hygiene.py",
    "wcmatch.glob",
    "request_review.py",
    "workflow.gate.guard",
)


def steps() -> Iterator[None]:
    """Get ready, one step at a time. What cannot be imported or compiled fails again in the job that needs it, which says so."""
    for name in NEEDED:
        with contextlib.suppress(Exception):
            _load(name)
        yield
    with contextlib.suppress(Exception):
        _compile_request()
    yield
    gc.freeze()  # what is there now is not looked at again, which would copy it into each fork


@functools.cache
def code_of(script: Path) -> CodeType:
    """A script of scripts/, compiled. SystemExit for any other file."""
    if script.parent != SCRIPTS:
        raise SystemExit(f"{script}: is not a script of Phasegate")
    return compile(script.read_bytes(), str(script), "exec", dont_inherit=True)


def _load(name: str) -> None:
    """Import a module, or what a script imports."""
    if name.endswith(".py"):
        script = SCRIPTS / name
        exec(code_of(script), {"__name__": script.stem, "__file__": str(script)})  # noqa: S102 - not as `__main__`
    else:
        importlib.import_module(name)


def _compile_request() -> None:
    """The one template that forks fill in."""
    from workflow.gate import requests
    from workflow.work.processes import NONE

    requests.template(NONE)
