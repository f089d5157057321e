"""Bundles: `bundles/<phase>.zip`, the files of a phase with their manifest, byte for byte the same each time.

    MANIFEST.json            the manifest (its `digest` binds every file by path, sha256, size and mode)
    artifacts/<path>         each file that the phase created or changed
    PROVENANCE.json          how they were made (attestation.py), with bills of materials in SBOM.*.cdx.json

Entries are sorted and carry the time 1980-01-01 12:01:00 and fixed modes, so that the same outcomes give the same
bytes. A bundle is read as something that a stranger sent: entries are matched against the manifest, never extracted
by their own names.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import deflate

from workflow import files
from workflow.errors import RunError
from workflow.proof import provenance
from workflow.proof.archives import EPOCH, UNPACKED_LIMIT
from workflow.proof.verification import MANIFEST, MANIFEST_LIMIT, digest_of, entry_mode, entry_name
from workflow.work import trees

LARGE = 1 << 31  # a larger file is stored as it is
HELD = 1 << 20  # bytes that a thread takes at once, and the last file beyond them
UNREADABLE = (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


def pack(run_dir: Path, manifest: dict[str, Any], target: Path, compression: int) -> Path:
    """Write the bundle of a manifest atomically. `compression` is the deflate level, 0 means stored.

    RunError where the files are more than anybody would unpack to verify them.
    """
    if sum(item["size"] for item in manifest["artifacts"]) > UNPACKED_LIMIT - MANIFEST_LIMIT:
        raise RunError(f"{target}: what {manifest['phase']} changed is larger than a bundle may be (4 GiB); lower tree.max_total_bytes")
    repo, tree, listed = run_dir / "project.git", manifest["subject"]["tree"], manifest["artifacts"]
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".tmp-{target.name}")
    try:
        ids = trees.blobs(repo, tree) if listed else {}
        with zipfile.ZipFile(partial, "w") as archive:
            _add(archive, MANIFEST, _made(files.pretty_json(manifest).encode(), compression), entry_mode("100644"))
            for name, content in sorted(provenance.extras(run_dir, manifest).items()):
                _add(archive, name, _made(content, compression), entry_mode("100644"))
            objects = [(ids.get(item["path"], f"{tree}:{item['path']}"), item["size"]) for item in listed]
            for item, made in zip(listed, _side_by_side(repo, objects, compression), strict=True):
                if made.sha256 != item["sha256"]:
                    raise RunError(f"{repo}: {item['path']!r} has other bytes than the manifest says; the repository is damaged")
                _add(archive, entry_name(item["path"]), made, entry_mode(item["mode"]))
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


@dataclass(frozen=True)
class _Made:
    """The content of an entry as it stands in the zip: `packed`, where that is not the content itself."""

    content: bytes
    sha256: str
    crc: int
    packed: bytes | bytearray | None


def _made(content: bytes, compression: int) -> _Made:
    """Compress with libdeflate: `zipfile` would ask zlib, which is not the same one in each Python."""
    plain = not compression or not content or len(content) > LARGE  # deflate would make two bytes of none
    packed = None if plain else deflate.deflate_compress(content, compression)
    return _Made(content, files.sha256_bytes(content), deflate.crc32(content), packed)


def _side_by_side(repo: Path, objects: Sequence[tuple[str, int]], compression: int) -> Iterator[_Made]:
    """`_made` of each object (name, bytes), in their order, by a thread per processor.

    Reading, hashing and compressing leave the interpreter to others; no more is read ahead than what the threads work on.
    """
    waiting: deque[Future[list[_Made]]] = deque()
    processors = os.cpu_count() or 1
    with ThreadPoolExecutor(processors) as pool:
        for names in _batches(objects):
            waiting.append(pool.submit(_made_of, repo, names, compression))
            if len(waiting) > processors:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()


def _made_of(repo: Path, names: list[str], compression: int) -> list[_Made]:
    return [_made(content, compression) for content in trees.read_objects(repo, names)]


def _batches(objects: Sequence[tuple[str, int]]) -> Iterator[list[str]]:
    """The names of objects for one thread at a time."""
    batch: list[str] = []
    held = 0
    for name, size in objects:
        batch.append(name)
        held += size
        if held > HELD:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


def _add(archive: zipfile.ZipFile, name: str, made: _Made, mode: int) -> None:
    """Add an entry. What is packed already `zipfile` does not take, so that its own lists are kept here."""
    info = zipfile.ZipInfo(name, EPOCH)
    info.create_system = 3
    info.external_attr = mode << 16
    if made.packed is None:
        archive.writestr(info, made.content)
        return
    info.compress_type = zipfile.ZIP_DEFLATED
    info.CRC, info.file_size, info.compress_size = made.crc, len(made.content), len(made.packed)
    assert archive.fp is not None
    info.header_offset = archive.start_dir
    archive.start_dir += archive.fp.write(info.FileHeader() + made.packed)
    archive.filelist.append(info)
    archive.NameToInfo[info.filename] = info


def read_manifest(bundle: Path) -> dict[str, Any]:
    """The manifest inside a bundle. RunError where there is none that can be read."""
    try:
        with zipfile.ZipFile(bundle) as archive:
            info = archive.getinfo(MANIFEST)
            if archive.namelist().count(MANIFEST) > 1:
                raise RunError(f"{bundle}: holds more than one {MANIFEST}; it is not a bundle of Phasegate")
            if info.file_size > MANIFEST_LIMIT:
                raise RunError(f"{bundle}: its {MANIFEST} is larger than {MANIFEST_LIMIT} bytes")
            found = json.loads(archive.read(info))
    except FileNotFoundError as error:
        raise RunError(f"{bundle}: there is no such bundle") from error
    except KeyError as error:
        raise RunError(f"{bundle}: holds no {MANIFEST}; it is not a bundle of Phasegate") from error
    except UNREADABLE as error:
        raise RunError(f"{bundle}: cannot be read as a bundle ({error})") from error
    if not _is_manifest(found):
        raise RunError(f"{bundle}: its {MANIFEST} is not a manifest")
    if digest_of(found.get("subject")) != found["digest"] or found["subject"].get("files") != found["artifacts"]:
        raise RunError(f"{bundle}: its {MANIFEST} is not the one that its digest names; run snakemake again to make the bundle anew")
    return found


def _is_manifest(found: Any) -> bool:
    """Whether a value has the fields that are read here and in `listing`."""
    try:
        figures, rows = found["metrics_digest"], found["artifacts"]
        words = [found["phase"], found["digest"], found["created_at"], figures["validation"]["status"]]
        words += [text for row in rows for text in (row["path"], row["sha256"])]
        return (
            isinstance(rows, list)
            and all(isinstance(word, str) for word in words)
            and {"agents_executed", "agents_succeeded"} <= figures.keys()
        )
    except (KeyError, TypeError, AttributeError, IndexError):
        return False


def extract_file(bundle: Path, path: str, target: Path) -> None:
    """Write one file of a bundle to `target`. RunError where the manifest lists no such file, or the bytes differ."""
    manifest = read_manifest(bundle)
    listed = {item["path"]: item for item in manifest["artifacts"]}
    if path not in listed or not _plain(path):
        near = ", ".join(sorted(listed)[:10])
        raise RunError(f"{bundle}: holds no file {path!r}; it holds {len(listed)}: {near}{' ...' if len(listed) > 10 else ''}")
    try:
        with zipfile.ZipFile(bundle) as archive:
            info = archive.getinfo(entry_name(path))
            if info.file_size != listed[path]["size"]:
                raise ValueError(f"it claims {info.file_size} bytes, the manifest {listed[path]['size']}")
            content = archive.read(info)
    except (KeyError, *UNREADABLE) as error:
        raise RunError(f"{bundle}: {path!r} cannot be read from it ({error}); run snakemake again to make the bundle anew") from error
    if files.sha256_bytes(content) != listed[path]["sha256"]:
        raise RunError(
            f"{bundle}: the bytes of {path!r} are not those that its manifest lists; run snakemake again to make the bundle anew"
        )
    files.write_bytes(target, content)


def _plain(path: str) -> bool:
    """Whether a path stays inside the folder that it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and not path.startswith("/") and ".." not in parts


def listing(run_dir: Path, phase: str | None = None) -> Iterator[dict[str, Any]]:
    """One row per bundle of a run: phase, path, size, digest, created_at, artifact_count, agents, validation."""
    for path in sorted((run_dir / "bundles").glob("*.zip"), key=lambda item: item.name):
        if phase and path.stem != phase:
            continue
        manifest = read_manifest(path)
        figures = manifest["metrics_digest"]
        yield {
            "phase": manifest["phase"],
            "path": str(path),
            "size_bytes": path.stat().st_size,
            "digest": manifest["digest"],
            "created_at": manifest["created_at"],
            "artifact_count": len(manifest["artifacts"]),
            "agents_executed": figures["agents_executed"],
            "agents_succeeded": figures["agents_succeeded"],
            "validation": figures["validation"]["status"],
        }
