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
LONGEST = 8192  # bytes at once
CUT = b" ... (the rest of this line is cut)"
PATIENCE_S = 1.0


def say(text: str) -> None:
    """One line, with the time of day before it."""
    line = f"{time.strftime('%H:%M:%S')} {text}"
    if not send(line, os.environ.get(ADDRESS)):
        with contextlib.suppress(OSError):  # the terminal may be gone
            print(f"{line}\n", end="", flush=True)


def send(text: str, address: str | None) -> bool:
    """Text to whoever listens at an address; whether anybody does. A line that is too long for it ends in `CUT`."""
    if not address:
        return False
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as voice:
            voice.settimeout(PATIENCE_S)
            for piece in _pieces(text):
                voice.sendto(piece, address)
    except OSError:
        return False
    return True


def _pieces(text: str) -> list[bytes]:
    """Whole lines, in as few pieces of at most LONGEST bytes as they need."""
    pieces = [b""]
    for line in text.splitlines():
        content = _short(line.encode("utf-8", "backslashreplace")) + b"\n"
        if len(pieces[-1]) + len(content) > LONGEST:
            pieces.append(b"")
        pieces[-1] += content
    return pieces


def _short(line: bytes) -> bytes:
    """A line that fits into a piece together with its end."""
    if len(line) < LONGEST:
        return line
    return line[: LONGEST - 1 - len(CUT)].decode("utf-8", "ignore").encode() + CUT
