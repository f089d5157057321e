"""The server: it answers requests as the scripts say, and remembers every one of them.

It binds to 127.0.0.1 on a free port and stops with its context; requests that hang are let go then.

    with serve(works(Write("a.txt", "A\n"))) as model:
        ...  # point a client at model.url
    assert model.calls == 2
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from models import chat, gemini, messages, responses
from models.dialects import Answer, Asked
from models.scripts import Fault, Script, no_op
from models.tools import call_for

TEXTS = {
    400: "The request is not valid: no such parameter.",
    401: "Incorrect API key provided.",
    402: "You have run out of credits.",
    403: "Your account has no access to this model.",
    404: "The model does not exist.",
    429: "Rate limit reached for this model.",
    503: "The model is overloaded.",
}


@dataclass(frozen=True)
class Seen:
    """One request that came in, and the status it got (0: no complete answer)."""

    at: float
    path: str
    model: str
    tools: tuple[str, ...]
    turn: int
    prompt: str
    status: int
    stream: bool


@dataclass
class Model:
    """A running scripted model. `url` is where it listens, without a path; `calls` counts what a real one would bill or refuse."""

    scripts: list[Script]
    url: str = ""
    requests: list[Seen] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    strangers: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _faults: Counter[tuple[str, int]] = field(default_factory=Counter)

    @property
    def calls(self) -> int:
        """How many model calls have come in."""
        return len(self.requests)

    def statuses(self) -> list[int]:
        """The status that each call got, in order."""
        return [seen.status for seen in self.requests]

    def script(self, prompt: str) -> Script:
        """The first script whose `when` stands in the prompt."""
        return next((script for script in self.scripts if script.when in prompt), no_op())

    def fault(self, asked: Asked) -> Fault | None:
        """What goes wrong with this request, if anything; faults that come a number of times are counted."""
        fault = self.script(asked.prompt).turn(asked.turn).fault
        if fault is None:
            return None
        with self._lock:
            self._faults[asked.prompt, asked.turn] += 1
            spent = fault.times is not None and self._faults[asked.prompt, asked.turn] > fault.times
        return None if spent else fault

    def remember(self, path: str, asked: Asked, status: int) -> None:
        """Note a request."""
        seen = Seen(time.time(), path, asked.model, tuple(asked.tools), asked.turn, asked.prompt, status, asked.stream)
        with self._lock:
            self.requests.append(seen)

    def answer(self, asked: Asked) -> Answer:
        """What the script says at this point of the conversation."""
        turn = self.script(asked.prompt).turn(asked.turn)
        calls = [call_for(action, asked.tools) for action in turn.actions]
        return Answer(asked.model, turn, tuple(call for call in calls if call is not None))


class Handler(BaseHTTPRequestHandler):
    """Answers one client."""

    protocol_version = "HTTP/1.1"
    model: Model

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Lists of models; nothing else."""
        if self.path.split("?")[0].endswith("/models"):
            self._send(200, {"object": "list", "data": [{"id": "scripted", "object": "model"}], "models": []})
        else:
            self._unknown()

    def do_POST(self) -> None:
        """A model call, in the dialect that the path stands for."""
        body = self._body()
        dialect = _dialect(self.path)
        if dialect is None or not isinstance(body, dict):
            self._unknown()
            return
        asked = dialect.read(self.path.split("?")[0], body)
        fault = self.model.fault(asked)
        if fault and fault.kind == "status":
            self.model.remember(self.path, asked, fault.status)
            self._send(fault.status, dialect.error(fault.status, TEXTS.get(fault.status, "The server had an error.")))
        elif fault and fault.kind == "hang":
            self.model.remember(self.path, asked, 0)
            self.model.closing.wait()
            self.close_connection = True
        else:
            self.model.remember(self.path, asked, 0 if fault else 200)
            self._tell(dialect, asked, bool(fault))

    def _tell(self, dialect: Any, asked: Asked, cut: bool) -> None:
        told = self.model.answer(asked)
        if not asked.stream:
            self._send(200, dialect.answer(told), cut)
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        events = list(dialect.stream(told))
        for data in events[: max(1, len(events) // 2)] if cut else events:
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        if not cut:
            self.wfile.write(b"0\r\n\r\n")
        self.close_connection = cut

    def _send(self, status: int, value: Any, cut: bool = False) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = cut

    def _body(self) -> Any:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            data = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with contextlib.suppress(ValueError):
            return json.loads(data)

    def _unknown(self) -> None:
        self.model.strangers.append(f"{self.command} {self.path}")
        self._send(404, {"error": {"message": "There is no such thing here."}})


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *words: Any) -> None:
        """A client that was killed is no error of the server."""


def _dialect(path: str) -> Any:
    plain = path.split("?")[0]
    if plain.endswith("/chat/completions"):
        return chat
    if plain.endswith("/responses"):
        return responses
    if plain.endswith("/messages"):
        return messages
    return gemini if plain.endswith(("generateContent", "GenerateContent")) else None


@contextlib.contextmanager
def serve(*scripts: Script) -> Iterator[Model]:
    """A scripted model that listens while the context lasts."""
    model = Model(list(scripts))
    server = _Server(("127.0.0.1", 0), type("Bound", (Handler,), {"model": model}))
    model.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield model
    finally:
        model.closing.set()
        server.shutdown()
        server.server_close()
        thread.join(5)
