"""Dead code: what nothing in the tree uses, as far as vulture can tell; Python only.

A name that a file other than a Python file or a text for people mentions (an entry point, a template, a configuration)
is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workflow.proof.hygiene import conventions, scanners
from workflow.proof.hygiene.inventory import File, contents
from workflow.proof.hygiene.mentions import Mentions
from workflow.proof.hygiene.scoring import DEAD, MEASURED, NOTHING, Finding, Result, in_order

SCANNER = "vulture"
IMPORT, OTHER = 1, 2


def judge(repo: Path, files: Sequence[File]) -> Result:
    """The component `dead_code` of a tree. Raises Unmeasured where vulture is missing or failed."""
    wanted = [item for item in files if item.is_plain and item.suffix == ".py" and not conventions.cache_folder(item.path)]
    if not wanted:
        return Result(DEAD, NOTHING, reason="no Python files", scanner=SCANNER)
    answer = scanners.run("unused", SCANNER, repo, wanted)
    found = in_order(_findings(answer["rows"], _used_elsewhere(repo, files, answer["rows"])))
    return Result(DEAD, MEASURED, found, scanner=SCANNER, version=answer["version"])


def _used_elsewhere(repo: Path, files: Sequence[File], rows: Sequence[dict[str, Any]]) -> Mentions:
    """The names among the findings that entry points, templates and configurations mention."""
    seen = Mentions(row["name"] for row in rows if row["kind"] != "unread")
    silent = conventions.PROSE | {".py", ".csv"}
    texts = [item for item in files if item.is_plain and item.suffix not in silent and not conventions.cache_folder(item.path)]
    if rows:
        for item, content in contents(repo, texts):
            seen.look(item.path, content)
    return seen


def _findings(rows: Sequence[dict[str, Any]], elsewhere: Mentions) -> Iterator[Finding]:
    for row in rows:
        if row["kind"] == "unread" or row["kind"] == "unreachable_code" or not elsewhere.named(row["name"]):
            yield Finding(row["path"], row["line"], row["text"], IMPORT if row["kind"] == "import" else OTHER)
