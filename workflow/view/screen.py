"""The terminal while a run goes on: lines that stay above, the board below, drawn by the main process alone.

It follows Snakemake's logger-plugin interface: a handler that is told of jobs and progress. It is attached here and not with
`--logger`, because a plugin has to be installed as a package, and Phasegate works from its folder. `snakemake-logger-plugin-rich` shows
rules; people here want to see agents, their time and their cost.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable
from logging import LogRecord
from pathlib import Path
from typing import Any

from rich.live import Live
from rich.text import Text
from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from workflow.markup import plain
from workflow.plan.fanout import expanded
from workflow.plan.phases import Plan
from workflow.plan.tasks import unit
from workflow.view import tables
from workflow.view.board import Board
from workflow.work.saying import ADDRESS, LONGEST, send

TASK = "run_task"
FANNING = (TASK, "fan_out")  # what begins when more tasks may be known
SOCKET = Path("runs", ".voice")
PAUSE_S, PATIENCE_S = 0.5, 5.0


class Screen(LogHandlerBase):
    """The handler: keeps the board up to date, and shows what jobs say."""

    def __post_init__(self) -> None:
        """Nothing is shown before `open`."""
        self.live: Live | None = None
        self.drawing: threading.Thread | None = None
        self.ending = False
        self.board: Board | None = None
        self.address = Path()

    @property
    def writes_to_stream(self) -> bool:
        """It draws on standard error."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """It writes no file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It takes every record and uses those about jobs."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Its lines are its own."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It knows the plan."""
        return False

    def emit(self, record: LogRecord) -> None:
        """Take in what Snakemake says about jobs."""
        board, event = self.board, getattr(record, "event", None)
        if board is None:
            return
        said: dict[str, Any] = record.__dict__
        if event == LogEvent.JOB_INFO:  # it starts
            if said["rule_name"] in FANNING:
                board.plan = expanded(board.plan, board.run_dir)
            board.begins(said["jobid"], _rule_of(said), _phase_of(said, board.plan))
        elif event == LogEvent.JOB_FINISHED:
            board.ends(said["job_id"])
        elif event == LogEvent.JOB_ERROR:
            board.ends(said["jobid"])
        elif event == LogEvent.PROGRESS:
            board.done, board.total = said["done"], said["total"]

    def show(self, run_dir: Path, plan: Plan, total: int) -> bool:
        """Begin to draw, and listen to what is said; False where nobody can listen here.

        One thread draws everything, since two that draw at once wipe out each other's lines.
        """
        listener = _listen()
        if listener is None:
            return False
        self.address = SOCKET.absolute()  # the folder may be another one at the end
        self.board, goal = Board(run_dir, plan, total=total), tables.console(sys.stderr)
        self.live = Live(self.board, console=goal, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        self.live.start()
        goal.show_cursor(True)  # a hidden one would stay hidden after a kill
        self.drawing = threading.Thread(target=self._draw, args=(self.live, listener), daemon=True)
        self.drawing.start()
        os.environ[ADDRESS] = str(SOCKET)
        atexit.register(self.hide)
        return True

    def _draw(self, live: Live, listener: socket.socket) -> None:
        """Show what is said, and the board again and again, until the end; then what was said before it."""
        listener.settimeout(PAUSE_S)
        with listener, contextlib.suppress(OSError):
            _try(live.refresh)
            while True:
                try:
                    said = listener.recv(LONGEST).decode("utf-8", "replace")
                except TimeoutError:
                    if self.ending:
                        return
                    _try(live.refresh)
                    continue
                except BlockingIOError:
                    return
                for line in map(plain, said.splitlines()):
                    _try(live.console.print, Text(line, overflow="fold"))
                if self.ending:
                    listener.setblocking(False)

    def say(self, text: str) -> None:
        """Lines that stay."""
        if self.ending or not self._send(text):
            with contextlib.suppress(OSError):
                print("\n".join(map(plain, text.splitlines())), file=sys.stderr)

    def _send(self, text: str) -> bool:
        """Text to the thread that draws; whether it was taken. From here, since an address has no room for a long path."""
        with contextlib.suppress(OSError):
            return send(text, os.path.relpath(self.address))
        return False

    def hide(self) -> None:
        """Take the board away; what was said stays."""
        if self.live is None or self.drawing is None:
            return
        self.ending = True
        self._send("")  # wakes it up; else it sees the end after its pause
        self.drawing.join(PATIENCE_S)
        _try(self.live.stop)
        self.live = None
        with contextlib.suppress(OSError):
            self.address.unlink()


def _try(draw: Callable[..., None], *what: Text) -> None:
    """Draw; where that fails, nothing ends: the thread goes on to take what jobs say, and the socket's file goes in the end."""
    with contextlib.suppress(Exception):  # the terminal may be gone, or unable to write a character
        draw(*what)


def _rule_of(said: dict[str, Any]) -> str:
    """The rule of a job; of a task the name under which the board has it."""
    if said["rule_name"] != TASK:
        return str(said["rule_name"])
    found = dict(said["wildcards"])
    return f"{found['phase']}_{unit(found['agent'], found['task'])}"


def _phase_of(said: dict[str, Any], plan: Plan) -> str:
    """The phase that a job belongs to; empty where it belongs to none."""
    rules = {agent.rule: agent.phase for agent in plan.agents()}
    return str(rules.get(said["rule_name"]) or dict(said.get("wildcards") or {}).get("phase", ""))


def _listen() -> socket.socket | None:
    """A socket for what jobs say; None where there can be none."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        SOCKET.unlink(missing_ok=True)
        listener.bind(str(SOCKET))
    except OSError:
        listener.close()
        return None
    return listener
