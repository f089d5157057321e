"""opencode: `opencode run --format json` prints steps; each `step_finish` carries the tokens and the cost of one model call.

While it waits to try again after a 429 it prints nothing; with `--print-logs` its log on standard error says why.
"""

from __future__ import annotations

import re
from typing import Any

from workflow.work.runners.events.base import Reader, at, count, money, text, total


class OpenCode(Reader):
    """Reads `opencode run --format json`."""

    name = "opencode"
    login = "set the provider's variable (such as ANTHROPIC_API_KEY), or log in with `opencode auth login` and use `home: shared`"

    def event(self, event: dict[str, Any]) -> None:
        """Take one event."""
        kind, part = event.get("type"), event.get("part")
        if kind == "step_start":
            self.called()
            self.trouble, self.ended_well = None, False
        elif kind == "step_finish":
            tokens = at(part, "tokens")
            cached = count(at(tokens, "cache", "read"))
            self.add(input_tokens=total(at(tokens, "input"), cached, at(tokens, "cache", "write")), cached_tokens=cached)
            self.add(output_tokens=total(at(tokens, "output"), at(tokens, "reasoning")), cost_usd=money(at(part, "cost")))
            if at(part, "reason") == "stop":
                self.went_well()
            elif at(part, "reason") in ("length", "content-filter", "error"):
                self.failed(f"the model stopped because of: {at(part, 'reason')}")
        elif kind == "error":
            self._error(event.get("error"))

    def words(self, stream: str, line: bytes) -> None:
        """Note what its log says about a call that failed."""
        super().words(stream, line)
        said = line[:4000].decode("utf-8", "replace")
        call = re.search(r'error\.error="(?:AI_\w+: )?([^"]*)', said)
        if stream == "err" and "level=ERROR" in said and "small=true" not in said and call:
            self.failed(call[1])

    def _error(self, error: Any) -> None:
        said = text(at(error, "data", "message")) or text(at(error, "message")) or text(at(error, "name")) or "error"
        self.failed(said, count(at(error, "data", "statusCode")))
