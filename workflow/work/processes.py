"""Run one program to its end, whatever it does: time limit, whole-tree kill, capped log.

The program gets a session of its own and this process becomes the reaper of its orphans
(`PR_SET_CHILD_SUBREAPER`), so that daemons and own-session children are found and killed with it. Where the kernel
offers neither that nor a pid namespace (macOS), only the descendants that are still linked to it are found.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

HEAD_BYTES = TAIL_BYTES = 1_000_000
GRACE_S = 3.0
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
TIMED_OUT = 124


@dataclass(frozen=True)
class Ended:
    """How a program ended. `killed` counts the processes of its tree that had to be killed."""

    exit_code: int
    timed_out: bool
    duration_s: float
    killed: int


class Interrupted(Exception):
    """This process was told to stop; the program's tree has been killed."""

    def __init__(self, number: int) -> None:
        """`number` is the signal."""
        super().__init__(signal.Signals(number).name)
        self.number = number


def run(command: Sequence[str], folder: Path, env: Mapping[str, str], log: Path, timeout_s: float, stdin: Path | None = None) -> Ended:
    """Run `command` (an argument list) in `folder`; its output goes to `log`, at most 2 MB of it.

    Raises FileNotFoundError or PermissionError where the program cannot be started, and Interrupted when this
    process gets TERM, INT or HUP meanwhile. A program that a signal ended has the exit code 128 + signal.
    """
    _adopt_orphans()
    begin = time.monotonic()
    with _stopped_by_signals(), open(stdin or os.devnull, "rb") as given, log.open("ab", buffering=0) as sink:
        child = subprocess.Popen(
            list(command), cwd=folder, env=dict(env), stdin=given, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        )
        assert child.stdout is not None
        reader = threading.Thread(target=_copy, args=(child.stdout, sink), daemon=True)
        reader.start()
        timed_out = False
        try:
            child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
        finally:
            killed = kill_tree()
            child.wait()
            reader.join(GRACE_S)
    code = TIMED_OUT if timed_out else child.returncode if child.returncode >= 0 else 128 - child.returncode
    return Ended(code, timed_out, time.monotonic() - begin, killed)


def _adopt_orphans() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent() -> None:
    """Ask the kernel for TERM when the parent ends; exits at once where it has ended already."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if parent == 1 or os.getppid() != parent:
            raise SystemExit(143)


@contextlib.contextmanager
def _stopped_by_signals() -> collections.abc.Iterator[None]:
    """Within, the first TERM, INT or HUP raises Interrupted in the main thread; later ones must not disturb the killing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def stop(number: int, _frame: object) -> None:
        for other in numbers:
            signal.signal(other, signal.SIG_IGN)
        raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def kill_tree(grace_s: float = GRACE_S) -> int:
    """End every descendant of this process: TERM, grace, KILL. Says how many there were."""
    import psutil  # comes with Snakemake; it walks /proc so that we need not

    me = psutil.Process()
    alive = _living(me)
    found = len(alive)
    for process in alive:
        with contextlib.suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + grace_s
    while alive and time.monotonic() < deadline:
        psutil.wait_procs(alive, timeout=0.05)
        alive = _living(me)
    for _ in range(50):
        for process in alive:
            with contextlib.suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(alive, timeout=0.1)
        alive = _living(me)
        if not alive:
            break
    return found


def _living(me: object) -> list:
    import psutil

    assert isinstance(me, psutil.Process)
    found = []
    for process in me.children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _copy(source: IO[bytes], sink: IO[bytes]) -> None:
    """Copy all output: the first part as it comes, of the rest only the end."""
    written, dropped = 0, 0
    tail: collections.deque[bytes] = collections.deque()
    kept = 0
    while chunk := os.read(source.fileno(), 65536):
        room = HEAD_BYTES - written
        if room > 0:
            sink.write(chunk[:room])
            written += len(chunk[:room])
            chunk = chunk[room:]
        if chunk:
            tail.append(chunk)
            kept += len(chunk)
            while kept - len(tail[0]) >= TAIL_BYTES:
                kept -= len(tail[0])
                dropped += len(tail.popleft())
    if dropped:
        sink.write(f"\n[... {dropped} bytes left out ...]\n".encode())
    for chunk in tail:
        sink.write(chunk)


def log_end(log: Path, limit: int = 4000) -> str:
    """The last characters of a log, control characters made visible."""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - limit))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    from workflow.markup import visible  # Jinja2 comes with it

    return visible(text)
