"""A job in which no program works gives its slot to others meanwhile: while it backs off, and while it settles what was made.

The snakemake that starts jobs listens on a socket that `PHASEGATE_SLOTS` names (`workflow/call/slots.py`). `lend` connects,
which gives the slot back; `take` says `resume`, and goes on when the answer comes: there is a slot again. The connection
is the claim: when it closes, because the job has ended or has died, the other side knows.
"""

from __future__ import annotations

import os
import socket

ADDRESS = "PHASEGATE_SLOTS"
_line: socket.socket | None = None


def lend() -> None:
    """Give the slot back; where there is a snakemake to tell, it may start another job."""
    global _line
    if _line is not None:
        return
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        line.connect(os.environ.get(ADDRESS) or "")
    except OSError:
        line.close()
        return
    _line = line


def take() -> None:
    """Wait until there is a slot again, where it was given back."""
    global _line
    if _line is None:
        return
    with _line as line:
        _line = None
        try:
            line.sendall(b"resume\n")
            line.recv(16)
        except OSError:  # nobody counts any more
            return
