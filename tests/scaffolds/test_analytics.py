"""The analytics pipeline: delivered through a data phase without a gate, then run from outside on sample and own orders."""

from __future__ import annotations

import base64
import csv
import json
import re
import shlex
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Done
from deliveries import Delivery, own_suite_finds

PNG = b"\x89PNG\r\n\x1a\n"
HEADER = "order_id,order_date,customer_id,region,category,product,quantity,unit_price\n"
ORDERS = """\
O-00001,2024-01-05,C-0001,North,Toys,Kite,2,10.00
O-00001,2024-01-05,C-0001,North,Office,<script>alert(1)</script>,1,5.50
O-00002,2024-02-29,C-0002,South,Toys,Kite,1,10.00
O-00003,2024-02-30,C-0002,South,Toys,Kite,1,10.00
O-00004,2024-03-01,C-0001,Nroth,Toys,Kite,1,10.00
O-00005,2024-03-02,C-0001,North,Toys,Kite,-1,10.00
"""


@pytest.fixture
def analytics(delivered: Callable[[str], Delivery]) -> Delivery:
    """The delivered pipeline."""
    return delivered("analytics")


def use(made: Delivery, *words: str, check: int = 0) -> Done:
    """Paste the printed start command with further words."""
    return made.desk.shell([*shlex.split(made.start_line()), *words], check)


def rejects(folder: Path) -> list[dict[str, str]]:
    """The bad values that the pipeline named."""
    with (folder / "rejects.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_run_passes_its_data_phase_without_a_gate_and_is_delivered(analytics: Delivery) -> None:
    first = [stop.last[-5] for stop in analytics.stops]
    assert [line.partition(": ")[2] for line in first] == [
        "planning waits for your review (READY FOR REVIEW)",
        "development waits for your review (READY FOR REVIEW)",
        "testing waits for your review (READY FOR REVIEW)",
        "delivered: all 5 phases are done",
    ]
    assert "data data_engineer: succeeded" in analytics.stops[1].out
    data = analytics.desk.json(f"runs/{analytics.run}/data/manifest.json")
    assert [item["path"] for item in data["artifacts"]] == ["data/orders.csv", "docs/data.md"]
    assert analytics.desk.json(f"runs/{analytics.run}/status.json")["phases"]["data"]["state"] == "open"
    assert not (analytics.folder / "data/APPROVED").exists()


def test_the_printed_command_makes_a_report_with_plots_from_the_sample(analytics: Delivery) -> None:
    done = use(analytics)
    out = analytics.project / "out"
    assert done.out.splitlines()[-1] == f"Report: {out / 'report.html'}"
    named = [(row["file"], row["row"], row["column"], row["value"]) for row in rejects(out)]
    assert ("orders.csv", "48", "order_date", "2023-02-30") in named
    assert ("orders.csv", "125", "region", "Nroth") in named
    page = (out / "report.html").read_text()
    pictures = [base64.b64decode(text) for text in re.findall(r'src="data:image/png;base64,([^"]+)"', page)]
    assert len(pictures) == 4
    for picture in pictures:
        assert picture.startswith(PNG)
        assert min(struct.unpack(">II", picture[16:24])) > 400
        assert len(picture) > 10_000, "an empty plot"
    assert not re.findall(r'(?:src|href)="(?!data:)', page), "the report loads something"
    figures = json.loads((out / "summary.json").read_text())
    with (analytics.project / "data/orders.csv").open(newline="") as file:
        bad = {int(row["row"]) for row in rejects(out)}
        rows = [row for number, row in enumerate(csv.DictReader(file), start=2) if number not in bad]
    assert figures["rows"] == {"read": len(rows) + len(bad), "rejected": len(bad), "valid": len(rows)}
    cents = sum(int(row["quantity"]) * round(float(row["unit_price"]) * 100) for row in rows)
    assert figures["revenue"] == cents / 100
    assert figures["orders"] == len({row["order_id"] for row in rows})
    assert round(sum(month["revenue"] for month in figures["monthly"]) * 100) == cents


def test_own_orders_are_reported_and_their_bad_rows_named(analytics: Delivery, tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    data.mkdir()
    (data / "orders.csv").write_text(HEADER + ORDERS)
    done = use(analytics, "--data", str(data), "--out", str(out), "--strict", check=1)
    assert done.err.splitlines() == [
        "orders.csv, row 5, column order_date: '2024-02-30' is not a calendar day written YYYY-MM-DD",
        "orders.csv, row 6, column region: 'Nroth' is not one of East, North, South, West",
        "orders.csv, row 7, column quantity: '-1' is not a whole number from 1 to 9999",
    ]
    assert [row["row"] for row in rejects(out)] == ["5", "6", "7"]
    figures = json.loads((out / "summary.json").read_text())
    assert (figures["revenue"], figures["orders"], figures["units"], figures["customers"]["total"]) == (35.5, 2, 4, 2)
    assert [(month["month"], month["revenue"]) for month in figures["monthly"]] == [("2024-01", 25.5), ("2024-02", 10.0)]
    page = (out / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "2024-02-30" in page


def test_data_that_cannot_be_used_is_refused_in_one_line(analytics: Delivery, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id,region\nO-00001,North\n")
    for folder, reason in ((tmp_path / "nothing", "no such file"), (tmp_path, "lacks the column")):
        done = use(analytics, "validate", "--data", str(folder), check=2)
        (line,) = done.err.splitlines()
        assert line.startswith("error: ")
        assert reason in line


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("figures.py", 'share", table["revenue_cents"] / table["revenue_cents"].sum()', 'share", table["orders"] / table["orders"].sum()'),
        ("validation.py", "findings += value_findings(table, today or pd.Timestamp.now())", "value_findings(table, pd.Timestamp.now())"),
        ("report.py", 'return f"<{name}{mark}>{escape(text)}</{name}>"', 'return f"<{name}{mark}>{text}</{name}>"'),
    ],
    ids=["shares-of-orders", "bad-rows-count", "scripts-run"],
)
@pytest.mark.long
def test_a_planted_bug_turns_the_pipelines_own_suite_red(analytics: Delivery, tmp_path: Path, path: str, old: str, new: str) -> None:
    assert own_suite_finds(analytics, tmp_path / "project", f"src/{analytics.package}/{path}", old, new)
