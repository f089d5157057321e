"""What every script in `scripts/` shares: how it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from workflow.errors import PhasegateError


@contextlib.contextmanager
def main_guard(job: bool = False) -> Iterator[None]:
    """A PhasegateError becomes one clear line and exit code 1; a reader that went away (`| head`) is no error.

    A `job` of Snakemake ends with it, however it ends.
    """
    try:
        if job:
            from workflow.work.processes import die_with_parent

            die_with_parent()
        yield
    except PhasegateError as error:
        print(f"phasegate: {error}", file=sys.stderr)
        raise SystemExit(1) from error
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
