"""Clashes: conflicts in words, for people. A clash has files, between (names), and lines where they are known (file to stretches)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def sentence(clash: Mapping[str, Any]) -> str:
    """A conflict in words: both sides, files and lines."""
    return f"{' and '.join(clash['between'])} changed the same lines of {places(clash)}"


def places(clash: Mapping[str, Any]) -> str:
    """Files and lines of a conflict."""
    lines = clash.get("lines", {})
    return ", ".join(path + lines_in_words(lines.get(path, [])) for path in clash["files"])


def lines_in_words(found: Sequence[Sequence[int]]) -> str:
    """Stretches of lines for the end of a file's name; empty where none are known."""
    spans = [str(first) if first == last else f"{first}-{last}" for first, last in found]
    return f" ({'line' if len(spans) == 1 and '-' not in spans[0] else 'lines'} {', '.join(spans)})" if spans else ""
