"""Plans: files with tasks that a later phase fans out on, held against their schema in the phase that writes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow.errors import GitError
from workflow.plan import tasks
from workflow.work import trees

LISTED = 50


def read_all(run_dir: Path, merge: Mapping[str, Any], wanted: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """A row for each plan in a phase's merged tree: path, status (pass, fail), tasks (their number), problems.

    `wanted`: {path, must}. One that need not be there (another phase may write it) and is not has no row.
    """
    rows = []
    for item in wanted:
        try:
            text = trees.read_file(run_dir / "project.git", merge["commit"], item["path"])
        except GitError:
            if item["must"]:
                rows.append(_row(item["path"], 0, [f"{item['path']}: there is no such file, and a later phase takes its tasks from it"]))
            continue
        found, problems = tasks.parse(text.decode("utf-8", "replace"), item["path"])
        rows.append(_row(item["path"], len(found), problems))
    return rows


def _row(path: str, count: int, problems: list[str]) -> dict[str, Any]:
    return {"path": path, "status": "fail" if problems else "pass", "tasks": count, "problems": problems[:LISTED]}


def held(wanted: Sequence[Mapping[str, Any]], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The rows for what is wanted; a plan that must be there and has no result is unknown, which is not a pass."""
    known = {row["path"]: dict(row) for row in rows}
    lost = [item["path"] for item in wanted if item["must"] and item["path"] not in known]
    unknown = {path: {"path": path, "status": "unknown", "tasks": 0, "problems": [f"{path}: there is no result of it"]} for path in lost}
    return list((known | unknown).values())
