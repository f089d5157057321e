"""A job that only waits gives its slot to others meanwhile.

The snakemake that starts jobs listens on a socket that `PHASEGATE_SLOTS` names (`workflow/call/slots.py`). `pause` connects,
which gives the slot back, waits, says `resume`, and goes on when the answer comes: there is a slot again. The connection
is the claim: when it closes, because the job goes on or because it died, the other side knows.
"""

from __future__ import annotations

import os
import socket
import time

ADDRESS = "PHASEGATE_SLOTS"


def pause(seconds: float) -> None:
    """Wait; where there is a snakemake to tell, it may start another job in the meantime."""
    address = os.environ.get(ADDRESS)
    began = time.monotonic()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.connect(address or "")
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            line.sendall(b"resume\n")
            line.recv(16)
    except OSError:
        time.sleep(max(0.0, began + seconds - time.monotonic()))
