"""The layout of `orders.csv` and the rules that a single value must keep.

One row is one line of an order. Money is kept in whole cents, so that sums are exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

ORDERS_FILE = "orders.csv"
COLUMNS = ("order_id", "order_date", "customer_id", "region", "category", "product", "quantity", "unit_price")
REGIONS = ("East", "North", "South", "West")
CATEGORIES = ("Garden", "Kitchen", "Office", "Outdoor", "Toys")
CURRENCY = "EUR"
EARLIEST = pd.Timestamp("2000-01-01")


@dataclass(frozen=True)
class Rule:
    """What the texts of one column must be like; `keeps` gives True for each text that is fine."""

    column: str
    reason: str
    keeps: Callable[[pd.Series], pd.Series]


def dates(texts: pd.Series) -> pd.Series:
    """Timestamps of texts like 2024-02-29; NaT where the text is no such day."""
    shaped = texts.where(texts.str.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}"))
    return pd.to_datetime(shaped, format="%Y-%m-%d", errors="coerce")


def matches(pattern: str) -> Callable[[pd.Series], pd.Series]:
    """A check that the whole text has the form `pattern`."""
    return lambda texts: texts.str.fullmatch(pattern)


def rules(today: pd.Timestamp) -> tuple[Rule, ...]:
    """The rules in the order of the columns; for one value the first broken rule is the one reported."""
    filled = tuple(Rule(column, "is empty", matches(r"(?s:.+)")) for column in COLUMNS)
    return filled + (
        Rule("order_id", "is not of the form O-12345", matches(r"O-[0-9]{5}")),
        Rule("order_date", "is not a calendar day written YYYY-MM-DD", lambda texts: dates(texts).notna()),
        Rule("order_date", f"lies before {EARLIEST:%Y-%m-%d}", lambda texts: dates(texts) >= EARLIEST),
        Rule("order_date", "lies in the future", lambda texts: dates(texts) <= today),
        Rule("customer_id", "is not of the form C-1234", matches(r"C-[0-9]{4}")),
        Rule("region", f"is not one of {', '.join(REGIONS)}", lambda texts: texts.isin(REGIONS)),
        Rule("category", f"is not one of {', '.join(CATEGORIES)}", lambda texts: texts.isin(CATEGORIES)),
        Rule("quantity", "is not a whole number from 1 to 9999", matches(r"[1-9][0-9]{0,3}")),
        Rule(
            "unit_price",
            "is not a price from 0.01 to 99999.99 with a decimal point",
            matches(r"(?=.*[1-9])[0-9]{1,5}(\.[0-9]{1,2})?"),
        ),
    )
