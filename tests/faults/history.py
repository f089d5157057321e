"""The history: what the fake agents say they did, one JSON object per line, appended in one write each."""

from __future__ import annotations

import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults.census import Process


@dataclass(frozen=True)
class Event:
    """One event. `at` is the machine's monotonic clock in seconds, `attempt` the attempt's folder, `token` names the call of snakemake."""

    kind: str
    at: float
    phase: str
    agent: str
    attempt: str
    pid: int
    start: int
    token: str = ""
    code: int | None = None

    @property
    def agent_dir(self) -> str:
        """The folder of the agent."""
        return self.attempt.rsplit("/", 2)[0]

    @property
    def number(self) -> int:
        """The number of the attempt."""
        return int(self.attempt.rsplit("/", 1)[1])

    @property
    def process(self) -> Process:
        """The process that reported it."""
        return Process(self.pid, self.start)


def parse(line: str) -> Event:
    """The event in one line."""
    found = json.loads(line)
    return Event(**{key: found[key] for key in Event.__dataclass_fields__ if key in found})


@dataclass
class History:
    """A history file that grows while it is read."""

    path: Path
    events: list[Event] = field(default_factory=list)
    _offset: int = 0

    def read(self) -> list[Event]:
        """All events so far, in the order in which they were written."""
        if self.path.exists():
            with self.path.open("rb") as file:
                file.seek(self._offset)
                fresh = file.read()
            whole = fresh[: fresh.rfind(b"\n") + 1]
            self._offset += len(whole)
            self.events += [parse(line) for line in whole.decode().splitlines()]
        return self.events

    def of(self, attempt: str, kind: str) -> list[Event]:
        """The events of one kind of one attempt."""
        return [event for event in self.events if event.attempt == attempt and event.kind == kind]


class Ear(threading.Thread):
    """Hears events from inside a sandbox on an abstract socket and appends them; the kernel says who spoke."""

    def __init__(self, name: str, path: Path) -> None:
        """`name` without the leading null byte."""
        super().__init__(daemon=True)
        self.way = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.way.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.way.bind("\0" + name)
        self.path = path

    def run(self) -> None:
        """Copy events until the socket is closed."""
        while True:
            try:
                line, extra, _, _ = self.way.recvmsg(65536, socket.CMSG_SPACE(12))
            except OSError:
                return
            if not line:
                return  # the socket was shut down
            event: dict[str, Any] = json.loads(line)
            for _, kind, data in extra:
                if kind == socket.SCM_CREDENTIALS:
                    event["pid"] = struct.unpack("3i", data[:12])[0]
            with self.path.open("ab", buffering=0) as file:
                file.write(json.dumps(event).encode() + b"\n")

    def close(self) -> None:
        """Stop listening."""
        self.way.shutdown(socket.SHUT_RDWR)
        self.way.close()
