"""claude: `--output-format json` prints one result object, `stream-json --verbose` prints messages and then that object.

`is_error` decides; `subtype` may say success although the model could not be reached.
"""

from __future__ import annotations

from typing import Any

from workflow.work.runners.events.base import Reader, at, count, listed, money, text, total


class Claude(Reader):
    """Reads both formats."""

    name = "claude"
    login = "set ANTHROPIC_API_KEY or CLAUDE_CODE_OAUTH_TOKEN, or log in with `claude` and use `home: shared`"

    def __init__(self) -> None:
        """Nothing is known yet."""
        super().__init__()
        self._message = ""
        self._before = {"input_tokens": 0, "output_tokens": 0, "cached_tokens": 0}
        self._now = dict(self._before)

    def event(self, event: dict[str, Any]) -> None:
        """Take one event."""
        kind = event.get("type")
        if kind == "system" and event.get("subtype") == "init":
            self.of_model(event.get("model"))
        elif kind == "system" and event.get("subtype") == "api_retry":
            self.failed(text(event.get("error")) or "the API did not answer", count(event.get("error_status")))
        elif kind == "assistant" and event.get("parent_tool_use_id") is None and event.get("error"):
            self.failed(f"{text(event.get('error'))}: {self._words(event)}")
        elif kind == "assistant":
            self._spoken(event.get("message"))
        elif kind == "result":
            self._result(event)

    def _spoken(self, message: Any) -> None:
        """One block of a message; all blocks of a message carry its id and its usage."""
        usage = at(message, "usage")
        name = text(at(message, "id"))
        if name != self._message:
            self._message = name
            self._before = {key: self._before[key] + self._now[key] for key in self._before}
            self._now = dict.fromkeys(self._now, 0)
            self.called(at(message, "model"))
            self.trouble = None
        self._now = {key: max(self._now[key], value or 0) for key, value in _tokens(usage).items()}
        self.grow(**{key: self._before[key] + self._now[key] for key in self._now})

    def _result(self, event: dict[str, Any]) -> None:
        usage = _tokens(event.get("usage")) | _by_model(event.get("modelUsage"))
        self.grow(**usage, cost_usd=money(event.get("total_cost_usd")), model_calls=count(event.get("num_turns")))
        if event.get("is_error") is False and event.get("subtype") == "success":
            self.went_well()
            return
        said = text(event.get("result")) or "; ".join(filter(None, map(text, listed(event.get("errors")))))
        why = text(event.get("subtype")) if event.get("subtype") != "success" else ""
        self.failed(": ".join(part for part in (why, said) if part) or "the result is an error", count(event.get("api_error_status")))

    def _words(self, event: dict[str, Any]) -> str:
        return " ".join(text(at(part, "text")) for part in listed(at(event, "message", "content")))


def _tokens(usage: Any) -> dict[str, int | None]:
    return {
        "input_tokens": total(at(usage, "input_tokens"), at(usage, "cache_read_input_tokens"), at(usage, "cache_creation_input_tokens")),
        "output_tokens": count(at(usage, "output_tokens")),
        "cached_tokens": count(at(usage, "cache_read_input_tokens")),
    }


def _by_model(used: Any) -> dict[str, int | None]:
    """The tokens of all models; sub-agents and small helper models are counted only here."""
    models = list(used.values()) if isinstance(used, dict) else []
    if not models:
        return {}
    given = ("inputTokens", "cacheReadInputTokens", "cacheCreationInputTokens")
    return {
        "input_tokens": total(*(at(model, key) for model in models for key in given)),
        "output_tokens": total(*(at(model, "outputTokens") for model in models)),
        "cached_tokens": total(*(at(model, "cacheReadInputTokens") for model in models)),
    }
