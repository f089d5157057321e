"""api: the events of Phasegate's own agent (scripts/api_agent.py), one JSON object a line.

{"event": "start", "model": "..."}
{"event": "call", "input_tokens": 1, "output_tokens": 1, "cached_tokens": 0}     after each model call
{"event": "tool", "name": "write", "path": "..."}
{"event": "end", "said": "ok" | "error", "kind": "rate_limit", "message": "..."}
"""

from __future__ import annotations

from typing import Any, get_args

from workflow.work.runners.events.base import Reader, count, text
from workflow.work.runners.events.problems import Kind, Problem, one_line


class Api(Reader):
    """Reads our own events."""

    name = "api"
    login = "set OPENAI_API_KEY or ANTHROPIC_API_KEY"

    def event(self, event: dict[str, Any]) -> None:
        """Take one event."""
        kind = event.get("event")
        if kind == "start":
            self.of_model(event.get("model"))
        elif kind == "call":
            self.called()
            self.add(**{key: count(event.get(key)) for key in ("input_tokens", "output_tokens", "cached_tokens")})
        elif kind == "end" and event.get("said") == "ok":
            self.went_well()
        elif kind == "end":
            known = event.get("kind") in get_args(Kind)
            self.ended_well = False
            self.trouble = Problem(event["kind"] if known else "other", one_line(text(event.get("message"))) or "error")
