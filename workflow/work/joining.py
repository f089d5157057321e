"""How the commit of an agent or a person comes onto another, and what differs between two commits."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.work import trees

MERGE_DATE = "2000-01-01T00:00:00Z"


def join(
    repo: Path, ours: trees.Commit, outcome: dict[str, Any], message: str, held: Container[str] = ()
) -> tuple[trees.Commit | None, trees.Merge]:
    """`ours` with an agent's commit merged in (None where the two conflict), and how they merged.

    `held` are all commits of agents that `ours` holds, where they are known, and never the agent's own. Where what it built on is not
    among them (its own parents' commits come with it), the base is found in the history.
    """
    theirs, recorded = outcome["result"], outcome["base"]
    if recorded["commit"] == ours.commit:
        return trees.Commit(theirs["commit"], theirs["tree"]), trees.Merge(theirs["tree"])
    if recorded["commit"] in held and outcome.get("tasks") is None:
        merged = trees.merge_child(repo, ours, theirs["commit"], recorded["commit"])
    else:
        merged = trees.merge(repo, ours.commit, theirs["commit"])
    if merged.tree is None:
        return None, merged
    return trees.commit_tree(repo, merged.tree, [ours.commit, theirs["commit"]], message, MERGE_DATE), merged


@dataclass(frozen=True)
class Hunk:
    """A place where two sides changed the same lines: first and last line on our side, and both sides with conflict markers."""

    first: int
    last: int
    text: str


def hunks(marked: str) -> list[Hunk]:
    """The places in a text with conflict markers as git writes them (`merge.conflictStyle = merge`)."""
    found: list[Hunk] = []
    line, start, side, kept = 0, 0, "", []
    for text in marked.splitlines():
        if not side and text.startswith("<<<<<<< "):
            side, start, kept = "ours", line + 1, [text]
            continue
        if side:
            kept.append(text)
        if side == "ours" and text == "=======":
            side = "theirs"
        elif side == "theirs" and text.startswith(">>>>>>> "):
            found.append(Hunk(start, max(start, line), "\n".join(kept)))
            side = ""
        elif side != "theirs":
            line += 1
    return found


def described(repo: Path, old: str, new: str) -> list[dict[str, Any]]:
    """The files that differ between two commits or trees, each with path, change, mode, size and sha256."""
    found = trees.changes(repo, old, new)
    hashes = trees.sha256_of(repo, [change.blob for change in found if change.kind != "D"])
    words = {"A": "added", "M": "changed", "T": "changed", "D": "deleted"}
    return [
        {
            "path": change.path,
            "change": words.get(change.kind, "changed"),
            "mode": change.mode,
            "size": change.size,
            "sha256": hashes.get(change.blob),
        }
        for change in found
    ]
