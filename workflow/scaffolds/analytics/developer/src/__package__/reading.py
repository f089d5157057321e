"""Read `orders.csv` into rows of text that remember where they stood."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from .errors import DataError
from .schema import COLUMNS, ORDERS_FILE

ROW = "row"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong in a data file; `row` is the line at which an editor shows it (the header is 1)."""

    file: str
    row: int
    column: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, row {self.row}, column {self.column}: {self.value!r} {self.reason}"


def read_orders(folder: Path) -> tuple[pd.DataFrame, list[Finding]]:
    """The rows of the order file in `folder` as trimmed texts with a column `row`, and the rows of a wrong width.

    Blank lines are skipped. Columns may stand in any order, and further columns are ignored.
    Raises DataError when the file is missing, is no UTF-8 CSV, or lacks a column.
    """
    path = folder / ORDERS_FILE
    records = parse(path)
    if not records:
        raise DataError(f"{path}: the file is empty; its first line must be {','.join(COLUMNS)}")
    header = [name.strip() for name in records[0][1]]
    require_columns(path, header)

    rows, findings = [], []
    for line, fields in records[1:]:
        if len(fields) == len(header):
            rows.append((line, *(field.strip() for field in fields)))
        else:
            reason = f"has {len(fields)} fields where the header has {len(header)}"
            findings.append(Finding(path.name, line, "(whole row)", ",".join(fields), reason))
    table = pd.DataFrame(rows, columns=[ROW, *header])
    return table[[ROW, *COLUMNS]], findings


def parse(path: Path) -> list[tuple[int, list[str]]]:
    """Each record of a CSV file with the line on which it begins; a byte order mark is dropped."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; name the folder that holds {path.name} with --data") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None

    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    records, begin = [], 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                records.append((begin, fields))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}: row {begin} is not CSV: {error}; check its quotation marks") from None
    return records


def require_columns(path: Path, header: list[str]) -> None:
    """Raise DataError unless `header` names each column that is needed, and none twice."""
    missing = [column for column in COLUMNS if column not in header]
    if missing:
        raise DataError(f"{path}: row 1 lacks the column {', '.join(missing)}; it needs {','.join(COLUMNS)}")
    double = sorted({name for name in header if header.count(name) > 1})
    if double:
        raise DataError(f"{path}: row 1 names the column {', '.join(double)} more than once; rename or drop one")
