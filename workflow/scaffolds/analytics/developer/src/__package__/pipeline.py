"""From a folder with `orders.csv` to a folder with the report."""

from __future__ import annotations

import csv
import io
import json
import os
from dataclasses import astuple, fields
from pathlib import Path

import pandas as pd

from . import about
from .errors import DataError
from .figures import Figures, compute
from .plots import draw
from .reading import Finding
from .report import html_page
from .schema import CURRENCY, ORDERS_FILE
from .validation import Checked, check


def run(data: Path, out: Path, today: pd.Timestamp | None = None) -> Checked:
    """Write report.html, summary.json, rejects.csv and plots/*.png below `out`; give back what was checked.

    Raises DataError when the data cannot be read or no row of it is valid; rejects.csv then tells why.
    """
    checked = check(data, today)
    write(out / "rejects.csv", rejects(checked.findings).encode())
    if checked.orders.empty:
        raise DataError(f"{data / ORDERS_FILE}: no row is valid; {out / 'rejects.csv'} names what is wrong")

    figures = compute(checked.orders)
    images = draw(figures)
    for name, image in images.items():
        write(out / "plots" / f"{name}.png", image)
    write(out / "summary.json", summary(figures, checked).encode())
    write(out / "report.html", html_page(figures, checked, images).encode())
    return checked


def rejects(findings: tuple[Finding, ...]) -> str:
    """The findings as CSV, one line per bad value."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Finding))
    writer.writerows(astuple(finding) for finding in findings)
    return text.getvalue()


def summary(figures: Figures, checked: Checked) -> str:
    """All figures as JSON; amounts in `CURRENCY` with two decimals, shares from 0 to 1."""
    head = figures.headline
    content = {
        "project": {"title": about.TITLE, "version": about.VERSION, "goal": about.GOAL},
        "currency": CURRENCY,
        "period": {"first_day": str(head.first_day.date()), "last_day": str(head.last_day.date())},
        "rows": {"read": checked.rows, "valid": len(checked.orders), "rejected": checked.rejected},
        "revenue": head.revenue_cents / 100,
        "orders": head.orders,
        "units": head.units,
        "average_order": head.average_order_cents / 100,
        "best_month": str(head.best_month),
        "growth": None if head.growth is None else round(head.growth, 6),
        "customers": {
            "total": head.customers,
            "returning": head.returning_customers,
            "returning_share": round(head.returning_share, 6),
            "returning_revenue_share": round(head.returning_revenue_share, 6),
        },
        "monthly": records(figures.monthly.reset_index().astype({"month": str})),
        "categories": records(figures.categories),
        "regions": records(figures.regions),
        "region_categories": (figures.region_categories / 100).to_dict("index"),
        "top_products": records(figures.products),
    }
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def records(table: pd.DataFrame) -> list[dict[str, object]]:
    """The lines of a table as plain values, its cents as amounts and its shares rounded."""
    plain = table.assign(revenue=table["revenue_cents"] / 100).drop(columns="revenue_cents")
    return plain.round({"share": 6}).to_dict("records")


def write(path: Path, content: bytes) -> None:
    """Put `content` at `path` in one step, so that no reader ever sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(content)
    draft.replace(path)
