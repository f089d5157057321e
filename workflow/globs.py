"""Globs for paths of a project: `**` crosses folders, a leading dot is nothing special, case counts, `/` separates."""

from __future__ import annotations

from collections.abc import Sequence


def matches(path: str, patterns: str | Sequence[str]) -> bool:
    """Whether a path fits a pattern, or one of several."""
    from wcmatch import glob  # only where something is to be matched

    return bool(glob.globmatch(path, patterns, flags=glob.GLOBSTAR | glob.DOTGLOB | glob.FORCEUNIX | glob.CASE))
