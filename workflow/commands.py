"""What every script in `scripts/` shares: how it ends."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from workflow.errors import PhasegateError


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
