"""What coding agents say about themselves while they run: one incremental reader per family of command-line tools.

    reader = events.reader("codex")
    reader.feed("out", line)       # each line as it comes, without its end
    reader.poll(home)              # now and then: some write their usage to files of their HOME
    reader.usage.model_calls       # live; None where it is not known
    report = reader.end(exit_code, home)

A reader keeps a few numbers and a few last lines, whatever is fed to it, and never raises for what a program printed.
An exit code proves nothing (pi exits 0 on 401): `report.said` is "ok" only where the events say that the work ended well.
"""

from __future__ import annotations

from workflow.work.runners.events.aider import Aider
from workflow.work.runners.events.api import Api
from workflow.work.runners.events.base import Lines, Reader, Report, Usage
from workflow.work.runners.events.claude import Claude
from workflow.work.runners.events.codex import Codex
from workflow.work.runners.events.gemini import Gemini
from workflow.work.runners.events.mini import MiniSweAgent
from workflow.work.runners.events.opencode import OpenCode
from workflow.work.runners.events.pi import Pi
from workflow.work.runners.events.problems import Problem
from workflow.work.runners.events.silent import Silent

READERS: dict[str, type[Reader]] = {
    reader.name: reader for reader in (Silent, Claude, Codex, Gemini, OpenCode, Pi, Api, Aider, MiniSweAgent)
}

__all__ = ["READERS", "Lines", "Problem", "Reader", "Report", "Usage", "reader"]


def reader(name: str) -> Reader:
    """A fresh reader for the events of one attempt. KeyError for an unknown name."""
    return READERS[name]()
