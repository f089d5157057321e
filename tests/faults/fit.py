"""What this machine offers: a part that cannot run here is skipped with the reason, but in CI a skip is a failure."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

import pytest


def unfit(reason: str) -> NoReturn:
    """Skip with a reason; fail where the variable CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"must not be skipped in CI: {reason}")
    pytest.skip(reason)


def require_linux() -> None:
    """The harness reads /proc and signals through process descriptors."""
    if sys.platform != "linux":
        unfit("the fault harness needs Linux (/proc, pidfd)")
