"""Order files for the tests: one small enough to add up by hand, and whatever rows a test wants."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

HEADER = ("order_id", "order_date", "customer_id", "region", "category", "product", "quantity", "unit_price")
SMALL = (
    ("O-00001", "2024-01-10", "C-0001", "North", "Toys", "Kite", "2", "10.00"),
    ("O-00001", "2024-01-10", "C-0001", "North", "Office", "Desk lamp", "1", "50.50"),
    ("O-00002", "2024-01-31", "C-0002", "South", "Toys", "Kite", "1", "10"),
    ("O-00003", "2024-03-01", "C-0001", "North", "Garden", "Rake", "3", "7.25"),
    ("O-00004", "2024-03-31", "C-0003", "South", "Toys", "Puzzle", "1", "0.29"),
    ("O-00004", "2024-03-31", "C-0003", "South", "Garden", "Rake", "1", "7.25"),
)

Rows = Iterable[Iterable[str]]


@pytest.fixture
def project() -> Path:
    """The folder of the project."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture
def write_orders(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes rows below the usual header and gives back the data folder."""

    def write(rows: Rows = SMALL, header: Iterable[str] = HEADER) -> Path:
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        with (folder / "orders.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])
        return folder

    return write


@pytest.fixture
def small(write_orders: Callable[..., Path]) -> Path:
    """A data folder with six valid rows."""
    return write_orders()


@pytest.fixture
def with_change(write_orders: Callable[..., Path]) -> Callable[..., Path]:
    """A function that writes the small file with some values of one row changed; row 2 is the first."""

    def write(row: int, **changes: str) -> Path:
        rows = [dict(zip(HEADER, values, strict=True)) for values in SMALL]
        rows[row - 2] |= changes
        return write_orders([values.values() for values in rows])

    return write
