"""Verification: recompute what a bundle and a run claim. Standard library only, so that it works anywhere.

A bundle alone proves that its files are those that its manifest lists and that the manifest is what its digest
names. A run adds the chain: each phase's digest names the digests of the phases it builds on, and the approvals name
what was approved.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

MANIFEST = "MANIFEST.json"
EPOCH = (1980, 1, 1, 12, 1, 0)
CHUNK = 1 << 20
MANIFEST_LIMIT = 64 * CHUNK


def digest_of(subject: Any) -> str:
    """SHA-256 of the subject in canonical JSON (sorted keys, no blanks, ASCII)."""
    return hashlib.sha256(json.dumps(subject, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()).hexdigest()


def entry_name(path: str) -> str:
    """The name of a file's entry in a bundle; bytes that are not UTF-8 are written as escapes."""
    return f"artifacts/{path}".encode("utf-8", "backslashreplace").decode()


def entry_mode(mode: str) -> int:
    """The mode of a file's entry in a bundle, from its mode in git; links are plain files that hold their target."""
    return 0o100755 if mode == "100755" else 0o100644


def verify_bundle(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The manifest of a bundle and what is wrong with it; nothing is written. Never raises for a bad bundle."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()]
            if names.count(MANIFEST) != 1:
                return None, [f"holds {names.count(MANIFEST)} entries {MANIFEST}, not one"]
            if archive.getinfo(MANIFEST).file_size > MANIFEST_LIMIT:
                return None, [f"its {MANIFEST} is larger than {MANIFEST_LIMIT} bytes"]
            manifest = json.loads(archive.read(MANIFEST))
            return manifest, list(_manifest_problems(manifest)) + list(_entry_problems(archive, manifest))
    except FileNotFoundError:
        return None, ["there is no such bundle"]
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file does to the reader, it is not verified
        return None, [f"cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"]


def _manifest_problems(manifest: Any) -> Iterator[str]:
    subject = manifest["subject"]
    if digest_of(subject) != manifest["digest"]:
        yield f"its subject has the digest {digest_of(subject)[:12]}, its manifest says {str(manifest['digest'])[:12]}"
    if manifest["artifacts"] != subject["files"]:
        yield "its list `artifacts` differs from the files of its subject"
    if manifest["artifact_count"] != len(subject["files"]):
        yield "its `artifact_count` is not the number of its files"
    for name in (item["path"] for item in subject["files"]):
        if name.startswith("/") or ".." in name.split("/"):
            yield f"its file {name!r} lies outside of the project"
    if (manifest["phase"], manifest["run_id"]) != (subject["phase"], subject["run"]):
        yield "its `phase` and `run_id` are not those of its subject"


def _entry_problems(archive: zipfile.ZipFile, manifest: Any) -> Iterator[str]:
    listed = {entry_name(item["path"]): item for item in manifest["subject"]["files"]}
    seen: set[str] = set()
    for info in archive.infolist():
        if info.filename in seen:
            yield f"{info.filename!r} stands twice"
            continue
        seen.add(info.filename)
        if info.filename == MANIFEST:
            if info.external_attr >> 16 != entry_mode("100644"):
                yield f"{MANIFEST} has the mode {info.external_attr >> 16:o}, not {entry_mode('100644'):o}"
            continue
        item = listed.get(info.filename)
        if item is None:
            yield f"{info.filename!r} is not in the manifest"
        elif info.file_size != item["size"]:
            yield f"{info.filename!r} has {info.file_size} bytes, its manifest says {item['size']}"
        elif _sha256(archive, info) != item["sha256"]:
            yield f"{info.filename!r} has other bytes than its manifest says"
        elif info.external_attr >> 16 != entry_mode(item["mode"]):
            yield f"{info.filename!r} has the mode {info.external_attr >> 16:o}, its manifest says {entry_mode(item['mode']):o}"
    yield from (f"{name!r} is missing" for name in listed if name not in seen)


def _sha256(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """Hash of an entry, read in pieces and no further than the size that it claims."""
    digest, left = hashlib.sha256(), info.file_size
    with archive.open(info) as file:
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
    return digest.hexdigest()


def verify_phase(run_dir: Path, phase: str, after: list[str]) -> tuple[str | None, list[str]]:
    """The digest of a phase and what is wrong with its bundle, manifest, digest, request and chain."""
    folder = run_dir / phase
    manifest, problems = verify_bundle(run_dir / "bundles" / f"{phase}.zip")
    problems = [f"bundles/{phase}.zip: {text}" for text in problems]
    try:
        digest = (folder / "digest").read_text(encoding="ascii").strip()
        beside = json.loads((folder / "manifest.json").read_bytes())
        page = (folder / "REQUEST.md").read_text(encoding="utf-8")
        if not isinstance(beside, dict) or not isinstance(beside.get("subject"), dict):
            raise ValueError("manifest.json is not a manifest")
    except (OSError, ValueError) as error:
        return None, [*problems, f"{phase}: {' '.join(str(error).split())}"]
    if manifest is not None and manifest != beside:
        problems.append(f"{phase}/manifest.json is not the manifest in bundles/{phase}.zip")
    if beside.get("digest") != digest or digest_of(beside.get("subject")) != digest:
        problems.append(f"{phase}/digest does not name {phase}/manifest.json")
    if digest not in page:
        problems.append(f"{phase}/REQUEST.md shows another digest than {phase}/digest")
    upstream = beside["subject"].get("upstream")
    wanted = {name: _read(run_dir / name / "digest") for name in after}
    if upstream != wanted:
        problems.append(f"{phase} builds on other upstream digests than those of {', '.join(after) or 'no phase'}")
    return digest, problems


def packed_problems(run_dir: Path, phase: str, digest: str) -> list[str]:
    """What is wrong with a phase's bundle, and whether it holds the manifest that lies beside it and that the digest names."""
    manifest, problems = verify_bundle(run_dir / "bundles" / f"{phase}.zip")
    if problems or manifest is None:
        return [f"bundles/{phase}.zip: {text}" for text in problems]
    beside = json.loads((run_dir / phase / "manifest.json").read_bytes())
    if manifest != beside or manifest["digest"] != digest:
        return [f"{phase}/manifest.json is not the manifest in bundles/{phase}.zip"]
    return []


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return None
