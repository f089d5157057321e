"""The keeper: a small process between the supervisor and a program, so that nothing of the program outlives either.

    supervisor --- control pipe ---> keeper (own session, reaper of orphans) ---> program (own session) ---> ...
               <--- report pipe ----

The keeper starts the program, has its end noted at once (so that a kill of the supervisor does not make finished work
unknown), then ends whatever it has left behind (children, daemons, children in sessions of their own): TERM, grace,
KILL. It does the same when the supervisor says so, and when the control pipe closes, which the kernel does when the
supervisor ends, however it ends and however early. Where the keeper itself is killed, the kernel kills the program
(`PR_SET_PDEATHSIG`) and the supervisor, a reaper of orphans too, the rest, both at once. Where both are killed, the server
of forks does that, where there is one.

Being a reaper (`PR_SET_CHILD_SUBREAPER`, Linux >= 3.4) makes daemons findable. Where the kernel does not offer it (macOS)
only processes that are still linked to the program by their parents are found.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import platform
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

NAME = "phasegate-keep"  # of the process; at most 15 characters
PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_CHILD_SUBREAPER = 1, 15, 36
KEYCTL = {"x86_64": 250, "aarch64": 219}  # the number of the system call
KEYCTL_JOIN_SESSION_KEYRING = 1
STOPPED_GRACE_S = 1.0
WRAPPERS = {"bwrap"}  # they end when what they wrap has ended; TERM would end both at once
STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


TIMEOUT, TOLD, SPENT = "timeout", "told", "spent"  # why a program is stopped
STOPPED_CODES = {TIMEOUT: 124, SPENT: 125}


@dataclass(frozen=True)
class Kept:
    """A keeper seen from the supervisor: its process id and the ends of pipes that lead to it."""

    pid: int
    output: int
    errors: int | None
    report: int
    control: int

    def stop(self, grace_s: float, why: str) -> None:
        """Let it end the program with all that belongs to it."""
        with contextlib.suppress(OSError):
            os.write(self.control, f"{grace_s} {why}\n".encode())


@dataclass(frozen=True)
class Program:
    """What is to be started. `stdin` is an open file descriptor; `grace_s` is for what it leaves behind.

    `note` is called, in the keeper, with exit code, why it was stopped (empty where it ended by itself) and duration in
    seconds; not where it was told to stop, for then its end says nothing. `apart`: standard error is a pipe of its own.
    """

    command: Sequence[str]
    folder: Path
    env: Mapping[str, str]
    stdin: int
    grace_s: float
    note: Callable[[int, str, float], None]
    apart: bool = False


def start(program: Program) -> Kept:
    """Fork the keeper of a program. Its reports are lines of JSON, see `_keep`."""
    output, report, control = os.pipe(), os.pipe(), os.pipe()
    errors = os.pipe() if program.apart else None
    mine = [output[0], report[0], control[1], *([errors[0]] if errors else [])]
    its = [output[1], report[1], control[0], *([errors[1]] if errors else [])]
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid == 0:
        try:
            for handle in mine:
                os.close(handle)
            _keep(program, (output[1], errors[1] if errors else output[1]), report[1], control[0])
        finally:
            os._exit(1)
    for handle in its:
        os.close(handle)
    return Kept(pid, output[0], errors[0] if errors else None, report[0], control[1])


def _keep(program: Program, streams: tuple[int, int], report: int, control: int) -> NoReturn:
    """Life of a keeper. Reports {errno}, or {exit, stopped, duration_s} and then {killed: [names]}, and ends."""
    os.setsid()
    adopt_orphans()
    _show_name()
    wake, woken = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    for number in (*STOPPING, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)  # a function, since the program would inherit SIG_IGN
    signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
    begin = time.monotonic()
    try:
        child = _start_program(program, streams)
    except OSError as error:
        _say(report, errno=error.errno)
        os._exit(0)
    for handle in set(streams):
        os.close(handle)
    code, stopped, grace_s = _wait(child, control, wake, program.grace_s)
    took = time.monotonic() - begin
    if stopped != TOLD:
        try:
            program.note(code, stopped, took)
        except OSError as error:
            _say(report, unnoted=str(error))
    _say(report, exit=code, stopped=stopped, duration_s=took)
    _say(report, killed=end_tree(grace_s, control))
    os._exit(0)


def _start_program(program: Program, streams: tuple[int, int]) -> int:
    prctl, keeper = _prctl(), os.getpid()
    call, keyctl = _system_call(), KEYCTL.get(platform.machine())

    def prepare() -> None:
        if call and keyctl:
            call(keyctl, KEYCTL_JOIN_SESSION_KEYRING, None)  # an empty one; where it is not allowed there is none to inherit
        if prctl:
            prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != keeper:
                os._exit(1)

    started = subprocess.Popen(  # noqa: PLW1509 - this process has one thread
        list(program.command),
        cwd=program.folder,
        env=dict(program.env),
        stdin=program.stdin,
        stdout=streams[0],
        stderr=streams[1],
        start_new_session=True,
        preexec_fn=prepare,
    )
    started.returncode = 0  # it is reaped here, not by the object
    return started.pid


def _wait(child: int, control: int, wake: int, grace_s: float) -> tuple[int, str, float]:
    """Exit code of the program, why it is to be stopped (empty: it has ended by itself), grace for what is left."""
    while True:
        select.select([control, wake], [], [])
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        code = reap(child)
        if code is not None:
            return code, "", grace_s
        asked = _asked(control)
        if asked is not None:
            return STOPPED_CODES.get(asked[1], 0), asked[1], asked[0]


def _asked(control: int) -> tuple[float, str] | None:
    """The grace that the supervisor grants before everything is killed, and why; None where it has said nothing."""
    if not select.select([control], [], [], 0)[0]:
        return None
    said = os.read(control, 4096).split(b"\n")[0].split()
    return (float(said[0]), said[1].decode()) if said else (STOPPED_GRACE_S, TOLD)  # closed: the supervisor is gone


def reap(child: int) -> int | None:
    """Reap every process that has ended; the exit code of `child` (128 + signal) where it is among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            found = code if code >= 0 else 128 - code


def _say(report: int, **what: Any) -> None:
    with contextlib.suppress(OSError):  # the supervisor may be gone
        os.write(report, json.dumps(what).encode() + b"\n")


def end_tree(grace_s: float, control: int | None = None) -> list[str]:
    """End every descendant of this process: TERM, grace, KILL. Returns the names of those that were there.

    While it waits, a word on `control` may shorten the grace.
    """
    found = [(process, name) for process in _living() if (name := _name(process)) not in WRAPPERS]
    for process, _ in found:
        _send(process, signal.SIGTERM)
    begin = time.monotonic()
    while _living() and time.monotonic() < begin + grace_s:
        time.sleep(0.02)
        asked = _asked(control) if control is not None else None
        if asked is not None:
            grace_s, control = min(grace_s, asked[0]), None
    for _ in range(200):
        left = _living()
        if not left:
            break
        for process in left:
            _send(process, signal.SIGKILL)
        time.sleep(0.01)
    return sorted(name for _, name in found)


def _living() -> list[Any]:
    """The descendants that have not ended; zombies among the own children are reaped."""
    reap(0)
    if not _has_children():
        return []  # as a rule; psutil takes longer to import than most programs leave anything behind
    import psutil  # comes with Snakemake; it walks /proc so that we need not

    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _has_children() -> bool:
    """Whether there is a child, and so possibly a descendant: orphans become children of their reaper."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _name(process: Any) -> str:
    import psutil

    try:
        return str(process.name())
    except psutil.Error:
        return "?"


def _send(process: Any, number: int) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def _prctl() -> Any:
    return ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def _system_call() -> Any:
    return ctypes.CDLL(None, use_errno=True).syscall if sys.platform == "linux" else None


def _show_name() -> None:
    """Let others tell a keeper from a program that was left behind."""
    prctl = _prctl()
    if prctl:
        prctl(PR_SET_NAME, NAME.encode(), 0, 0, 0)


def end_orphans(own: Container[int]) -> bool:
    """Kill the programs among the children of this process that are not its `own`: their keeper and its supervisor were both killed.

    A program has a session of its own, and so has a keeper, which goes on with its work; what a supervisor has started for itself
    (git) ends by itself. Says whether there were any such children; what they leave may come to this process, too.
    """
    import psutil

    try:
        found = [child for child in psutil.Process().children() if child.pid not in own]
    except psutil.Error:
        return True
    for child in found:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(child.pid) != os.getsid(0) and _name(child) != NAME:
                _send(child, signal.SIGKILL)
    return bool(found)


def adopt_orphans() -> None:
    """Become the reaper of all orphans among the descendants of this process."""
    prctl = _prctl()
    if prctl:
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def die_with_parent(expected: int | None = None) -> None:
    """Ask the kernel for TERM when the parent ends; exits at once where it has ended already.

    `expected` is the process id of the parent that started this process, where it is known.
    """
    prctl = _prctl()
    if prctl:
        parent = expected or os.getppid()
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if parent == 1 or os.getppid() != parent:
            raise SystemExit(143)
