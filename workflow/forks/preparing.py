"""What the server does before it is asked for anything, and between jobs: import modules, try the sandbox, compile templates."""

from __future__ import annotations

import contextlib
import functools
import gc
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
NEEDED = (  # scripts, and modules that are imported only where they are needed, in the order in which a run comes to them
    "start_run.py",
    "jsonschema",
    "start_phase.py",
    "run_agent.py",
    "workflow.work.prompts",
    "setproctitle",
)
LATER = (
    "psutil",
    "workflow.work.shapes",
    "merge_phase.py",
    "score_hygiene.py",
    "wcmatch.glob",
    "validate_phase.py",
    "cyclonedx.model.bom",
    "cyclonedx.model.component",
    "cyclonedx.output.json",
    "request_review.py",
    "workflow.gate.guard",
)


def steps() -> Iterator[None]:
    """Get ready, one step at a time. What cannot be imported or compiled fails again in the job that needs it, which says so."""
    for step in _steps():
        with contextlib.suppress(Exception):
            step()
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


def _steps() -> Iterator[Callable[[], object]]:
    yield from (functools.partial(_load, name) for name in NEEDED)
    yield _try_sandbox
    yield from _templates_of_prompts()
    yield from (functools.partial(_load, name) for name in LATER)
    yield _compile_request


def _try_sandbox() -> None:
    """Find out what protection works here; forks know it then, as long as the same program gives it."""
    from workflow.work import sandbox

    if sandbox.choose("auto") != sandbox.KINDS[0]:
        sandbox.forget()  # each job tries for itself whether it gets the better one after all


def _templates_of_prompts() -> Iterator[Callable[[], object]]:
    from workflow import markup
    from workflow.plan import roles

    prompts = markup.environment(roles.PROMPTS)
    yield from (functools.partial(prompts.get_template, name) for name in prompts.list_templates())


def _compile_request() -> None:
    from workflow.gate import requests
    from workflow.work.processes import NONE

    requests.template(NONE)
