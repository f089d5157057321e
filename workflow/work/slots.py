"""Slots: how many jobs work at once. A job takes one when it begins to work, and gives it back while no program of it works.

The snakemake that starts jobs hands slots out (`workflow/call/slots.py`), on a socket that `PHASEGATE_SLOTS` names. The connection
is the slot: `take` connects, says whose it is, and goes on when the answer comes; when the connection closes, because it was given
back, or the job has ended or died, the other side knows. The keeper of a program is a fork and has the connection, too, so a slot
is not free before both have ended. Without that variable (clusters) there is nothing to take.
"""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

ADDRESS = "PHASEGATE_SLOTS"
GONE = 143  # as if ended by TERM
_line: socket.socket | None = None
_made = ""  # the file that this process makes where agents work in it


def take(made: Path | None = None) -> None:
    """Wait until there is a slot, unless this process has one. An agent's waits behind those of jobs that are none.

    Ends the process where the snakemake that hands slots out is gone: it may hear of that before the kernel ends this job.
    `made`: the file that the job makes, where it is one in which agents work; what the first call says holds for all.
    """
    global _line, _made
    _made = _made or str(made or "")
    if _line is not None:
        return
    address = os.environ.get(ADDRESS)
    if not address:
        return
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with contextlib.suppress(OSError):
        line.connect(address)
        line.sendall(os.fsencode(_made) + b"\n")
        if line.recv(16):
            _line = line
            return
    line.close()
    raise SystemExit(GONE)


def give_back() -> None:
    """Let others have the slot."""
    global _line
    if _line is not None:
        _line.close()
        _line = None
