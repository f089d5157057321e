"""The command line.

Exit status: 0 fine, 1 bad rows were found (`validate`, `run --strict`), 2 the command or its data cannot be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from . import about
from .errors import DataError
from .pipeline import run
from .validation import Checked, check

BAD_ROWS, UNUSABLE = 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status."""
    options = parser().parse_args(arguments)
    try:
        return options.command(options)
    except (DataError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return UNUSABLE


def parser() -> argparse.ArgumentParser:
    """The commands and their options."""
    made = argparse.ArgumentParser(prog=f"python -m {__package__}", description="Check shop orders and report on them.")
    made.add_argument("--version", action="version", version=about.VERSION.replace("%", "%%"))
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    runner = commands.add_parser("run", help="check the data and write the report")
    runner.add_argument("--out", type=Path, default=Path("out"), metavar="DIR", help="where the report goes (out)")
    runner.add_argument("--strict", action="store_true", help="exit with 1 when the data has bad rows")
    runner.set_defaults(command=run_command)

    validator = commands.add_parser("validate", help="only check the data; exit with 1 when it has bad rows")
    validator.set_defaults(command=validate_command)

    for command in (runner, validator):
        command.add_argument(
            "--data", type=Path, default=Path("data"), metavar="DIR", help="folder that holds orders.csv (data)"
        )
    return made


def run_command(options: argparse.Namespace) -> int:
    """Write the report and say where it lies."""
    checked = run(options.data, options.out)
    tell(checked)
    print(f"Report: {(options.out / 'report.html').resolve()}")
    return BAD_ROWS if options.strict and checked.findings else 0


def validate_command(options: argparse.Namespace) -> int:
    """Only check the data."""
    checked = check(options.data)
    tell(checked)
    return BAD_ROWS if checked.findings else 0


def tell(checked: Checked) -> None:
    """Name each bad value on standard error and count the rows on standard output."""
    for finding in checked.findings:
        print(finding, file=sys.stderr)
    print(f"{len(checked.orders)} of {checked.rows} rows are valid, {checked.rejected} rejected.")
