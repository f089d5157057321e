"""Sort the rows of the order file into valid orders and findings that name each bad value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .reading import ROW, Finding, read_orders
from .schema import COLUMNS, ORDERS_FILE, dates, rules

# Whatever belongs to the first name must be the same in all rows that share it.
DEPENDENT = (
    ("order_id", "order_date"),
    ("order_id", "customer_id"),
    ("order_id", "region"),
    ("product", "category"),
)


@dataclass(frozen=True)
class Checked:
    """`orders` holds the valid rows, typed; a row with a finding is in `findings` only, once per bad value.

    `rows` is how many rows the file holds, without the header.
    """

    rows: int
    orders: pd.DataFrame
    findings: tuple[Finding, ...]

    @property
    def rejected(self) -> int:
        """How many rows have at least one finding."""
        return len({finding.row for finding in self.findings})


def check(folder: Path, today: pd.Timestamp | None = None) -> Checked:
    """Read and check the order file in `folder`; `today` is the last day that an order may bear."""
    table, findings = read_orders(folder)
    rows = len(table) + len(findings)
    findings += value_findings(table, today or pd.Timestamp.now())
    table = without(table, findings)
    findings += consistency_findings(table)
    table = without(table, findings)
    repeats = repeat_findings(table)
    orders = typed(without(table, repeats))
    order = ["(whole row)", *COLUMNS].index
    return Checked(rows, orders, tuple(sorted(findings + repeats, key=lambda found: (found.row, order(found.column)))))


def value_findings(table: pd.DataFrame, today: pd.Timestamp) -> list[Finding]:
    """The values that break a rule by themselves; each value with the first rule that it breaks."""
    findings: dict[tuple[int, str], Finding] = {}
    for rule in rules(today):
        broken = table.loc[~rule.keeps(table[rule.column]).astype(bool), [ROW, rule.column]]
        for row, value in broken.itertuples(index=False):
            findings.setdefault((row, rule.column), Finding(ORDERS_FILE, row, rule.column, value, rule.reason))
    return list(findings.values())


def consistency_findings(table: pd.DataFrame) -> list[Finding]:
    """The rows that contradict the first row of the same order or the same product."""
    findings = []
    for key, column in DEPENDENT:
        first = table.groupby(key)[[ROW, column]].transform("first")
        paired = table.assign(stood=first[column], place=first[ROW])
        clashes = paired.loc[table[column] != first[column], [ROW, column, "stood", "place"]]
        for row, value, stood, place in clashes.itertuples(index=False):
            reason = f"contradicts {stood!r} for the same {key} in row {place}"
            findings.append(Finding(ORDERS_FILE, row, column, value, reason))
    return findings


def repeat_findings(table: pd.DataFrame) -> list[Finding]:
    """The rows that repeat a product within an order; the first such row stays."""
    key = ["order_id", "product"]
    first = table.groupby(key)[ROW].transform("min")
    repeats = table.assign(first=first)[table[ROW] != first]
    return [
        Finding(ORDERS_FILE, row, "product", product, f"stands twice in order {order}, first in row {stood}")
        for row, order, product, stood in repeats[[ROW, *key, "first"]].itertuples(index=False)
    ]


def without(table: pd.DataFrame, findings: list[Finding]) -> pd.DataFrame:
    """The rows that no finding names."""
    return table[~table[ROW].isin([finding.row for finding in findings])]


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Valid rows with real dates and numbers, their month, and the revenue of each row in cents."""
    quantity = table["quantity"].astype("int64")
    price_cents = (table["unit_price"].astype("float64") * 100).round().astype("int64")
    day = dates(table["order_date"])
    return table.drop(columns="unit_price").assign(
        order_date=day,
        month=day.dt.to_period("M"),
        quantity=quantity,
        price_cents=price_cents,
        revenue_cents=quantity * price_cents,
    )
