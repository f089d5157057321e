"""Tables of agents: CSV and TSV as rows of texts, with what was left out."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

MOST_ROWS, MOST_COLUMNS, MOST_CHARACTERS = 200, 30, 500


@dataclass(frozen=True)
class Sheet:
    """The first row as names of columns, and the rows below; all of them have as many cells as `names`."""

    names: list[str]
    rows: list[list[str]]
    rows_in_all: int
    columns_in_all: int

    @property
    def is_cut(self) -> bool:
        """Whether rows or columns are missing here."""
        return self.rows_in_all > len(self.rows) or self.columns_in_all > len(self.names)


def read(text: str, path: str) -> Sheet | None:
    """The table in a text; None where it is none."""
    try:
        found = [row for row in csv.reader(io.StringIO(text), delimiter="\t" if path.lower().endswith(".tsv") else ",") if row]
    except csv.Error:
        return None
    if len(found) < 2:
        return None
    width = max(map(len, found))
    shown = min(width, MOST_COLUMNS)
    rows = [_padded(row, shown) for row in found[: MOST_ROWS + 1]]
    names = [name.strip() or f"column {number}" for number, name in enumerate(rows[0], 1)]
    return Sheet(names, rows[1:], len(found) - 1, width)


def _padded(row: list[str], width: int) -> list[str]:
    cells = [cell if len(cell) <= MOST_CHARACTERS else cell[:MOST_CHARACTERS] + "…" for cell in row[:width]]
    return cells + [""] * (width - len(cells))
