"""What all readers share: lines of bounded length, JSON events, usage that only grows, and the report at the end."""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from workflow.work.runners.events.problems import Problem, one_line, problem

LINE_LIMIT = 4_000_000
LAST_LINES, LAST_CHARACTERS = 40, 400
Said = Literal["ok", "error", "unknown"]


@dataclass
class Usage:
    """What an attempt has used so far; None is unknown, never 0.

    `input_tokens` holds the cached ones. `estimated`: the cost was worked out from a price list, not told by the tool.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cached_tokens: int | None = None
    cost_usd: float | None = None
    model: str | None = None
    model_calls: int | None = None
    estimated: bool = False

    def as_json(self) -> dict[str, Any]:
        """A mapping for JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class Report:
    """How the work ended, as the tool's own events say."""

    said: Said
    problem: Problem | None
    usage: Usage


class Lines:
    """Cuts a stream of bytes into lines; of a line longer than LINE_LIMIT the rest is dropped."""

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        """Nothing has come yet."""
        self._limit, self._part = limit, bytearray()

    def push(self, data: bytes) -> Iterator[bytes]:
        """The lines that `data` completes, without their ends."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._add(piece)
            yield from self.close()
        self._add(rest)

    def close(self) -> Iterator[bytes]:
        """The line that has no end yet, if there is one."""
        line, self._part = bytes(self._part), bytearray()
        if line:
            yield line

    def _add(self, data: bytes) -> None:
        self._part += data[: max(0, self._limit + 1 - len(self._part))]


class Reader:
    """Reads the output of one attempt. Subclasses understand `event` (a JSON object on standard output)."""

    name: ClassVar[str] = ""
    login: ClassVar[str] = ""
    skipped: ClassVar[tuple[bytes, ...]] = ()

    def __init__(self) -> None:
        """Nothing is known yet."""
        self.usage = Usage()
        self.ended_well = False
        self.trouble: Problem | None = None
        self._last: collections.deque[str] = collections.deque(maxlen=LAST_LINES)

    def feed(self, stream: Literal["out", "err"], line: bytes) -> None:
        """Take one line of output. Lines that are too long or no JSON object are no events."""
        if len(line) > LINE_LIMIT or line.startswith(self.skipped or (b"\0",)):
            return
        found = parse(line)
        for item in found if isinstance(found, list) else [found]:
            if isinstance(item, dict) and stream == "out":
                self.event(item)
            else:
                self.words(stream, line)

    def event(self, event: dict[str, Any]) -> None:
        """Take one event from standard output."""

    def words(self, stream: str, line: bytes) -> None:
        """Take a line that is no event; the last ones are kept, because they may say why nothing worked."""
        text = line[:LAST_CHARACTERS].decode("utf-8", "replace").strip()
        if text:
            self._last.append(text)

    def poll(self, home: Path) -> None:
        """Look at what the tool has written to files of its HOME since the last time."""

    def end(self, exit_code: int, home: Path) -> Report:
        """What the events say now that the program has ended with this code."""
        self.poll(home)
        trouble = self.trouble
        if trouble is None and not self.ended_well:
            trouble = self._from_last_words(exit_code)
        said: Said = "ok" if self.ended_well and trouble is None else "error" if trouble and trouble.kind != "cut" else "unknown"
        if self.trouble is not None:
            said = "error"
        return Report(said, trouble, self.usage)

    def failed(self, text: str, status: int | None = None) -> None:
        """Note what went wrong; a later event may say that it was overcome."""
        self.trouble, self.ended_well = problem(text, status, self.login), False

    def went_well(self) -> None:
        """Note that the work, or a call after some trouble, has ended well."""
        self.trouble, self.ended_well = None, True

    def _from_last_words(self, exit_code: int) -> Problem:
        """What the lines that were no events tell about an end without a final event."""
        told = [problem(line, None, self.login) for line in reversed(self._last)] if exit_code else []
        known = next((found for found in told if found.kind != "other"), None)
        if known or told:
            return known or told[0]
        return Problem("cut", f"no event of {self.name} says how its work ended (exit code {exit_code})")

    def grow(self, **values: int | float | None) -> None:
        """Raise numbers of the usage; what is None or lower than before changes nothing."""
        for name, value in values.items():
            before = getattr(self.usage, name)
            if value is not None and (before is None or value > before):
                setattr(self.usage, name, value)

    def add(self, **values: int | float | None) -> None:
        """Add to numbers of the usage; None adds nothing."""
        for name, value in values.items():
            if value is not None:
                setattr(self.usage, name, (getattr(self.usage, name) or 0) + value)

    def called(self, model: Any = None) -> None:
        """Count one model call."""
        self.add(model_calls=1)
        self.of_model(model)

    def of_model(self, model: Any) -> None:
        """Note the model's name where `model` is one."""
        if isinstance(model, str) and model:
            self.usage.model = one_line(model)[:100]


def parse(line: bytes | str) -> Any:
    """The JSON value of a line, or None."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def at(value: Any, *keys: str) -> Any:
    """The value below nested keys, or None where there is none."""
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def count(value: Any) -> int | None:
    """`value` where it is a number of things, else None."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15
    return int(value) if good else None


def total(*values: Any) -> int | None:
    """The sum of those values that are numbers of things; None where none is."""
    known = [number for value in values if (number := count(value)) is not None]
    return sum(known) if known else None


def money(value: Any) -> float | None:
    """`value` in dollars where it is more than 0: tools write 0 for models whose price they do not know."""
    good = isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e9
    return float(value) if good else None


def text(value: Any) -> str:
    """`value` where it is a text, else nothing."""
    return value if isinstance(value, str) else ""


def listed(value: Any) -> list[Any]:
    """`value` where it is a list, else an empty one."""
    return value if isinstance(value, list) else []
