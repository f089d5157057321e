"""The server: it gets ready, and forks for each client that asks. Started by `starting.start`.

python server.py LISTENER      the number of an inherited socket that listens; standard input is a pipe from snakemake
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parents[2])

from workflow.forks import ADDRESS, becoming, preparing  # noqa: E402
from workflow.work import keeper  # noqa: E402

OF_TERMINAL = (signal.SIGINT, signal.SIGHUP)  # jobs hear of them by themselves, and the server ends with snakemake
CONTROL = 0


@dataclass
class Server:
    """The process that forks. `jobs` are the connections to the clients of living jobs, by process id."""

    listener: socket.socket
    jobs: dict[int, socket.socket] = field(default_factory=dict)
    stopping: bool = False
    bereft: bool = False  # a job was killed, and something of it may be left

    def serve(self) -> socket.socket | None:
        """Serve until snakemake is gone and no job is left. Returns in each fork, too, with the connection to its client."""
        signals, getting_ready = _Signals(self._told_to_stop), preparing.steps()
        keeper.adopt_orphans()
        idle: float | None = 0
        with select.epoll() as ready:
            for one in (self.listener.fileno(), signals.descriptor, CONTROL):
                ready.register(one, select.EPOLLIN)
            while self.jobs or not self.stopping:
                found = ready.poll(idle)
                if not found and not self.stopping and next(getting_ready, self) is self:
                    idle = None
                for handle, _ in found:
                    if handle == self.listener.fileno():
                        client = self._fork(ready)
                        if client is not None:
                            signals.forget()
                            return client
                    elif handle == signals.descriptor:
                        signals.clear()
                    elif handle == CONTROL:
                        ready.unregister(handle)
                        self._stop()
                    else:
                        ready.unregister(handle)  # this client has hung up, or was told to stop
                        _end(next(child for child, client in self.jobs.items() if client.fileno() == handle))
                self._reap(ready)
        return None

    def _fork(self, ready: select.epoll) -> socket.socket | None:
        """Fork for a client; the connection in the fork, None here."""
        client, _ = self.listener.accept()
        server = os.getpid()
        try:
            if self.stopping or _user(client) != os.getuid():
                raise PermissionError
            child = os.fork()
        except OSError:  # or there may be no more processes
            client.close()
            return None
        if child == 0:
            keeper.die_with_parent(server)
            for one in (self.listener, *self.jobs.values()):
                one.close()
            return client
        self.jobs[child] = client
        ready.register(client, select.EPOLLRDHUP)  # what it says is for the fork
        return None

    def _reap(self, ready: select.epoll) -> None:
        """Tell the clients of jobs that have ended how they did; where a job was killed, end what nobody keeps any more.

        What a job has left behind may hold the connection, which would be watched still under a number that is another's by then.
        """
        while ended := _ended():
            child, code = ended
            if child not in self.jobs:
                continue  # an orphan
            self.bereft = self.bereft or code < 0
            with self.jobs.pop(child) as client:
                with contextlib.suppress(FileNotFoundError):
                    ready.unregister(client)
                with contextlib.suppress(OSError):
                    client.sendall(b"%d\n" % (code if code >= 0 else 128 - code))
        self.bereft = self.bereft and keeper.end_orphans(self.jobs)

    def _told_to_stop(self) -> None:
        """What TERM does, also in the middle of an import."""
        self._stop()
        if not self.jobs:
            os._exit(0)

    def _stop(self) -> None:
        self.stopping = True
        for child in list(self.jobs):
            _end(child)


def _ended() -> tuple[int, int] | None:
    """A child that has ended, and its exit code (minus the signal that killed it); None where there is none."""
    try:
        child, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (child, os.waitstatus_to_exitcode(status)) if child else None


def _end(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)


class _Signals:
    """The server's signals: TERM stops it, the end of a job wakes it up; a terminal's are left to the jobs."""

    def __init__(self, stop: Any) -> None:
        self.heeded = [number for number in OF_TERMINAL if signal.getsignal(number) is not signal.SIG_IGN]
        self.ends = socket.socketpair()
        for end in self.ends:
            end.setblocking(False)
        self.descriptor = self.ends[0].fileno()
        signal.set_wakeup_fd(self.ends[1].fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: stop())
        for number in OF_TERMINAL:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, OF_TERMINAL)

    def clear(self) -> None:
        """They have been heard."""
        with contextlib.suppress(BlockingIOError):
            self.ends[0].recv(4096)

    def forget(self) -> None:
        """Back to what a new process has; what snakemake ignores (`nohup`) stays ignored."""
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        for number in self.heeded:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        for end in self.ends:
            end.close()


def _user(client: socket.socket) -> int:
    """The user at the other end."""
    _process, user, _group = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
    return int(user)


def main() -> None:
    """Serve; in a fork, be the job."""
    keeper.die_with_parent()  # TERM interrupts what it imports, too; the end of its pipe would be seen only afterwards
    with socket.socket(fileno=int(sys.argv[1])) as listener:
        client = Server(listener).serve()
    if client is not None:
        becoming.become(client, os.environb[ADDRESS.encode()].partition(b":")[2])


if __name__ == "__main__":
    main()
