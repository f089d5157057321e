"""gemini: `--output-format stream-json` prints events, `json` one object over many lines (an error: to standard error).

Its exit code is the HTTP status modulo 256.
"""

from __future__ import annotations

import re
from typing import Any

from workflow.work.runners.events.base import LINE_LIMIT, Reader, at, count, parse, text, total


class Gemini(Reader):
    """Reads both formats."""

    name = "gemini"
    login = "set GEMINI_API_KEY, or log in with `gemini` and use `home: shared`"

    def __init__(self) -> None:
        """Nothing is known yet."""
        super().__init__()
        self._object: dict[str, list[bytes]] = {"out": [], "err": []}
        self._speaks = False

    def event(self, event: dict[str, Any]) -> None:
        """Take one event, or the one object."""
        kind = event.get("type")
        if kind == "init":
            self.of_model(event.get("model"))
        elif kind == "tool_result" or (kind == "message" and event.get("role") == "user"):
            self._speaks = False
        elif kind in ("message", "tool_use") and not self._speaks:
            self._speaks, self.trouble = True, None
            self.called()
        elif kind == "error" and event.get("severity") != "warning":
            self.failed(text(event.get("message")) or "error")
        elif kind == "result" or (kind is None and "session_id" in event):
            self._result(event)

    def words(self, stream: str, line: bytes) -> None:
        """Gather the object that is printed over many lines; note retries."""
        gathered = self._object[stream]
        if line.rstrip() == b"{" or (gathered and sum(map(len, gathered)) < LINE_LIMIT):
            gathered[:] = [line] if line.rstrip() == b"{" else [*gathered, line]
            if line.rstrip() == b"}":
                found = parse(b"\n".join(gathered))
                gathered.clear()
                if isinstance(found, dict):
                    self.event(found)
            return
        retry = re.match(rb"Attempt \d+ failed with status (\d+)", line)
        if retry:
            self.failed(line[:400].decode("utf-8", "replace"), int(retry[1]))
        super().words(stream, line)

    def _result(self, event: dict[str, Any]) -> None:
        error, stats = event.get("error"), event.get("stats")
        models = at(stats, "models")
        self._spent(stats, models if isinstance(models, dict) else {})
        if error or event.get("status", "success") != "success":
            code = count(at(error, "code"))
            self.failed(_plain(text(at(error, "message")) or "error"), code if code and code >= 400 else None)
        elif "response" in event or event.get("status") == "success":
            self.went_well()

    def _spent(self, stats: Any, models: dict[str, Any]) -> None:
        used = {name: model for name, model in models.items() if total(at(model, "total_tokens"), at(model, "tokens", "total"))}
        tokens = [at(model, "tokens") if isinstance(at(model, "tokens"), dict) else model for model in used.values()]
        self.grow(
            input_tokens=total(*(at(model, "prompt") if "prompt" in model else at(model, "input_tokens") for model in tokens)),
            output_tokens=total(*(at(model, key) for model in tokens for key in ("candidates", "thoughts", "output_tokens"))),
            cached_tokens=total(*(at(model, "cached") for model in tokens)),
            model_calls=total(*(at(model, "api", "totalRequests") for model in used.values())),
        )
        if used:
            self.of_model(max(used, key=lambda name: total(at(used[name], "total_tokens"), at(used[name], "tokens", "total")) or 0))


def _plain(message: str) -> str:
    """The text inside `[API Error: {"error": {"code": 401, "message": ...}}]`, with its code."""
    inner = re.search(r"\{.*\}", message, re.DOTALL)
    found = parse(inner[0]) if inner else None
    code, said = count(at(found, "error", "code")), text(at(found, "error", "message"))
    return f"{code} {said}" if code and said else message
