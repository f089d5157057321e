"""Saying: lines of progress from jobs, for the person who watches.

Where the main process draws on a terminal it listens on a socket (`view/screen.py`) and shows the lines itself, so that nobody
draws over anybody; else, and where it does not listen any more, they go to standard output.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time

ADDRESS = "PHASEGATE_VOICE"  # where the main process listens, relative to the working directory
LONGEST = 8192
PATIENCE_S = 1.0


def say(text: str) -> None:
    """One line, with the time of day before it."""
    line = f"{time.strftime('%H:%M:%S')} {text}"
    if not send(line, os.environ.get(ADDRESS)):
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"{line}\n", end="", flush=True)


def send(text: str, address: str | None) -> bool:
    """Text to whoever listens at an address; whether anybody does."""
    if not address:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as voice:
            voice.settimeout(PATIENCE_S)
            voice.sendto(text.encode("utf-8", "backslashreplace")[:LONGEST], address)
    except OSError:
        return False
    return True
