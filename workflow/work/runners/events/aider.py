"""aider: its output is for people; `--analytics-log FILE` (we name it ~/analytics.jsonl) gets an event for each message.

It exits 0 on 400 and 401.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from workflow.work.runners.events.base import Reader, at, count, money, parse, text
from workflow.work.runners.events.tails import Tail

LOG = "analytics.jsonl"
ERROR = re.compile(rb"litellm\.\w*(?:Error|Exception|Timeout)\b")


class Aider(Reader):
    """Reads the analytics log, and errors of its model library in the output."""

    name = "aider"
    login = "set the provider's variable (such as OPENAI_API_KEY)"

    def __init__(self) -> None:
        """Nothing is known yet."""
        super().__init__()
        self._tail: Tail | None = None
        self._answered = False

    def words(self, stream: str, line: bytes) -> None:
        """Note errors of the model library; they come before the analytics of a later success."""
        super().words(stream, line)
        if ERROR.search(line[:400]):
            self.failed(line[:1000].decode("utf-8", "replace"))

    def poll(self, home: Path) -> None:
        """Read what the log has gained."""
        self._tail = self._tail or Tail(home / LOG)
        for line in self._tail.lines():
            found = parse(line)
            if isinstance(found, dict):
                self._logged(text(found.get("event")), found.get("properties"))

    def _logged(self, event: str, said: Any) -> None:
        if event == "message_send_starting":
            self.called()
        elif event == "message_send":
            self.of_model(at(said, "main_model"))
            self.add(input_tokens=count(at(said, "prompt_tokens")), output_tokens=count(at(said, "completion_tokens")))
            self.grow(cost_usd=money(at(said, "total_cost")))
            self._answered, self.trouble = True, None
            if self.usage.model_calls is None:
                self.called()
        elif event == "message_send_exception":
            self.failed(text(at(said, "exception")) or "the message could not be sent")
        elif event == "exit" and self._answered and self.trouble is None:
            self.went_well()
