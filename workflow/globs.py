"""Globs for paths of a project: `**` crosses folders, a leading dot is nothing special, case counts, `/` separates."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

ANY, MANY = "?", "*"


def matches(path: str, patterns: str | Sequence[str]) -> bool:
    """Whether a path fits a pattern, or one of several."""
    from wcmatch import glob  # only where something is to be matched

    return bool(glob.globmatch(path, patterns, flags=glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX | glob.CASE))


def escape(path: str) -> str:
    """The pattern that fits this path alone."""
    from wcmatch import glob

    return glob.escape(path, unix=True)


def unescape(pattern: str) -> str:
    """The path that a pattern without wildcards stands for."""
    return re.sub(r"\\(.)", r"\1", pattern)


def is_plain(pattern: str) -> bool:
    """Whether a pattern fits one path alone."""
    return not re.search(r"[*?\[]", re.sub(r"\\.", "", pattern))


def overlap(one: str, other: str) -> bool:
    """Whether a path could fit both patterns; a set of characters (`[a-z]`) counts as any character, so that none is missed."""
    return _folders(tuple(one.split("/")), tuple(other.split("/")))


@functools.lru_cache(maxsize=65536)
def _folders(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if not one or not other:
        return all(part == "**" for part in (*one, *other))
    if one[0] == "**":
        return _folders(one[1:], other) or _folders(one, other[1:])
    if other[0] == "**":
        return _folders(one, other[1:]) or _folders(one[1:], other)
    return _names(_signs(one[0]), _signs(other[0])) and _folders(one[1:], other[1:])


def _signs(name: str) -> tuple[str, ...]:
    """The characters of a name: `*`, `?` for any character, and `=x` for the character itself."""
    found = re.findall(r"\\.|\[[!^]?\]?[^\]]*\]|.", name)
    return tuple(MANY if part == "*" else ANY if part == "?" or (part[0] == "[" and len(part) > 1) else f"={part[-1]}" for part in found)


@functools.lru_cache(maxsize=65536)
def _names(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    if not one or not other:
        return all(sign == MANY for sign in (*one, *other))
    if one[0] == MANY:
        return _names(one[1:], other) or _names(one, other[1:])
    if other[0] == MANY:
        return _names(one, other[1:]) or _names(one[1:], other)
    return (ANY in (one[0], other[0]) or one[0] == other[0]) and _names(one[1:], other[1:])
