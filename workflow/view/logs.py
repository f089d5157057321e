"""`logs`: what an agent printed, also while it works. Control characters cannot act on the terminal."""

from __future__ import annotations

import codecs
import sys
import time
from pathlib import Path

from workflow.errors import UsageError
from workflow.markup import visible
from workflow.work import journal
from workflow.work import logs as capped

PAUSE_S = 0.3


def show(agent_dir: Path, follow: bool) -> int:
    """Print the log of the newest attempt; with `follow`, until the attempt has ended. UsageError where there is none."""
    attempts = journal.attempts(agent_dir)
    if not attempts:
        raise UsageError(f"{agent_dir.name} has not worked yet: there is no attempt in {agent_dir}")
    newest = attempts[-1]
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    newest.log.touch()
    seen = 0
    with newest.log.open("rb") as file:
        while True:
            ended = newest.exit is not None
            new, seen = capped.follow(file, seen)
            sys.stdout.write(visible(decoder.decode(new).replace("\r\n", "\n")))
            sys.stdout.flush()
            if ended or not follow:
                return 0
            time.sleep(PAUSE_S)
