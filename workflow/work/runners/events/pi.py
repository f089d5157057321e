"""pi: `pi -p --mode json` prints messages; each assistant message carries its usage, its cost and why it stopped.

It exits 0 whatever happened.
"""

from __future__ import annotations

from typing import Any

from workflow.work.runners.events.base import Reader, at, count, money, text, total


class Pi(Reader):
    """Reads `pi --mode json`. Updates repeat the whole message so far; they are not even parsed."""

    name = "pi"
    login = "set the provider's variable (such as ANTHROPIC_API_KEY), or log in with `pi` and use `home: shared`"
    skipped = (b'{"type":"message_update"', b'{"type":"agent_end"', b'{"type":"tool_execution')

    def event(self, event: dict[str, Any]) -> None:
        """Take one event."""
        message = event.get("message")
        if event.get("type") != "message_end" or at(message, "role") != "assistant":
            return
        self.called(at(message, "model"))
        usage, why = at(message, "usage"), at(message, "stopReason")
        cached = count(at(usage, "cacheRead"))
        if why not in ("error", "aborted") or total(at(usage, "totalTokens")):
            self.add(input_tokens=total(at(usage, "input"), cached, at(usage, "cacheWrite")), cached_tokens=cached)
            self.add(output_tokens=count(at(usage, "output")), cost_usd=money(at(usage, "cost", "total")))
        if why == "stop":
            self.went_well()
        elif why == "toolUse":
            self.trouble, self.ended_well = None, False
        else:
            self.failed(text(at(message, "errorMessage")) or f"the model stopped because of: {why}")
