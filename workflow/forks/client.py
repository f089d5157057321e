"""Run a script of scripts/ as a fork of the server, or become it where there is no server. Ends with its exit code.

    python -S -E client.py SCRIPT [WORD...]

Imports next to nothing, since each job pays for it; `_socket` is what the module `socket` wraps.
"""

import _socket
import os
import signal
import sys

GONE = 137  # as if killed: neither the job nor the server has said how it ended


def ask(server: "_socket.socket", words: list[str]) -> bool:
    """Ask for a script; whether the server has begun with it."""
    name, _, token = os.environb.get(b"PHASEGATE_FORKS", b"").partition(b":")
    if not token:
        return False
    variables = [key + b"=" + value for key, value in os.environb.items()]
    parts = [token, os.getcwdb(), str(len(words)).encode(), *map(os.fsencode, words), *variables]
    told = b"".join(part + b"\0" for part in parts)
    message = len(told).to_bytes(4, "big") + told
    streams = b"".join(handle.to_bytes(4, sys.byteorder) for handle in (0, 1, 2))
    try:
        server.connect(b"\0" + name)
        sent = server.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
        server.sendall(message[sent:])
        return server.recv(6) == b"begun\n"
    except OSError:
        return False


def end_of_job(server: "_socket.socket") -> int:
    """Wait for the end of the job; its exit code."""
    try:
        return int(server.recv(16) or GONE)
    except OSError:
        return GONE


def main() -> None:
    """TERM is passed on; a terminal's signals reach the job by themselves."""
    server = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)

    def stop(number: int, _frame: object) -> None:
        try:
            server.shutdown(_socket.SHUT_WR)
        except OSError:  # it has not asked yet
            os._exit(128 + number)

    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGHUP)}
    before[signal.SIGTERM] = signal.signal(signal.SIGTERM, stop)
    if ask(server, sys.argv[1:]):
        os._exit(end_of_job(server))
    for number, handler in before.items():
        signal.signal(number, handler)
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])  # noqa: S606 - an argument list


if __name__ == "__main__":
    main()
