"""codex: `codex exec --json` prints items and turns; tokens of each call stand in the rollout files below ~/.codex/sessions.

The printed usage comes only when the turn is over, so that a budget could not be watched by it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow.work.runners.events.base import Reader, at, count, parse, text, total
from workflow.work.runners.events.tails import Tail, below


class _Rollout:
    """The usage of one thread (a sub-agent has its own), from its file."""

    def __init__(self, path: Path) -> None:
        self.tail, self.records, self.totals = Tail(path), 0, 0
        self.input = self.output = self.cached = 0
        self.model: str | None = None

    def read(self) -> None:
        for line in self.tail.lines():
            if b'"token_' not in line and b'"turn_context"' not in line:
                continue
            event = parse(line)
            kind, payload = at(event, "type"), at(event, "payload")
            if kind == "token_usage_record":
                self.records += 1
            elif kind == "turn_context":
                self.model = text(at(payload, "model")) or self.model
            elif at(payload, "type") == "token_count":
                self._total(at(payload, "info", "total_token_usage"))

    def _total(self, usage: Any) -> None:
        spent = total(at(usage, "input_tokens"), at(usage, "output_tokens")) or 0
        self.totals += spent > self.input + self.output
        self.input = max(self.input, count(at(usage, "input_tokens")) or 0)
        self.output = max(self.output, count(at(usage, "output_tokens")) or 0)
        self.cached = max(self.cached, count(at(usage, "cached_input_tokens")) or 0)

    @property
    def calls(self) -> int:
        return max(self.records, self.totals)


class Codex(Reader):
    """Reads `codex exec --json`."""

    name = "codex"
    login = "set CODEX_API_KEY, or log in with `codex login` and use `home: shared`"

    def __init__(self) -> None:
        """Nothing is known yet."""
        super().__init__()
        self._rollouts: dict[Path, _Rollout] = {}
        self._items = 0

    def event(self, event: dict[str, Any]) -> None:
        """Take one event."""
        kind = event.get("type")
        if kind == "turn.completed":
            usage = event.get("usage")
            self.grow(input_tokens=count(at(usage, "input_tokens")), output_tokens=count(at(usage, "output_tokens")))
            self.grow(cached_tokens=count(at(usage, "cached_input_tokens")))
            self.went_well()
        elif kind == "turn.failed":
            self.failed(text(at(event, "error", "message")) or "the turn failed")
        elif kind == "error":
            self.failed(text(event.get("message")) or "error")
        elif kind == "item.completed" and at(event, "item", "type") not in (None, "error", "reasoning", "todo_list"):
            self._items += 1
            self.trouble = None
            if not self._rollouts:
                self.grow(model_calls=self._items)

    def poll(self, home: Path) -> None:
        """Read what the rollout files have gained."""
        for path in below(home / ".codex" / "sessions", "rollout-", ".jsonl"):
            self._rollouts.setdefault(path, _Rollout(path))
        for rollout in self._rollouts.values():
            rollout.read()
            self.of_model(rollout.model)
        known = [rollout for rollout in self._rollouts.values() if rollout.calls]
        if known:
            self.usage.model_calls = sum(rollout.calls for rollout in known)
            self.grow(input_tokens=sum(rollout.input for rollout in known), output_tokens=sum(rollout.output for rollout in known))
            self.grow(cached_tokens=sum(rollout.cached for rollout in known))
