"""Tables for the terminal, and the same as JSON or CSV for programs.

On a terminal a table fits its width: columns that are named as spare go first, then long cells are folded. Elsewhere every
line is as long as it needs to be. Nothing in a cell can act on the terminal; NO_COLOR is heeded.
"""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

from rich import box
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from workflow import files
from workflow.errors import UsageError
from workflow.markup import plain
from workflow.proof import bundles

UNLIMITED = 100_000
STYLES = {
    "open": "green", "pass": "green", "succeeded": "green", "delivered": "green", "waiting": "yellow", "partial": "yellow",
    "stale": "yellow", "parked": "yellow", "changes_requested": "yellow", "running": "cyan", "blocked": "bold red", "fail": "bold red",
    "failed": "bold red", "timed_out": "bold red", "conflict": "bold red", "over_budget": "bold red", "pending": "dim",
    "unknown": "magenta", "skipped": "dim",
}  # fmt: skip
NUMBERS = "0123456789"
FORMULAS = ("=", "+", "-", "@")


def console(stream: IO[str] | None = None) -> Console:
    """A console on a stream (standard output): as wide as the terminal, unlimited where it is none, plain where NO_COLOR is set."""
    goal = stream or sys.stdout
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}  # the terminal knows better
    styled = goal.isatty() and "NO_COLOR" not in os.environ
    width = None if goal.isatty() else UNLIMITED
    return Console(
        file=goal, width=width, color_system="auto" if styled else None, highlight=False, markup=False, emoji=False, _environ=env
    )


def print_rows(rows: Sequence[Mapping[str, Any]], names: Sequence[str], form: str, spare: Sequence[str] = (), title: str = "") -> None:
    """Rows as a table, as JSON or as CSV with these columns. `spare` are those that a narrow terminal can do without, first ones first."""
    if form == "json":
        sys.stdout.write(files.pretty_json(rows))
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([list(names), *([_field(row[name]) for name in names] for row in rows)])
    elif not rows:
        sys.stdout.write("nothing yet\n")
    else:
        goal = console()
        goal.print(fitting(rows, names, spare, goal, title))
    sys.stdout.flush()


def _field(value: Any) -> Any:
    """A value for CSV: no text in it acts on a terminal, or is a formula in a spreadsheet (https://owasp.org/www-community/attacks/CSV_Injection)."""
    if value is None:
        return ""
    text = plain(value) if isinstance(value, str) else value
    return f"'{text}" if isinstance(text, str) and text[:1] in FORMULAS else text


def fitting(rows: Sequence[Mapping[str, Any]], names: Sequence[str], spare: Sequence[str], goal: Console, title: str = "") -> Table:
    """The table with as many of its columns as the console is wide enough for."""
    left: Collection[str] = ()
    for count in range(len(spare) + 1):
        left = set(spare[:count])
        made = _table(rows, [name for name in names if name not in left], title)
        if Measurement.get(goal, goal.options.update(max_width=UNLIMITED), made).maximum <= goal.width:
            break
    return made


def _table(rows: Sequence[Mapping[str, Any]], names: Sequence[str], title: str) -> Table:
    made = Table(
        box=box.SIMPLE_HEAD, show_edge=False, title=title or None, title_justify="left", title_style="bold", pad_edge=False, padding=(0, 1)
    )
    for name in names:
        cells = [cell(name, row[name]) for row in rows]
        numeric = all(text[:1] in NUMBERS or text in ("-", "unknown", "") for text in map(str, cells))
        made.add_column(Text(name.replace("_", " "), style="bold"), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        made.add_row(*(cell(name, row[name]) for name in names))
    return made


def cell(name: str, value: Any) -> Text:
    """A value as it stands in a table: control characters cannot act, digests are shortened, None is a dash."""
    text = "-" if value is None else plain(str(value)[:12] if name == "digest" else str(value))
    return Text(text, style=STYLES.get(text, ""))


def seconds(value: float | None, known: float | None = None) -> str:
    """A duration as people say it; unknown where it is not known, with the part that is."""
    if value is None:
        return f"{seconds(known)} + unknown" if known else "unknown"
    if value < 100:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def minute(time: str | None) -> str | None:
    """A time in UTC as far as a table shows it; None where there is none."""
    return time[:16].replace("T", " ") if time else None


def dollars(known: float, unknown: int, worked: int, estimated: bool = False) -> str:
    """A cost as people write it: what is known, and how many agents did not say."""
    if worked and unknown >= worked:
        return "unknown"
    digits = f"{known:,.2f}" if known >= 1 or not known else f"{known:.4f}" if known >= 0.0001 else "< 0.0001"
    return f"{'~' if estimated else ''}{digits} USD" + (f" + {unknown} unknown" if unknown else "")


def show_bundles(run_dir: Path, phase: str | None = None, form: str = "table") -> None:
    """Print the bundles of a run. UsageError for a phase that has none."""
    rows = list(bundles.listing(run_dir, phase))
    if phase and not rows:
        known = ", ".join(sorted(path.stem for path in (run_dir / "bundles").glob("*.zip"))) or "none yet"
        raise UsageError(f"--config phase={phase}: there is no such bundle; known: {known}")
    names = ["phase", "validation", "artifact_count", "agents_succeeded", "size_bytes", "created_at", "digest", "path"]
    print_rows(rows, names, form, ("created_at", "agents_succeeded", "size_bytes", "digest"))
