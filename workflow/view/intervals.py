"""Intervals of time: how long at least one of several went on, and how many at once at most."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

Span = tuple[datetime, datetime]


def covered(spans: Iterable[Span]) -> float:
    """Seconds that at least one of the spans (start, end) covers."""
    seconds, until = 0.0, None
    for start, end in sorted(spans):
        begin = start if until is None else max(start, until)
        seconds += max(0.0, (end - begin).total_seconds())
        until = end if until is None else max(end, until)
    return round(seconds, 3)


def most_at_once(spans: Iterable[Span]) -> int:
    """The most spans that overlap; one that ends as another starts does not."""
    steps = sorted(step for start, end in spans for step in ((start, 1), (end, -1)))
    most = now = 0
    for _, step in steps:
        now += step
        most = max(most, now)
    return most
