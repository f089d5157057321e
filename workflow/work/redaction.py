"""Redaction of declared values: what a runner's `env` names never reaches a log, in whatever form it is printed.

Standard library only, and constant memory: the supervisor sends an agent's whole output through a `Redactor`. Tokens
that are known by their shape alone are found by `leaks` once the attempt has ended.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters; a shorter value would be found everywhere
LINE = 20  # characters; of a value with several lines, lines from this length on count by themselves
ADDRESSES = {
    "ANTHROPIC_BASE_URL", "ANTHROPIC_MODEL", "OPENAI_BASE_URL", "OPENAI_API_BASE", "OPENAI_ORGANIZATION", "OPENAI_PROJECT",
    "GOOGLE_GEMINI_BASE_URL", "GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION", "GOOGLE_GENAI_USE_VERTEXAI",
}  # fmt: skip
HARMLESS = {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "USER", "SHELL", "PWD", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR"}
MARK = re.compile(rb"\[redacted: ([^\]\n]{1,100})\]")


def mark(kind: str) -> bytes:
    """What stands in the place of a secret."""
    return f"[redacted: {kind}]".encode("utf-8", "replace")


def declared(names: Iterable[str], public: Iterable[str] = (), env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The values of declared variables that are to be kept secret, by name: those that are set, not too short and not public."""
    kept = set(names) - HARMLESS - ADDRESSES - set(public)
    return {name: env[name] for name in sorted(kept) if len(env.get(name, "").strip()) >= SHORTEST}


def forms(value: str) -> Iterator[bytes]:
    """The byte strings in which a value may be printed: as it is, as JSON, in a URL, in base64 at any offset."""
    raw = os.fsencode(value).strip()
    yield raw
    yield from (line.strip() for line in raw.splitlines() if len(line.strip()) >= LINE)
    text = raw.decode("utf-8", "replace")
    for escaped in (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]):
        yield escaped.encode()
    for encoded in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield encoded.encode()
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), encoded).encode()
    for offset in range(3):
        whole = base64.b64encode(b"\0" * offset + raw)
        certain = whole[(0, 2, 3)[offset] : (offset + len(raw)) * 8 // 6]  # characters that are this value's alone
        yield certain
        yield certain.translate(bytes.maketrans(b"+/", b"-_"))


class Values:
    """All forms of some declared values as one pattern."""

    def __init__(self, values: Mapping[str, str]) -> None:
        """`values` maps names of variables to their values, as `declared` gives them."""
        named = {form: name for name, value in values.items() for form in forms(value) if len(form) >= SHORTEST}
        self.forms = sorted(named, key=lambda form: (-len(form), form))
        self.longest = max(map(len, self.forms), default=0)
        self._named = named
        self._pattern = re.compile(b"|".join(map(re.escape, self.forms))) if named else None

    def matches(self, content: bytes) -> Iterator[tuple[int, int, str]]:
        """(start, end, kind) of each place where one of the values stands."""
        for match in self._pattern.finditer(content) if self._pattern else ():
            yield match.start(), match.end(), self.kind(match[0])

    def kind(self, form: bytes) -> str:
        """What is said in the place of a form."""
        return f"value of {self._named[form]}"

    def begins(self, content: bytes) -> int:
        """Where the end of `content` may be the beginning of a value; its length where it is not."""
        start = max(0, len(content) - self.longest + 1)
        best = len(content)
        for form in self.forms:
            place = content.find(form[:1], start)
            while 0 <= place < best:
                if form.startswith(content[place:]):
                    best = place
                place = content.find(form[:1], place + 1)
        return best


class Redactor:
    """A stream in which declared values are replaced, also where a value is cut into several chunks.

    No more is held back than may be the beginning of a value.
    """

    def __init__(self, values: Values) -> None:
        """`values`: what must not pass."""
        self._values = values
        self._held = b""

    def feed(self, chunk: bytes) -> bytes:
        """The next part of the output, without any declared value."""
        if not self._values.forms:
            return chunk
        return self._take(self._held + chunk, final=False)

    def end(self) -> bytes:
        """What was held back, when nothing more comes."""
        return self._take(self._held, final=True)

    def _take(self, content: bytes, final: bool) -> bytes:
        limit = len(content) if final else self._values.begins(content)
        made, done = [], 0
        for start, end, kind in self._values.matches(content):
            if start >= limit:
                break
            made += [content[done:start], mark(kind)]
            done = end
        limit = max(limit, done)
        self._held = content[limit:]
        return b"".join([*made, content[done:limit]])
