"""Artifacts of a phase, to open in place: each file of its bundle by name, size and hash, and what it holds where there is room.

Bytes come from the run's repository and are shown only where they are those that the manifest names. What a file is
follows from its bytes, not from its name alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup, escape

from workflow import files
from workflow.errors import GitError
from workflow.view.report import documents, highlighting, numbers, sheets
from workflow.view.report.room import Room
from workflow.view.report.texts import Guard
from workflow.work import trees

MOST_LISTED = 300
TEXT_BYTES, PICTURE_BYTES = 60_000, 600_000
PICTURES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF87a": "image/gif", b"GIF89a": "image/gif"}
SVG = "image/svg+xml"
DOCUMENT_LEVEL = 4  # headings of a document stand below the one of all artifacts


@dataclass
class Artifact:
    """One file. `kind` says how `content` (or `sheet`) is shown; `why_not` says why nothing is."""

    id: str
    path: str
    size: int
    sha256: str
    mode: str
    asked_for: bool
    kind: str = "named"
    content: Any = ""
    sheet: sheets.Sheet | None = None
    left_out: int = 0
    why_not: str = ""


@dataclass(frozen=True)
class Shelf:
    """The artifacts of a phase that are listed, those that were asked for first, and how many more there are."""

    items: Sequence[Artifact]
    more: int

    @property
    def opened(self) -> list[Artifact]:
        """Those that can be opened here."""
        return [item for item in self.items if item.kind != "named"]


def of_phase(run_dir: Path, number: int, manifest: Mapping[str, Any], guard: Guard, rooms: Mapping[str, Room]) -> Shelf:
    """The artifacts of a phase; `number` makes their ids."""
    asked = {path for row in manifest["subject"]["validation"]["artifacts"] for path in row["found"]}
    rows = sorted(manifest["artifacts"], key=lambda row: (row["path"] not in asked, row["path"]))
    found = [_artifact(f"file-{number}-{place}", row, row["path"] in asked) for place, row in enumerate(rows[:MOST_LISTED], 1)]
    anchors = {item.path: item.id for item in found}
    for item, content in _contents(run_dir / "project.git", manifest["subject"]["tree"], found):
        _fill(item, content, anchors, guard, rooms)
    return Shelf(found, len(rows) - len(found))


def _artifact(name: str, row: Mapping[str, Any], asked_for: bool) -> Artifact:
    return Artifact(name, str(row["path"]), int(row["size"]), str(row["sha256"]), str(row["mode"]), asked_for)


def _contents(repo: Path, tree: str, found: Sequence[Artifact]) -> Iterator[tuple[Artifact, bytes]]:
    """Each plain file that is small enough to be shown, with its bytes."""
    wanted = []
    for item in found:
        if not item.mode.startswith("100"):
            item.why_not = "it is a link or a submodule"
        elif item.size > max(PICTURE_BYTES, 8 * TEXT_BYTES):
            item.why_not = "it is too large to be shown here"
        else:
            wanted.append(item)
    try:
        yield from zip(wanted, trees.read_objects(repo, [f"{tree}:{item.path}" for item in wanted]), strict=True)
    except (GitError, OSError) as error:
        for item in wanted:
            item.why_not = item.why_not or (f"it cannot be read: {error}" if item.kind == "named" else "")


def _fill(item: Artifact, content: bytes, anchors: Mapping[str, str], guard: Guard, rooms: Mapping[str, Room]) -> None:
    """Decide how a file is shown."""
    if files.sha256_bytes(content) != item.sha256:
        item.why_not = "its bytes in the repository are not those that the manifest names"
        return
    picture = _picture(content, item.path)
    if picture:
        _fill_picture(item, content, picture, guard, rooms["pictures"])
    elif _is_text(content):
        _fill_text(item, content, anchors, guard, rooms["artifacts"])
    else:
        item.why_not = "it is not text" if content else "it is empty"


def _picture(content: bytes, path: str) -> str:
    """The media type of a picture that a browser shows; empty for anything else."""
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    if path.lower().endswith(".svg") and b"<svg" in content[:4096]:
        return SVG
    return next((kind for magic, kind in PICTURES.items() if content.startswith(magic)), "")


def _fill_picture(item: Artifact, content: bytes, kind: str, guard: Guard, room: Room) -> None:
    """As data in an <img>, in which neither scripts run nor anything is loaded."""
    if len(content) > PICTURE_BYTES or not room.take(len(content) * 4 // 3):
        item.why_not = "there is no room left for it on this page"
    elif guard.hides(content):
        item.why_not = "it holds a secret, or could not be searched for one in time"
    else:
        item.kind, item.content = "picture", f"data:{kind};base64,{base64.b64encode(content).decode()}"


def _is_text(content: bytes) -> bool:
    if not content or b"\0" in content:
        return False
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _fill_text(item: Artifact, content: bytes, anchors: Mapping[str, str], guard: Guard, room: Room) -> None:
    shown = guard.head(content, TEXT_BYTES)
    kind, made, sheet = _rendered(item.path, shown.text, bool(shown.left_out), anchors, guard)
    if not room.take(len(made) if sheet is None else sum(len(cell) + 10 for row in sheet.rows for cell in row)):
        kind, sheet, made = "text", None, escape(shown.text)
        if not room.take(len(made)):
            item.why_not = "there is no room left for it on this page"
            return
    item.kind, item.content, item.sheet, item.left_out = kind, made, sheet, shown.left_out


def _rendered(path: str, text: str, cut: bool, anchors: Mapping[str, str], guard: Guard) -> tuple[str, Markup, sheets.Sheet | None]:
    """(kind, HTML, table) of a text."""
    name = path.lower()
    if name.endswith((".md", ".markdown")):
        return "document", documents.render(text, path, anchors, DOCUMENT_LEVEL), None
    sheet = sheets.read(text, path) if name.endswith((".csv", ".tsv")) else None
    if sheet:
        return "sheet", Markup(), sheet
    cells = _cells(text) if name.endswith(".ipynb") and not cut else None
    if cells is not None:
        return "notebook", Markup("\n").join(cells), None
    return "text", highlighting.code(text, path), None


def _cells(text: str) -> list[Markup] | None:
    """The cells of a notebook as source; how many outputs each has is said, and none is shown. None where it is no notebook."""
    try:
        notebook = json.loads(text)
        language = str(notebook.get("metadata", {}).get("language_info", {}).get("name", "python")).lower()
        return [_cell(number, cell, language) for number, cell in enumerate(notebook["cells"], 1)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _cell(number: int, cell: Mapping[str, Any], language: str) -> Markup:
    source = cell.get("source", "")
    source = source if isinstance(source, str) else "".join(map(str, source))
    is_code = cell.get("cell_type") == "code"
    name = (language if language in highlighting.LANGUAGES else None) if is_code else "markdown"
    outputs = len(cell.get("outputs") or [])
    title = f"Cell {number}: {'code' if is_code else 'text'}" + (f", {numbers.plural(outputs, 'output')} not shown" if outputs else "")
    return Markup('<p class="note">{}</p><pre class="code" tabindex="0"><code>{}</code></pre>').format(
        title, Markup("\n").join(highlighting.lines(source.rstrip("\n"), name))
    )
