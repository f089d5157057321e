"""Leaks: declared values and tokens that stand where they should not, found and replaced, and never shown.

A text is looked at in pieces of whole lines; a very long line in windows that overlap, so that no pattern takes long
however a text was made. The detectors are imported where something is looked at, and not before.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow import files
from workflow.errors import RunError
from workflow.work.redaction import MARK, Values, mark

PIECE, WINDOW, OVERLAP = 1 << 16, 1 << 12, 1 << 11
REDACTION_S = 120.0
KEY_BYTES = 20_000
KEY_END = re.compile(rb"-----END [A-Z0-9 ]{0,40}-----|Private-MAC: *[0-9a-f]*")
KEY_LINES = re.compile(rb"[^\n]*(?:\n[-+> \t]*[A-Za-z0-9+/=]{16,}\r?)*")


class Unscanned(RunError):
    """A text could not be searched for secrets, because there is no scanner."""


class Late(Unscanned):
    """A text could not be searched for secrets within the time that was given."""


@dataclass(frozen=True)
class Hit:
    """A secret in a text, by place and kind; what it is stands nowhere."""

    start: int
    end: int
    kind: str


def find(content: bytes, values: Values, deadline: float = float("inf")) -> list[Hit]:
    """The secrets in `content` in their order, none within another. Late after `deadline` (monotonic seconds), or Unscanned."""
    found = [Hit(*match) for match in values.matches(content)]
    try:
        from workflow.work import shapes
    except ImportError as error:
        raise Unscanned(f"the scanner for secrets is not installed ({error.name}); install Phasegate's dependencies") from error
    text = content.decode("latin-1")  # a byte is a character: offsets stay what they are
    for offset, piece in _pieces(text):
        if time.monotonic() > deadline:
            raise Late("the search for secrets took too long and was not finished")
        for start, end, kind in shapes.matches(piece):
            blanks = len(piece[start:end]) - len(piece[start:end].lstrip())
            found.append(_whole(content, Hit(offset + start + blanks, offset + end, kind)))
    return _apart(found)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """(offset, piece) so that all of `text` is covered and no line of a piece is longer than a window."""
    start = 0
    while start < len(text):
        stop = min(len(text), start + PIECE)
        if stop < len(text):
            stop = text.rfind("\n", start, stop) + 1 or stop
        piece = text[start:stop]
        if max(map(len, piece.split("\n"))) <= WINDOW:
            yield start, piece
            start = stop
            continue
        line = text.find("\n", start)
        line = len(text) if line < 0 else line + 1
        yield from _windows(text, start, line)
        start = line


def _windows(text: str, start: int, stop: int) -> Iterator[tuple[int, str]]:
    """One line in windows."""
    while True:
        yield start, text[start : min(stop, start + WINDOW)]
        if start + WINDOW >= stop:
            return
        start += WINDOW - OVERLAP


def _whole(content: bytes, hit: Hit) -> Hit:
    """Of a private key, whose first line is what is found, all lines."""
    if hit.kind != "Private Key":
        return hit
    end = KEY_END.search(content, hit.end, hit.end + KEY_BYTES) or KEY_LINES.match(content, hit.end, hit.end + KEY_BYTES)
    return Hit(hit.start, end.end() if end else hit.end, hit.kind)


def _apart(found: Iterable[Hit]) -> list[Hit]:
    """Hits that overlap as one; a declared value, which comes first, gives its name."""
    apart: list[Hit] = []
    for hit in sorted(found, key=lambda item: item.start):
        if apart and hit.start < apart[-1].end:
            last = apart.pop()
            kind = min(last.kind, hit.kind, key=lambda kind: not kind.startswith("value of "))
            apart.append(Hit(last.start, max(last.end, hit.end), kind))
        else:
            apart.append(hit)
    return apart


def lines(content: bytes, hits: Iterable[Hit]) -> list[tuple[int, str]]:
    """(line, kind) of each hit, lines counted from 1; several of a kind on a line are one."""
    rows, line, done = [], 1, 0
    for hit in hits:
        line += content.count(b"\n", done, hit.start)
        done = hit.start
        rows.append((line, hit.kind))
    return list(dict.fromkeys(rows))


def marked(content: bytes) -> list[Hit]:
    """What was replaced before: a log says so itself."""
    return [Hit(match.start(), match.end(), match[1].decode("utf-8", "replace")) for match in MARK.finditer(content)]


def redact(content: bytes, values: Values) -> bytes:
    """`content` with each secret replaced by its kind; nothing of it where it cannot be searched in time.

    Where there is no scanner, only declared values are replaced; the gate stays closed then.
    """
    try:
        hits = find(content, values, time.monotonic() + REDACTION_S)
    except Late:
        return b"[left out: it could not be searched for secrets in time]\n"
    except Unscanned:
        hits = _apart(Hit(*match) for match in values.matches(content))
    made, done = [], 0
    for hit in hits:
        made += [content[done : hit.start], mark(hit.kind)]
        done = hit.end
    return b"".join([*made, content[done:]])


def redact_text(text: str, values: Values) -> str:
    """`redact` for text, file names that are not UTF-8 included."""
    return redact(text.encode("utf-8", "surrogatepass"), values).decode("utf-8", "surrogatepass") if text else text


def redact_file(path: Path, values: Values) -> bool:
    """Rewrite a log without its secrets, atomically, where it holds any; says whether it did. A missing file holds none."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return False
    redacted = redact(content, values) if content else content
    if redacted == content:
        return False
    files.write_bytes(path, redacted)
    return True
