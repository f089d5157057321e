"""Numbers as people read them. What is not known reads `unknown`; nothing is rounded to zero."""

from __future__ import annotations

import datetime
from typing import Any

from workflow.view.report.texts import UNKNOWN, is_unknown
from workflow.work.spending import amount

STEPS = ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def seconds(value: Any) -> str:
    """A duration: `0.48 s`, `16.2 s`, `2 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if is_unknown(value):
        return UNKNOWN
    for size, unit, below, smaller in STEPS:
        if value >= size:
            whole, rest = divmod(round(value / below), size // below)
            return f"{whole:,} {unit} {rest} {smaller}" if rest else f"{whole:,} {unit}"
    return f"{value:.2g} s" if 0 < value < 1 else f"{value:.3g} s"


def count(value: Any) -> str:
    """A whole number with its thousands apart."""
    return UNKNOWN if is_unknown(value) else f"{int(value):,}"


def usd(value: Any, estimated: Any = False) -> str:
    """An amount of money, to four digits after the point."""
    if is_unknown(value):
        return UNKNOWN
    digits = amount(float(value))
    digits = "less than 0.0001" if digits == "0" and value else digits
    return f"{digits} USD{' (estimated)' if not is_unknown(estimated) and estimated else ''}"


def known_usd(value: float, unknown: int) -> str:
    """What is known of a cost of which some parts are unknown."""
    return "nothing" if unknown and not value else usd(value)


def share(value: Any) -> str:
    """A part of one as per cent."""
    return UNKNOWN if is_unknown(value) else f"{100 * float(value):.0f} %"


def size(value: Any) -> str:
    """A number of bytes: `812 bytes`, `12.3 kB`, `4.1 MB` (kB are 1,000 bytes)."""
    if is_unknown(value):
        return UNKNOWN
    for step, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if value >= step:
            return f"{value / step:.1f} {unit}"
    return "1 byte" if value == 1 else f"{value} bytes"


def moment(value: Any) -> str:
    """A time in UTC to the second; an empty text is an unknown one."""
    if is_unknown(value) or value == "":
        return UNKNOWN
    try:
        when = datetime.datetime.fromisoformat(value) if isinstance(value, str) else value
        return f"{when.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%S} UTC"
    except (ValueError, AttributeError):
        return str(value)


def plural(number: int, one: str, many: str = "") -> str:
    """A number with its noun."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def clock(value: float) -> str:
    """A moment in seconds since 1970, as `moment` shows it."""
    return moment(datetime.datetime.fromtimestamp(value, datetime.UTC))
