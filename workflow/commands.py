"""What every script in `scripts/` shares: which gates it asks before it begins, and how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from workflow.errors import PhasegateError, storage_error

PARENT = "PHASEGATE_PARENT"  # process id of the snakemake that starts jobs


def end_with_parent() -> None:
    """From now on a job of Snakemake ends with it, however it ends; where it has ended already, at once."""
    from workflow.work.keeper import die_with_parent

    die_with_parent(int(os.environ.get(PARENT, 0)) or None)


def require_open(run_dir: Path, told: str) -> None:
    """RunError unless the gates are open that a job was told of with --guard: JSON of what `gate.guard.require_open` takes, or nothing.

    What judges gates is loaded only where there is one.
    """
    guard = json.loads(told or "{}")
    if guard.get("gates"):
        from workflow.gate import guard as gates

        gates.require_open(run_dir, **guard)


@contextlib.contextmanager
def main_guard() -> Iterator[None]:
    """A PhasegateError becomes one clear line and exit code 1; a reader that went away (`| head`) is no error."""
    try:
        yield
    except PhasegateError as error:
        print(f"phasegate: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        known = storage_error(error)
        if known is None:
            raise
        with contextlib.suppress(OSError):
            print(f"phasegate: {known}", file=sys.stderr)
        raise SystemExit(1) from error
