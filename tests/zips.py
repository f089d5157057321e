"""Zips as Phasegate writes them, to be crafted into something else."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from pathlib import Path


def entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    """The header of an entry of a bundle."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 12, 1, 0))
    info.create_system, info.external_attr, info.compress_type = 3, mode << 16, zipfile.ZIP_DEFLATED
    return info


def write(path: Path, entries: Iterable[tuple[str | zipfile.ZipInfo, bytes]]) -> Path:
    """A zip with these entries, in a bundle's form unless a header of its own says otherwise."""
    with zipfile.ZipFile(path, "w") as archive:
        for head, content in entries:
            archive.writestr(entry(head) if isinstance(head, str) else head, content)
    return path


def read(path: Path) -> list[tuple[str, bytes]]:
    """Names and contents of a zip."""
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]
