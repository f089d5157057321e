"""Anthropic Messages."""

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
    tools = {tool["name"]: tool.get("input_schema", {}) for tool in body.get("tools") or []}
    return Asked(body.get("model", ""), prompt, spoken(roles), tools, bool(body.get("stream")))


def answer(told: Answer) -> dict[str, Any]:
    """The whole answer as one object."""
    return _frame(told) | {"content": _blocks(told), "stop_reason": _end(told), "usage": _usage(told)}


def stream(told: Answer) -> Iterator[bytes]:
    """The answer as events."""
    yield _event("message_start", message=_frame(told) | {"usage": _usage(told) | {"output_tokens": 1}})
    for index, block in enumerate(_blocks(told)):
        if block["type"] == "text":
            yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
            yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": block["text"]})
        else:
            yield _event("content_block_start", index=index, content_block=block | {"input": {}})
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    usage = {"output_tokens": told.turn.usage.output}
    yield _event("message_delta", delta={"stop_reason": _end(told), "stop_sequence": None}, usage=usage)
    yield _event("message_stop")


def error(status: int, message: str) -> dict[str, Any]:
    """An error as this API words it."""
    kinds = {401: "authentication_error", 429: "rate_limit_error", 400: "invalid_request_error"}
    return {"type": "error", "error": {"type": kinds.get(status, "api_error"), "message": message}}


def _event(kind: str, **value: Any) -> bytes:
    return event({"type": kind, **value}, kind)


def _frame(told: Answer) -> dict[str, Any]:
    frame = {"id": number("msg"), "type": "message", "role": "assistant", "model": told.model}
    return frame | {"content": [], "stop_reason": None, "stop_sequence": None}


def _end(told: Answer) -> str:
    return "tool_use" if told.calls else "end_turn"


def _blocks(told: Answer) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": told.text}] if told.text else []
    return blocks + [{"type": "tool_use", "id": number("toolu"), "name": call.name, "input": call.arguments} for call in told.calls]


def _usage(told: Answer) -> dict[str, Any]:
    spent = told.turn.usage
    return {
        "input_tokens": spent.input - spent.cached,
        "cache_read_input_tokens": spent.cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": spent.output,
    }
