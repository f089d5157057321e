"""A fork becomes a job: it takes what the client asks for, then runs the script to its end."""

from __future__ import annotations

import atexit
import contextlib
import hmac
import os
import signal
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from types import CodeType

from workflow.commands import PARENT
from workflow.forks import preparing

PATIENCE_S = 5.0
LIMIT = 16_000_000  # bytes of a request; a kernel allows less for a command line and its environment, as a rule


@dataclass(frozen=True)
class Request:
    """What a client asks for. `streams` are descriptors for standard input, output and error."""

    folder: bytes
    words: tuple[str, ...]
    variables: dict[bytes, bytes]
    streams: tuple[int, ...]


def become(client: socket.socket, token: bytes) -> None:
    """Be the job that the client asks for, and end with it."""
    asked = receive(client, token)
    if asked is None:
        os._exit(1)
    _take_over(asked)
    code = preparing.code_of(Path(asked.words[0]))
    client.sendall(b"begun\n")
    ended = _carry_out(code)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(ended)  # taking down all that was imported costs more than most jobs do


def receive(client: socket.socket, token: bytes) -> Request | None:
    """What the client asks for; None where it says nothing that can be understood, or has not the token."""
    client.settimeout(PATIENCE_S)
    try:
        data, streams, _, _ = socket.recv_fds(client, 65536, 3)
        wanted = 4 + int.from_bytes(data[:4], "big")
        while len(data) < min(wanted, LIMIT):
            more = client.recv(65536)
            if not more:
                return None
            data += more
    except OSError:
        return None
    client.settimeout(None)
    said, *parts = data[4:].split(b"\0")
    if not hmac.compare_digest(said, token) or len(streams) != 3 or len(parts) < 3:
        return None
    folder, count, rest = parts[0], int(parts[1]), parts[2:-1]
    pairs = (pair.partition(b"=") for pair in rest[count:])
    return Request(folder, tuple(map(os.fsdecode, rest[:count])), {name: value for name, _, value in pairs}, tuple(streams))


def _take_over(asked: Request) -> None:
    """Folder, variables, words and streams as asked for."""
    _show(asked.words)  # which finds its room by the variables that are there still
    for handle, stream in enumerate(asked.streams):
        os.dup2(stream, handle)
        os.close(stream)
    os.chdir(asked.folder)
    os.environb.clear()
    os.environb.update(asked.variables)
    os.environ[PARENT] = str(os.getppid())  # whom it ends with
    sys.argv[:] = asked.words


def _show(words: tuple[str, ...]) -> None:
    """Let `ps` show what this is."""
    os.environ["SPT_NOENV"] = "1"  # else a long title runs over the environment, which /proc shows
    with contextlib.suppress(ImportError):
        from setproctitle import setproctitle

        setproctitle(" ".join(["phasegate:", Path(words[0]).stem, *words[1:4]]))
    del os.environ["SPT_NOENV"]


def _carry_out(code: CodeType) -> int:
    """Run a script; the exit code that Python would end with."""
    try:
        exec(code, {"__name__": "__main__", "__file__": sys.argv[0]})  # noqa: S102 - a script of our own
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BaseException:
        sys.excepthook(*sys.exc_info())
        return 1
    return 0
