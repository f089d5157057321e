"""Names and links in a tree of git: what must not come into the project, and what a reviewer should know.

Refused are links that lead out of the project, repositories inside it, and names that lead out of it on another
system. A link is judged by itself: it may begin with as many `..` as there are folders above it and has none later,
so that no merge of harmless links makes one that leads out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workflow.work import trees
from workflow.work.trees import SUBMODULE, Change

LONG = 150  # bytes; many systems allow 255, less with what a program adds
CAP = 50
LINK = "120000"
DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)


@dataclass(frozen=True)
class Finding:
    """Something about one path. Bytes of the path that are not UTF-8 stand in it as lone surrogates."""

    path: str
    kind: str
    reason: str

    @property
    def text(self) -> str:
        """The finding on one line on which the path cannot act."""
        return f"`{escaped(self.path)}` {self.reason}"


def escaped(path: str) -> str:
    """A path on one line: what is not printable or not UTF-8 is written as an escape."""
    text = path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def summary(found: list[Finding], named: int = 3) -> str:
    """The first findings in words, and how many more there are."""
    more = f"; and {len(found) - named} more" if len(found) > named else ""
    return "; ".join(item.text for item in found[:named]) + more


def refusals(repo: Path, changes: Iterable[Change]) -> list[Finding]:
    """What these changes of a tree may not bring in."""
    changed = [change for change in changes if change.kind != "D"]
    links = [change for change in changed if change.mode == LINK]
    found = [Finding(item.path, "repository", "is a git repository inside the tree") for item in changed if item.mode == SUBMODULE]
    for change, target in zip(links, trees.read_objects(repo, [change.blob for change in links]), strict=True):
        found += _leads_out(change.path, target.decode("utf-8", "surrogateescape"))
    found += [
        Finding(item.path, "name", "has `..` between backslashes, which leads out of the project on Windows")
        for item in changed
        if ".." in re.split(r"[\\/]", item.path)
    ]
    return found


def _leads_out(path: str, target: str) -> Iterator[Finding]:
    """Why a link with this target is refused, if it is."""
    parts = [part for part in re.split(r"[\\/]", target) if part not in ("", ".")]
    ups = next((index for index, part in enumerate(parts) if part != ".."), len(parts))
    shown = escaped(target) if len(target) <= 80 else f"{escaped(target[:80])}..."
    if target.startswith(("/", "\\")) or re.match("[A-Za-z]:", target):
        yield Finding(path, "link", f"is a link to an absolute path ({shown})")
    elif ups > path.count("/"):
        yield Finding(path, "link", f"is a link that leads out of the project ({shown})")
    elif ".." in parts[ups:]:
        yield Finding(path, "link", f"is a link that goes up again after it has gone down ({shown})")
    elif any(part.lower() == ".git" for part in parts):
        yield Finding(path, "link", f"is a link into git's own files ({shown})")


def findings(added: set[str], paths: Iterable[str]) -> list[Finding]:
    """What a reviewer should know about the names of added files, among all paths of the new tree."""
    found = [Finding(path, "name", reason) for path in sorted(added) if (reason := _odd(path))]
    return found + _collisions(added, paths) if added else []


def _odd(path: str) -> str:
    """What is awkward about a path, or nothing."""
    reasons = {part: _odd_part(part) for part in path.split("/")}
    return next(filter(None, reasons.values()), "")


def _odd_part(part: str) -> str:
    raw = part.encode("utf-8", "surrogateescape")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return "has a name that is not UTF-8"
    if not part.isprintable():
        return "has control or invisible characters in its name"
    if len(raw) > LONG:
        return f"has a name of {len(raw)} bytes"
    if part[0] == "-":
        return "has a name that begins with a dash, which programs take for an option"
    if part != part.strip() or part[-1] == ".":
        return "has a name that begins or ends with a blank, or ends with a dot"
    if re.search(r'[<>:"|?*\\]', part) or DEVICES.fullmatch(part):
        return "has a name that Windows does not allow"
    return ""


def _collisions(added: set[str], paths: Iterable[str]) -> list[Finding]:
    """New paths that are one file with another path where case or Unicode form do not count (macOS, Windows)."""
    spelled: dict[str, dict[str, str]] = {}
    for path in paths:
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            prefix = "/".join(parts[:depth])
            forms = spelled.setdefault(unicodedata.normalize("NFC", prefix).casefold(), {})
            forms.setdefault(prefix, path)
    found: dict[str, Finding] = {}
    for forms in spelled.values():
        if len(forms) > 1:
            for prefix, path in forms.items():
                others = ", ".join(f"`{escaped(other)}`" for other in forms if other != prefix)
                found.setdefault(path, Finding(path, "case", f"is the same as {others} where upper and lower case do not count"))
    return [item for path, item in sorted(found.items()) if path in added]


def rows(found: Iterable[Finding]) -> list[dict[str, str]]:
    """Findings for a JSON file, at most 50."""
    return [{"path": item.path, "kind": item.kind, "reason": item.reason} for item in list(found)[:CAP]]
