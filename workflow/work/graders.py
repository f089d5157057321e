"""Graders: the files that judge an agent's work, which it may not change (`protected`), and what it may write at all (`owns`).

Both compare git's hashes of the files before and after the agent's job; nothing that the agent says counts. Checks run with the
protected files as the phase found them, so that nothing that was merged meanwhile grades itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow import globs
from workflow.work import trees

NAMED = 10
ATTRIBUTES = ".gitattributes"  # says which bytes git writes for a file, so it goes with the protected ones


def violations(brief: Mapping[str, Any], paths: Iterable[str]) -> list[str]:
    """What an agent did that it may not, as errors that name the files; `paths` are those it created, changed or deleted."""
    changed, protected, owns = list(paths), brief.get("protected", []), brief.get("owns", [])
    found = []
    graders = [path for path in changed if protected and globs.matches(path, protected)]
    if graders:
        found.append(f"the agent changed protected files: {_listed(graders)} (protected: {', '.join(protected)})")
    foreign = [path for path in changed if owns and not globs.matches(path, owns)]
    if foreign:
        found.append(f"the agent wrote files that it does not own: {_listed(foreign)} (owns: {', '.join(owns)})")
    return found


def _listed(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - NAMED} more" if len(paths) > NAMED else ""
    return ", ".join(paths[:NAMED]) + more


def approved(repo: Path, base: str, commit: str, protected: Sequence[str]) -> tuple[str, list[str]]:
    """The tree on which checks run, and the protected files in it that are those of `base` and not of `commit`."""
    tree = trees.resolve(repo, commit).tree
    differing = [change.path for change in trees.changes(repo, base, commit)] if protected else []
    restored = [path for path in differing if globs.matches(path, protected) or path.rsplit("/", 1)[-1] == ATTRIBUTES]
    return trees.put_back(repo, tree, base, restored), restored
