"""The figures once more, worked out another way: loops over CSV rows, exact decimals, no pandas."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path

Row = dict[str, str]


def valid_rows(path: Path, bad: Collection[int] = ()) -> list[Row]:
    """The rows of an order file but for those with a row number in `bad`."""
    with path.open(newline="", encoding="utf-8") as file:
        return [row for number, row in enumerate(csv.DictReader(file), start=2) if number not in bad]


def revenue(rows: list[Row]) -> Decimal:
    """Sum of quantity times price."""
    return sum((int(row["quantity"]) * Decimal(row["unit_price"]) for row in rows), Decimal(0))


def units(rows: list[Row]) -> int:
    """Sum of the quantities."""
    return sum(int(row["quantity"]) for row in rows)


def orders(rows: list[Row]) -> int:
    """How many different orders there are."""
    return len({row["order_id"] for row in rows})


def split(rows: list[Row], key: Callable[[Row], str]) -> dict[str, list[Row]]:
    """The rows by what `key` says of them."""
    groups = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(groups)


def by_revenue(rows: list[Row], column: str) -> list[tuple[str, Decimal, int, int]]:
    """(value, revenue, orders, units) for each value of `column`, the largest revenue first."""
    groups = split(rows, lambda row: row[column]).items()
    lines = [(value, revenue(group), orders(group), units(group)) for value, group in groups]
    return sorted(lines, key=lambda line: (-line[1], line[0]))


def months(rows: list[Row]) -> dict[str, tuple[Decimal, int, int, int]]:
    """(revenue, orders, new customers, returning customers) of each month that has orders."""
    seen: set[str] = set()
    table = {}
    for month, group in sorted(split(rows, lambda row: row["order_date"][:7]).items()):
        buyers = {row["customer_id"] for row in group}
        table[month] = (revenue(group), orders(group), len(buyers - seen), len(buyers & seen))
        seen |= buyers
    return table


def returning(rows: list[Row]) -> set[str]:
    """The customers with at least two different orders."""
    return {customer for customer, group in split(rows, lambda row: row["customer_id"]).items() if orders(group) > 1}
