"""Replies: what an agent answers to feedback, in `feedback.json` at the top of its tree.

The file is a list of {id, status: done | not done, why}. It is taken out of the tree before the result is read, so
that it is no part of the project and parallel agents do not collide in it.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from workflow import files

NAME = "feedback.json"
LIMIT = 1 << 20
STATUSES = ("done", "not done")


def take(tree: Path, attempt_dir: Path, asked: list[dict[str, str]], own: bytes | None = None) -> list[dict[str, str]]:
    """The agent's answers to what was asked; moves the file from the tree into the attempt's folder.

    Without feedback in the brief the file is the project's own and is left alone; `own` is what the project has under
    this name, and is put back. Answers to other ids, and files that cannot be read, count as no answer.
    """
    path, kept = tree / NAME, attempt_dir / NAME
    if not asked:
        return []
    with contextlib.suppress(PermissionError):  # the agent shut its own tree, which is found right after this
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= LIMIT and path.read_bytes() != own:
            files.write_bytes(kept, path.read_bytes())
            path.unlink()
            if own is not None:
                path.write_bytes(own)
    found = files.try_read_json(kept)
    ids = {item["id"] for item in asked}
    entries: list[Any] = found if isinstance(found, list) else []
    return [_answer(entry) for entry in entries if isinstance(entry, dict) and entry.get("id") in ids and entry.get("status") in STATUSES]


def _answer(entry: dict[str, Any]) -> dict[str, str]:
    return {"id": str(entry["id"]), "status": str(entry["status"]), "why": str(entry.get("why", ""))[:2000]}
