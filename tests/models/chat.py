"""OpenAI Chat Completions."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from models.dialects import Answer, Asked, event, number, spoken, text_of


def read(path: str, body: Mapping[str, Any]) -> Asked:
    """What a request asks."""
    messages = body.get("messages", [])
    roles = ["model" if message["role"] == "assistant" else "user" for message in messages]
    prompt = "\n".join(text_of(message.get("content")) for message in messages if message["role"] == "user")
    tools = {tool["function"]["name"]: tool["function"].get("parameters", {}) for tool in body.get("tools") or []}
    return Asked(body.get("model", ""), prompt, spoken(roles), tools, bool(body.get("stream")))


def answer(told: Answer) -> dict[str, Any]:
    """The whole answer as one object."""
    message: dict[str, Any] = {"role": "assistant", "content": told.text or None}
    if told.calls:
        message["tool_calls"] = _calls(told)
    return _frame(told, "chat.completion") | {
        "choices": [{"index": 0, "message": message, "finish_reason": _end(told)}],
        "usage": _usage(told),
    }


def stream(told: Answer) -> Iterator[bytes]:
    """The answer as events."""
    frame = _frame(told, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], end: str | None = None) -> bytes:
        return event(frame | {"choices": [{"index": 0, "delta": delta, "finish_reason": end}]})

    yield chunk({"role": "assistant", "content": ""})
    for word in told.text.split(" ") if told.text else []:
        yield chunk({"content": f"{word} "})
    for index, call in enumerate(_calls(told)):
        yield chunk({"tool_calls": [{"index": index, **call}]})
    yield chunk({}, _end(told))
    yield event(frame | {"choices": [], "usage": _usage(told)})
    yield event("[DONE]")


def error(status: int, message: str) -> dict[str, Any]:
    """An error as this API words it."""
    kinds = {401: "invalid_api_key", 429: "rate_limit_exceeded", 400: "invalid_request_error"}
    return {"error": {"message": message, "type": kinds.get(status, "server_error"), "code": kinds.get(status)}}


def _frame(told: Answer, kind: str) -> dict[str, Any]:
    return {"id": number("chatcmpl"), "object": kind, "created": 1_700_000_000, "model": told.model}


def _end(told: Answer) -> str:
    return "tool_calls" if told.calls else "stop"


def _calls(told: Answer) -> list[dict[str, Any]]:
    return [
        {"id": number("call"), "type": "function", "function": {"name": call.name, "arguments": json.dumps(call.arguments)}}
        for call in told.calls
    ]


def _usage(told: Answer) -> dict[str, Any]:
    spent = told.turn.usage
    return {
        "prompt_tokens": spent.input,
        "completion_tokens": spent.output,
        "total_tokens": spent.input + spent.output,
        "prompt_tokens_details": {"cached_tokens": spent.cached},
    }
