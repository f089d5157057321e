"""Mentions: which names of a tree stand in a text of the tree, in another file than the one that is named.

One pass over all texts, and no more memory than the names that are looked for. A name is found as a word; one that is
written in several words counts as found where each of them is (rather a file too few than one too many).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

TEXT_BYTES = 8 << 20  # of each file, so much is looked at
PROBE = 8192
TOKEN, WORD = re.compile(r"[\w.@+-]+"), re.compile(r"\w+")
EDGES = ".@+-"


class Mentions:
    """Which of the wanted names stand in the texts that were looked at, and where."""

    def __init__(self, wanted: Iterable[str]) -> None:
        """`wanted` are names of files and folders, stems, or identifiers."""
        self._parts = {name: _words(name) for name in wanted}
        self._wanted = {word for words in self._parts.values() for word in words}
        self._first: dict[str, str] = {}
        self._second: set[str] = set()

    def look(self, path: str, content: bytes) -> None:
        """Take in one file; what is not text says nothing."""
        if not self._wanted or b"\0" in content[:PROBE]:
            return
        text = content[:TEXT_BYTES].decode("utf-8", "replace")
        tokens = set(TOKEN.findall(text))
        tokens |= {token.strip(EDGES) for token in tokens}
        tokens |= {word for token in tokens for word in WORD.findall(token)}
        for word in tokens & self._wanted:
            if self._first.setdefault(word, path) != path:
                self._second.add(word)

    def named(self, name: str, without: str = "") -> bool:
        """Whether a wanted name stands in a text other than `without`."""
        return all(word in self._second or self._first.get(word, without) != without for word in self._parts[name])


def _words(name: str) -> tuple[str, ...]:
    """The words in which a name is looked for: the name itself, or its parts where it is more than one token."""
    return (name,) if TOKEN.fullmatch(name) and name.strip(EDGES) == name else tuple(WORD.findall(name))
