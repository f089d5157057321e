"""OpenAI Responses, which codex speaks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from models import chat
from models.dialects import Answer, Asked, event, number, spoken, text_of

MODEL_ITEMS = ("reasoning", "function_call", "custom_tool_call", "local_shell_call")


def read(path: str, body: Mapping[str, Any]) -> Asked:
    """What a request asks."""
    given = body.get("input", [])
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    roles = ["model" if item.get("role") == "assistant" or item.get("type") in MODEL_ITEMS else "user" for item in items]
    prompt = "\n".join(text_of(item.get("content")) for item in items if item.get("role") == "user")
    tools = {tool["name"]: tool.get("parameters", {}) for tool in body.get("tools") or [] if tool.get("type") == "function"}
    return Asked(body.get("model", ""), prompt, spoken(roles), tools, bool(body.get("stream")))


def answer(told: Answer) -> dict[str, Any]:
    """The whole answer as one object."""
    return _frame(told, number("resp"), "completed") | {"output": _items(told), "usage": _usage(told)}


def stream(told: Answer) -> Iterator[bytes]:
    """The answer as events, each with its number."""
    name = number("resp")
    kinds: list[tuple[str, dict[str, Any]]] = [("response.created", {"response": _frame(told, name, "in_progress")})]
    items = _items(told)
    for index, item in enumerate(items):
        kinds += _of_item(index, item)
    kinds.append(("response.completed", {"response": _frame(told, name, "completed") | {"output": items, "usage": _usage(told)}}))
    for count, (kind, value) in enumerate(kinds):
        yield event({"type": kind, "sequence_number": count, **value}, kind)


error = chat.error


def _of_item(index: int, item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    place = {"output_index": index, "item_id": item["id"]}
    if item["type"] == "message":
        part = item["content"][0]
        yield "response.output_item.added", {"output_index": index, "item": item | {"content": [], "status": "in_progress"}}
        yield "response.content_part.added", {**place, "content_index": 0, "part": part | {"text": ""}}
        yield "response.output_text.delta", {**place, "content_index": 0, "delta": part["text"], "logprobs": []}
        yield "response.output_text.done", {**place, "content_index": 0, "text": part["text"], "logprobs": []}
        yield "response.content_part.done", {**place, "content_index": 0, "part": part}
    else:
        yield "response.output_item.added", {"output_index": index, "item": item | {"arguments": "", "status": "in_progress"}}
        yield "response.function_call_arguments.delta", {**place, "delta": item["arguments"]}
        yield "response.function_call_arguments.done", {**place, "arguments": item["arguments"], "name": item["name"]}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _items(told: Answer) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    if told.text:
        part = {"type": "output_text", "text": told.text, "annotations": [], "logprobs": []}
        items.append({"type": "message", "id": number("msg"), "role": "assistant", "status": "completed", "content": [part]})
    for call in told.calls:
        item = {"type": "function_call", "id": number("fc"), "call_id": number("call"), "status": "completed"}
        items.append(item | {"name": call.name, "arguments": json.dumps(call.arguments)})
    return items


def _frame(told: Answer, name: str, status: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "response",
        "created_at": 1_700_000_000,
        "status": status,
        "model": told.model,
        "output": [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
    }


def _usage(told: Answer) -> dict[str, Any]:
    spent = told.turn.usage
    return {
        "input_tokens": spent.input,
        "input_tokens_details": {"cached_tokens": spent.cached, "cache_write_tokens": 0},
        "output_tokens": spent.output,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": spent.input + spent.output,
    }
