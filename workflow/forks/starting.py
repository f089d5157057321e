"""The main process's side: start the server, once, and tell the jobs where it is."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
from pathlib import Path

from workflow.forks import ADDRESS

BACKLOG = 128
_server: subprocess.Popen[bytes] | None = None


def start() -> None:
    """Start the server of this call; it ends with this process. Nothing happens where it runs, or where the system is not Linux."""
    global _server
    if _server is None and sys.platform == "linux":
        _server, os.environ[ADDRESS] = launch(Path(__file__).with_name("server.py"))


def forget() -> None:
    """There is no server for the jobs of this process: those of a cluster belong to their node."""
    os.environ.pop(ADDRESS, None)


def launch(program: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server, and its address. It ends when its standard input is closed; clients may ask at once and wait until it is up."""
    name, token = f"phasegate-{os.getpid()}-{secrets.token_hex(4)}", secrets.token_hex(32)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(f"\0{name}")
        listener.listen(BACKLOG)
        command = [sys.executable, str(program), str(listener.fileno())]
        env = {**os.environ, ADDRESS: f"{name}:{token}"}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})  # until it ignores them
        try:
            started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=env, pass_fds=[listener.fileno()])
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return started, env[ADDRESS]
