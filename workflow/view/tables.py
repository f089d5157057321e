"""Tables for the terminal, and the same as JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from workflow import files
from workflow.errors import UsageError
from workflow.markup import plain
from workflow.proof import bundles


def show_bundles(run_dir: Path, phase: str | None = None, format: str = "table") -> None:  # noqa: A002
    """Print the bundles of a run. UsageError for a phase that has none."""
    rows = list(bundles.listing(run_dir, phase))
    if phase and not rows:
        known = ", ".join(sorted(path.stem for path in (run_dir / "bundles").glob("*.zip"))) or "none yet"
        raise UsageError(f"--config phase={phase}: there is no such bundle; known: {known}")
    names = ["phase", "validation", "artifact_count", "agents_succeeded", "size_bytes", "created_at", "digest", "path"]
    print_rows(rows, names, format)


def show_status(run: str, record: dict[str, Any], format: str = "table") -> None:  # noqa: A002
    """Print the state of each phase with its reasons and the next command."""
    if format == "json":
        sys.stdout.write(files.pretty_json(record))
        return
    rows = [phase | {"phase": name, "why": "; ".join(phase["reasons"])} for name, phase in record["phases"].items()]
    sys.stdout.write(f"{run}: {record['state']}\n\n")
    print_rows(rows, ["phase", "state", "trust", "by", "since", "digest", "why"], "table")
    following = {phase["next"]: name for name, phase in reversed(record["phases"].items()) if phase["next"] and phase["state"] != "pending"}
    for command, name in reversed(following.items()):
        request = record["phases"][name]["request"]
        sys.stdout.write(f"\nread for {name}: {plain(request)}" if request else "")
        sys.stdout.write(f"\nnext for {name}: {plain(command)}\n")


def print_rows(rows: list[dict[str, Any]], names: Sequence[str], form: str) -> None:
    """Rows as a table (control characters cannot act, digests are shortened) or as JSON."""
    if form == "json":
        sys.stdout.write(files.pretty_json(rows))
        return
    shown = [[_cell(name, row[name]) for name in names] for row in rows]
    headers = [name.replace("_", " ") for name in names]
    sys.stdout.write(f"{tabulate(shown, headers=headers, disable_numparse=True)}\n" if rows else "nothing yet\n")


def _cell(name: str, value: Any) -> str:
    if value is None:
        return "-"
    return plain(str(value)[:12] if name == "digest" else str(value))
