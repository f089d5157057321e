"""Gemini generateContent, as far as the gemini CLI needs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from models.dialects import Answer, Asked, event, spoken, text_of


def read(path: str, body: Mapping[str, Any]) -> Asked:
    """What a request asks; the model and whether to stream stand in the path."""
    contents = body.get("contents", [])
    roles = ["model" if content.get("role") == "model" else "user" for content in contents]
    prompt = "\n".join(text_of(content.get("parts")) for content in contents if content.get("role") != "model")
    declared = [item for tool in body.get("tools") or [] for item in tool.get("functionDeclarations", [])]
    tools = {item["name"]: item.get("parametersJsonSchema") or item.get("parameters") or {} for item in declared}
    model = path.rsplit("/", 1)[-1].split(":")[0]
    return Asked(model, prompt, spoken(roles), tools, "streamGenerateContent" in path)


def answer(told: Answer) -> dict[str, Any]:
    """The whole answer as one object."""
    parts: list[dict[str, Any]] = [{"text": told.text}] if told.text else []
    parts += [{"functionCall": {"name": call.name, "args": call.arguments}} for call in told.calls]
    candidate = {"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}
    spent = told.turn.usage
    usage = {"promptTokenCount": spent.input, "candidatesTokenCount": spent.output, "cachedContentTokenCount": spent.cached}
    return {
        "candidates": [candidate],
        "usageMetadata": usage | {"totalTokenCount": spent.input + spent.output},
        "modelVersion": told.model,
        "responseId": "scripted",
    }


def stream(told: Answer) -> Iterator[bytes]:
    """The answer as events; the first is a text of its own, so that there is something to cut."""
    whole = answer(told)
    yield event({"candidates": [{"content": {"role": "model", "parts": [{"text": " "}]}, "index": 0}], "modelVersion": told.model})
    yield event(whole)


def error(status: int, message: str) -> dict[str, Any]:
    """An error as this API words it."""
    kinds = {401: "UNAUTHENTICATED", 429: "RESOURCE_EXHAUSTED", 400: "INVALID_ARGUMENT"}
    return {"error": {"code": status, "message": message, "status": kinds.get(status, "INTERNAL")}}
