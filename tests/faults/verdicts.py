"""Whether what a command said is clear: a line of Phasegate that names the cause, and no traceback."""

from __future__ import annotations

import re

OURS = r"phasegate: |demo: |\d\d:\d\d:\d\d \S+ \S+: "  # errors, the last five lines, progress of an agent
FULL = r"[Nn]o space left on device|disk is full"


def clear_lines(said: str, cause: str) -> list[str]:
    """The different lines of Phasegate that name the cause (a regular expression)."""
    lines = (line.strip() for line in said.splitlines())
    return list(dict.fromkeys(line for line in lines if re.match(OURS, line) and re.search(cause, line)))


def has_traceback(said: str) -> bool:
    """Whether a user saw the inside of a program."""
    return "Traceback (most recent call last)" in said
