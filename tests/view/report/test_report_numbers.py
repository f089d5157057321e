"""Numbers as people read them."""

from __future__ import annotations

import pandas as pd
import pytest

from workflow.view.report import numbers


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 s"), (0.0004, "0.0004 s"), (0.475, "0.47 s"), (9.99, "9.99 s"), (59.9, "59.9 s"), (60, "1 min"), (125.2, "2 min 5 s"),
        (119.7, "2 min"), (3600, "1 h"), (3661, "1 h 1 min"), (90_000, "1 d 1 h"), (None, "unknown"), (pd.NA, "unknown"),
    ],
)  # fmt: skip
def test_durations_have_a_fitting_unit(value: object, text: str) -> None:
    assert numbers.seconds(value) == text


def test_money_is_never_rounded_to_nothing() -> None:
    assert numbers.usd(0) == "0 USD"
    assert numbers.usd(0.00001) == "less than 0.0001 USD"
    assert numbers.usd(1234.5) == "1,234.5 USD"
    assert numbers.usd(2, True) == "2 USD (estimated)"
    assert numbers.usd(None) == numbers.count(pd.NA) == numbers.size(None) == numbers.share(None) == "unknown"


def test_sizes_times_and_nouns() -> None:
    assert [numbers.size(value) for value in (0, 1, 999, 12_345, 4_100_000)] == ["0 bytes", "1 byte", "999 bytes", "12.3 kB", "4.1 MB"]
    assert numbers.moment("2026-01-31T12:00:00.123Z") == "2026-01-31 12:00:00 UTC"
    assert numbers.moment("") == "unknown"
    assert numbers.moment("soon") == "soon"
    assert numbers.clock(0) == "1970-01-01 00:00:00 UTC"
    assert [numbers.plural(value, "file") for value in (0, 1, 1200)] == ["0 files", "1 file", "1,200 files"]
    assert numbers.count(1234567) == "1,234,567"
    assert numbers.share(0.256) == "26 %"
