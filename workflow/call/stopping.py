"""Ctrl-C, a closed terminal, a polite kill: the run stops at once, nothing of it stays alive, and one line says what to do.

The first INT, TERM or HUP ends the jobs (each ends its program within `STOPPED_GRACE_S`); further ones change nothing, so that
a second Ctrl-C cannot leave anything behind. Snakemake alone would wait for its jobs on TERM, and break off in the middle of
its own end on a second Ctrl-C.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from typing import Any

from workflow.call.model import Call
from workflow.view import terminal
from workflow.work.keeper import STOPPING


def heed(call: Call) -> None:
    """Handle the signals from now on; called again when Snakemake has set handlers of its own."""

    def stop(number: int, _frame: Any) -> None:
        if call.stopped:
            return
        call.stopped = number
        if not call.line.verbose:
            terminal.silence()
        _end_jobs()
        raise KeyboardInterrupt

    for number in STOPPING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup
            signal.signal(number, stop)
    sys.excepthook = _quiet(call, sys.excepthook)


def _end_jobs() -> None:
    """Let every job end; those on the same terminal have heard of it already."""
    import psutil

    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            child.send_signal(signal.SIGTERM)


def _quiet(call: Call, before: Any) -> Any:
    def hook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        if not call.stopped:
            before(kind, error, trace)

    return hook
