"""Texts of agents on the page: without secrets, without characters that act, and cut where they are long.

A secret is replaced before a text is cut (half of one has no shape), and a cut says how much it left out.
"""

from __future__ import annotations

import html
import os
import re
import stat
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from workflow.markup import visible
from workflow.work import leaks
from workflow.work.redaction import Values

UNKNOWN = "unknown"
SHORTEST_TOKEN = 16  # bytes; what is known by its shape alone is longer, but for credentials in an address
MARGIN = leaks.KEY_BYTES  # a secret that begins before a cut may end so much behind it
COLOURS = re.compile("\x1b\\[[0-9;:?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class Cut:
    """A text, and how many bytes of it are not here."""

    text: str
    left_out: int = 0


class Guard:
    """What lets texts onto the page."""

    def __init__(self, secret: Values) -> None:
        """`secret`: the values that must not appear, besides tokens by shape."""
        self.secret = secret
        self._short = lru_cache(maxsize=20_000)(self._clean)

    def _clean(self, text: str) -> str:
        content = text.encode("utf-8", "backslashreplace")
        searched = len(content) >= SHORTEST_TOKEN or b":" in content or any(self.secret.matches(content))
        text = self._redacted(content) if searched else content.decode("utf-8")
        return text if text.isprintable() else visible(text)

    def text(self, text: str) -> str:
        """A whole text: secrets replaced, control characters and those that turn the direction of writing made visible."""
        return self._short(text) if len(text) < 256 else self._clean(text)

    def shown(self, value: Any) -> Any:
        """What a template shows of a value: markup that was made here as it is, a text guarded, nothing as `unknown`."""
        if isinstance(value, Markup):
            return value
        if isinstance(value, str):
            return self.text(value)
        return UNKNOWN if is_unknown(value) else value

    def hides(self, content: bytes) -> bool:
        """Whether bytes that would be shown as they are hold a secret, as it is or in the references of XML."""
        told = html.unescape(content.decode("utf-8", "replace")).encode("utf-8", "replace") if b"&" in content else content
        return any(leaks.redact(form, self.secret) != form for form in {content, told})

    def head(self, content: bytes, limit: int) -> Cut:
        """The beginning of a text file, by whole lines where they are not too long."""
        text = self._redacted(content[: limit + MARGIN]).replace("\r\n", "\n")
        if len(content) <= limit:
            return Cut(visible(text))
        rest = content[limit : limit + MARGIN] if len(content) > limit + MARGIN else b""
        unsure = len(self._redacted(rest))  # a secret may begin in it that ends behind it
        kept = text[: max(0, min(limit, len(text) - unsure))]
        kept = kept[: kept.rfind("\n") + 1] or kept
        return Cut(visible(kept), max(1, len(content) - len(kept.encode())))

    def tail(self, path: Path, limit: int) -> Cut:
        """The end of a log, by whole lines; an empty one where there is no such file."""
        content, size = _end_of(path, limit + MARGIN)
        text = _lines_of(self._redacted(content)).rstrip("\n")
        if size <= limit:
            return Cut(visible(text))
        unsure = len(_lines_of(self._redacted(content[:MARGIN] if size > len(content) else b"")))
        kept = text[max(len(text) - limit, unsure) :]
        kept = kept[kept.find("\n") + 1 :] if "\n" in kept[:-1] else kept
        return Cut(visible(kept), max(1, size - len(kept.encode())))

    def _redacted(self, content: bytes) -> str:
        return leaks.redact(content, self.secret).decode("utf-8", "replace")


def is_unknown(value: Any) -> bool:
    """Whether a value stands for what was not measured: None, or the NA and NaN of a frame."""
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value != value


def _lines_of(text: str) -> str:
    """What a terminal would have shown line by line, without its colours."""
    return COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n")


def _end_of(path: Path, limit: int) -> tuple[bytes, int]:
    """The last bytes of a plain file, and its size."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b"", 0
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            return b"", 0
        return os.pread(handle, limit, max(0, found.st_size - limit)), found.st_size
    finally:
        os.close(handle)
