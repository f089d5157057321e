"""The program that reads notebooks with nbformat and says which of them keep outputs; `scanners.py` starts it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from workflow.proof.hygiene import scanners

LARGEST = 64 << 20  # bytes of one notebook
OUTPUT = re.compile(r'"outputs"\s*:\s*\[\s*\{')


def scan(contents: Iterator[tuple[str, bytes]]) -> tuple[str, list[dict[str, Any]]]:
    """nbformat's version and, per notebook that keeps outputs or cannot be read, {path, line, text}."""
    import nbformat

    return nbformat.__version__, [row for path, content in contents if (row := _read(nbformat, path, content))]


def _read(nbformat: Any, path: str, content: bytes) -> dict[str, Any] | None:
    """A row for a notebook with something wrong."""
    if len(content) > LARGEST:
        return {"path": path, "line": None, "text": "is too large to be read as a notebook"}
    try:
        text = content.decode("utf-8")
        book = nbformat.reads(text, as_version=4)
        nbformat.validate(book)
        cells = [cell for cell in book.cells if cell.cell_type == "code"]
        kept = sum(1 for cell in cells if cell.outputs)
    except (RecursionError, MemoryError):
        return {"path": path, "line": None, "text": "is nested too deeply to be read as a notebook"}
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file does to its reader
        return {"path": path, "line": None, "text": f"cannot be read as a notebook ({type(error).__name__})"}
    if not kept:
        return None
    first = OUTPUT.search(text)
    line = text.count("\n", 0, first.start()) + 1 if first else None
    return {"path": path, "line": line, "text": f"keeps the outputs of {kept} of {len(cells)} code cells"}


if __name__ == "__main__":
    scanners.serve(scan)
