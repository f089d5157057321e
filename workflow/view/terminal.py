"""What is seen while a run is going on: a line when an agent starts and ends, and a line for whatever is wrong.

Snakemake's own account of jobs, resources and reasons is for `--verbose`, dry runs, and its log file.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path

from workflow.errors import storage_error
from workflow.markup import plain
from workflow.work.logs import log_end

REPEATED = ("RuleException:\nCalledProcessError", "WorkflowError:\nAt least one job did not", "Exiting because a job")
SAID = "phasegate: "
STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


class Calm(logging.Filter):
    """Lets warnings and errors of Snakemake pass, and nothing below; a failed job is one line, said once."""

    def __init__(self) -> None:
        """Nothing has been said yet, and nobody draws."""
        super().__init__()
        self.silent = False
        self.said: set[str] = set()
        self.draws: Callable[[str], None] | None = None  # what shows lines while a board stands on the terminal
        self.formatter = logging.Formatter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether Snakemake shows the record as it is."""
        if self.silent or record.levelno < logging.WARNING or str(record.msg).startswith(REPEATED):
            return False
        trouble = next((number for number in STORAGE if os.strerror(number) in str(record.msg)), None)
        if trouble:
            self._say(f"{SAID}{storage_error(OSError(trouble, ''))}")
            return False
        if not hasattr(record, "rule_name") or not hasattr(record, "log"):
            if self.draws:
                self.draws(self.formatter.format(record))
            return self.draws is None
        self._say(failure(str(record.rule_name), [Path(log) for log in record.log]))
        return False

    def _say(self, line: str) -> None:
        if line not in self.said:
            self.said.add(line)
            if self.draws:
                self.draws(line)
                return
            with contextlib.suppress(OSError):
                print(line, file=sys.stderr)


def failure(rule: str, logs: list[Path]) -> str:
    """One line about a job that could not do its work: which, why, and where more is said."""
    name = logs[0].stem if logs else rule
    said = [line for log in logs for line in log_end(log).splitlines() if line.strip()]
    if not said:
        return f"{SAID}{name} was ended before it had done its work; the same command does it again"
    if said[-1].startswith(SAID):
        return f"{SAID}{name}: {plain(said[-1].removeprefix(SAID))}"
    return f"{SAID}{name}: {plain(said[-1])} (all of it: {', '.join(map(str, logs))})"


CALM = Calm()


def calm() -> None:
    """Quieten Snakemake's terminal handler (its log file keeps everything, unless it cannot be written)."""
    from snakemake.logging import logger

    logging.raiseExceptions = False
    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.addFilter(CALM)
            CALM.formatter = handler.formatter or CALM.formatter


def watched() -> bool:
    """Whether a person watches: both streams are a terminal that can be drawn on."""
    return sys.stderr.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def silence() -> None:
    """From now on Snakemake says nothing: a person has stopped it, and all that it would say follows from that."""
    CALM.silent = True


def give_up(error: OSError) -> None:
    """Say in one line why this call of Snakemake cannot go on, so that Snakemake's own account of it need not be read."""
    known = storage_error(error)
    if known and not CALM.silent:
        with contextlib.suppress(OSError):
            print(f"{SAID}{known}", file=sys.stderr)
        silence()
