"""Read labelled messages from CSV and refuse the rows that a model must not learn from."""

import csv
import hashlib
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import DataError

LABELS = ("account", "billing", "shipping", "technical")
COLUMNS = ("id", "text", "label")
MAX_TEXT_LENGTH = 2000
MIN_DISTINCT_PER_LABEL = 4


@dataclass(frozen=True)
class Message:
    """One labelled message."""

    id: str
    text: str
    label: str


@dataclass(frozen=True)
class Dataset:
    """The messages of a file in file order, and the SHA-256 of the file's bytes."""

    messages: tuple[Message, ...]
    sha256: str


@dataclass(frozen=True)
class RowProblem:
    """Why a row is refused. Rows count as in a spreadsheet: the header is row 1."""

    row: int
    column: str
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}, column '{self.column}': {self.reason}"


def fingerprint(text: str) -> str:
    """What two messages share that differ only in case, punctuation, spacing or numbers.

    >>> fingerprint("Where is order 4711?!")
    'where is order 0'
    """
    words = re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())
    return re.sub(r"\d+", "0", " ".join(words))


def load_dataset(path: Path) -> Dataset:
    """Read and validate `path` (UTF-8 CSV with the columns id, text, label).

    Raises DataError that lists every refused row with its number, column and reason.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(path, [error.strerror or "cannot be read"]) from error
    rows = list(_read_rows(path, content))
    problems: list[object] = list(_row_problems(rows))
    if not problems:
        messages = tuple(Message(*cells) for _, cells in rows)
        problems.extend(_shortages(messages))
    if problems:
        raise DataError(path, problems)
    return Dataset(messages, hashlib.sha256(content).hexdigest())


def _read_rows(path: Path, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Number and cells of each row that is not blank, after a check of the header."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(path, [f"line {line} is not UTF-8 text"]) from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            if number == 1 and tuple(cells) != COLUMNS:
                raise DataError(path, [f"row 1 must be '{','.join(COLUMNS)}', not {cells}"])
            if number > 1 and cells:
                yield number, cells
    except csv.Error as error:
        raise DataError(path, [f"row {number + 1} is not valid CSV: {error}"]) from error
    if number == 0:
        raise DataError(path, ["the file is empty"])


def _row_problems(rows: Sequence[tuple[int, list[str]]]) -> Iterator[RowProblem]:
    """Everything that is wrong with single rows or between two rows, in file order."""
    id_rows: dict[str, int] = {}
    labelled: dict[str, tuple[int, str]] = {}
    for number, cells in rows:
        if len(cells) != len(COLUMNS):
            yield _cell_count_problem(number, cells)
            continue
        key, text, label = cells
        yield from (RowProblem(number, *found) for found in _cell_problems(key, text, label))
        first_row = id_rows.setdefault(key, number)
        if first_row != number:
            yield RowProblem(number, "id", f"{key!r} is already used in row {first_row}")
        first_row, first_label = labelled.setdefault(fingerprint(text), (number, label))
        if first_label != label and label in LABELS and first_label in LABELS:
            reason = f"{label!r} contradicts {first_label!r} for the same text in row {first_row}"
            yield RowProblem(number, "label", reason)


def _cell_count_problem(number: int, cells: Sequence[str]) -> RowProblem:
    if len(cells) < len(COLUMNS):
        return RowProblem(number, COLUMNS[len(cells)], "is missing")
    reason = f"unexpected cell {cells[len(COLUMNS)]!r}; quote texts that contain a comma"
    return RowProblem(number, str(len(COLUMNS) + 1), reason)


def _cell_problems(key: str, text: str, label: str) -> Iterator[tuple[str, str]]:
    """Column and reason for each cell that is wrong on its own."""
    if not key.strip():
        yield "id", "is empty"
    if not fingerprint(text):
        yield "text", "has no letters or digits"
    elif len(text) > MAX_TEXT_LENGTH:
        yield "text", f"has {len(text)} characters, more than {MAX_TEXT_LENGTH}"
    elif "\N{REPLACEMENT CHARACTER}" in text:
        yield "text", "has characters that were lost in a conversion (U+FFFD)"
    if label not in LABELS:
        yield "label", f"{label!r} is not one of {', '.join(LABELS)}"


def _shortages(messages: Sequence[Message]) -> Iterator[str]:
    """A line for each label that is too rare to be learned and tested."""
    distinct = {fingerprint(message.text): message.label for message in messages}
    counts = Counter(distinct.values())
    for label in LABELS:
        if counts[label] < MIN_DISTINCT_PER_LABEL:
            needed = f"at least {MIN_DISTINCT_PER_LABEL} are needed"
            yield f"label '{label}' has {counts[label]} distinct messages; {needed}"
