"""All benchmarks, and the table of figures: python -m tests.benchmarks [--short] [--rounds 5] [NAME ...].

A figure and its floor are measured in turn on the same machine, and the median of the rounds counts; what was timed must really have
been made, or it is an error (exit code 1). A goal that is missed is printed, and is no error.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import fanned, makespans, merges, packing, phases, repetition, starts, supervision, table, views  # noqa: E402
from benchmarks.timing import Effort  # noqa: E402

BENCHMARKS = {
    "starts": starts,
    "phases": phases,
    "supervision": supervision,
    "makespans": makespans,
    "fanned": fanned,
    "merges": merges,
    "repetition": repetition,
    "packing": packing,
    "views": views,
}


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"only these: {', '.join(BENCHMARKS)}")
    parser.add_argument("--rounds", type=int, help="rounds of each measurement (default: 5, short form: 1)")
    parser.add_argument("--short", action="store_true", help="smaller runs, once")
    return parser.parse_args()


def main(options: argparse.Namespace) -> None:
    """Measure one after the other and print a row as soon as it is known."""
    unknown = sorted(set(options.names) - BENCHMARKS.keys())
    if unknown:
        raise SystemExit(f"there is no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    effort = Effort(options.rounds or (1 if options.short else 5), options.short)
    folder, found = Path(tempfile.mkdtemp(prefix="benchmarks-")), []
    print(table.head(), flush=True)
    try:
        for name in options.names or BENCHMARKS:
            for row in BENCHMARKS[name].rows(folder / name, effort):
                print(table.line(row.cells()), flush=True)
                found.append(row)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("", *table.remarks(found), sep="\n")


if __name__ == "__main__":
    main(arguments())
