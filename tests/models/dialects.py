"""What the wire formats share: what was asked, what is answered, and server-sent events."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.scripts import Turn
from models.tools import Call

NUMBERS = itertools.count(1)


@dataclass(frozen=True)
class Asked:
    """A request: the text of its prompt, how often the model has spoken in it, and the tools it may call."""

    model: str
    prompt: str
    turn: int
    tools: Mapping[str, Mapping[str, Any]]
    stream: bool


@dataclass(frozen=True)
class Answer:
    """What the model answers."""

    model: str
    turn: Turn
    calls: tuple[Call, ...]

    @property
    def text(self) -> str:
        """The text; never nothing at all."""
        return self.turn.text or ("" if self.calls else "Done.")


def number(prefix: str) -> str:
    """An identifier that was not used before."""
    return f"{prefix}_{next(NUMBERS):06d}"


def event(value: Any, name: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def text_of(content: Any) -> str:
    """The text in a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def spoken(roles: list[str]) -> int:
    """How often the model has spoken: runs of `model` in the list of who said something."""
    return sum(1 for before, now in zip(["", *roles], roles, strict=False) if now == "model" and before != "model")
