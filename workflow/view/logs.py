"""`logs`: what an agent printed, also while it works. Control characters cannot act on the terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from workflow.errors import UsageError
from workflow.markup import visible
from workflow.work import journal, leaks
from workflow.work import logs as capped
from workflow.work.redaction import Values

PAUSE_S = 0.3
LONGEST = 1 << 20


def show(agent_dir: Path, follow: bool, secret: Values) -> int:
    """Print the log of the newest attempt; with `follow`, until the attempt has ended. UsageError where there is none.

    It is shown by whole lines (a very long one in parts), so that no secret passes in two halves.
    """
    attempts = journal.attempts(agent_dir)
    if not attempts:
        raise UsageError(f"{agent_dir.name} has not worked yet: there is no attempt in {agent_dir}")
    newest = attempts[-1]
    newest.log.touch()
    held, seen = b"", 0
    with newest.log.open("rb") as file:
        while True:
            ended = newest.exit is not None or not follow
            new, seen = capped.follow(file, seen)
            whole, held = _whole_lines(held + new)
            _write(whole, secret)
            if ended:
                _write(held, secret)
                return 0
            time.sleep(PAUSE_S)


def _whole_lines(content: bytes) -> tuple[bytes, bytes]:
    """What can be shown, and what is kept until its line ends."""
    end = max(content.rfind(b"\n"), content.rfind(b"\r")) + 1
    key = content.rfind(b"-----BEGIN")
    if key >= 0 and len(content) - key < leaks.KEY_BYTES and b"-----END" not in content[key:]:
        end = content.rfind(b"\n", 0, key) + 1  # a private key is replaced as a whole
    if not end and len(content) > LONGEST:
        return content, b""
    return content[:end], content[end:]


def _write(content: bytes, secret: Values) -> None:
    if content:
        text = leaks.redact(content, secret).decode("utf-8", "replace")
        sys.stdout.write(visible(text.replace("\r\n", "\n")))
        sys.stdout.flush()
