"""Verification: recompute what a bundle and a run claim. It needs the standard library only, so that it works anywhere.

A bundle alone proves that its files are those that its manifest lists and that the manifest is what its digest
names. A run adds the chain: each phase's digest names the digests of the phases it builds on, and the approvals name
what was approved.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from workflow.proof import archives, attestation
from workflow.proof.archives import shown

MANIFEST = "MANIFEST.json"
MANIFEST_LIMIT = 64 << 20
OUTSIDE = re.compile(r"\A[/\\]|\A[A-Za-z]:[/\\]|(?:\A|[/\\])\.\.(?:[/\\]|\Z)")
NAMED = 20  # so many problems of a bundle are named; what a stranger sent may have millions


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
        if path.exists() and not path.is_file():
            return None, ["is not a file"]
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            names = [info.filename for info in archive.infolist()]
            if names.count(MANIFEST) != 1:
                return None, [f"holds {names.count(MANIFEST)} entries {MANIFEST}, not one"]
            if archive.getinfo(MANIFEST).file_size > MANIFEST_LIMIT:
                return None, [f"its {MANIFEST} is larger than {MANIFEST_LIMIT} bytes"]
            manifest = json.loads(archive.read(MANIFEST))
            found = list(islice(_problems(file, archive, manifest), NAMED + 1))
            return manifest, found if len(found) <= NAMED else [*found[:NAMED], "and more; the rest was not looked at"]
    except FileNotFoundError:
        return None, ["there is no such bundle"]
    except Exception as error:  # noqa: BLE001 - whatever a stranger's file does to the reader, it is not verified
        return None, [f"cannot be read: {type(error).__name__}: {' '.join(str(error).split())}"]


def _leads_out(name: str) -> bool:
    """Whether a path leads out of the folder that it is relative to, with the separators and drives of Windows, too."""
    return OUTSIDE.search(name) is not None


def _problems(file: BinaryIO, archive: zipfile.ZipFile, manifest: Any) -> Iterator[str]:
    """What is wrong with a bundle. Nothing but the manifest is unpacked unless its zip is as it has to be."""
    yield from _manifest_problems(manifest)
    odd = list(archives.oddities(file, archive))
    yield from odd
    yield from _entry_problems(None if odd else file, archive, manifest)
    yield from () if odd else _provenance_problems(archive, manifest)


def _provenance_problems(archive: zipfile.ZipFile, manifest: Any) -> Iterator[str]:
    """Whether the bundle's provenance agrees with its manifest, and names the bills of materials beside it."""
    infos = {info.filename: info for info in archive.infolist() if info.filename in attestation.EXTRAS}
    for name, info in infos.items():
        if info.file_size > MANIFEST_LIMIT:
            yield f"its {name} is larger than {MANIFEST_LIMIT} bytes"
            return
    if attestation.NAME not in infos:
        yield f"holds no {attestation.NAME}, so that nobody knows how it was made"
        return
    content = {name: archive.read(info) for name, info in infos.items()}
    sboms = {name: hashlib.sha256(data).hexdigest() for name, data in content.items() if name != attestation.NAME}
    yield from attestation.problems(content[attestation.NAME], manifest, sboms)


def _manifest_problems(manifest: Any) -> Iterator[str]:
    subject = manifest["subject"]
    if digest_of(subject) != manifest["digest"]:
        yield f"its subject has the digest {digest_of(subject)[:12]}, its manifest says {str(manifest['digest'])[:12]}"
    if manifest["artifacts"] != subject["files"]:
        yield "its list `artifacts` differs from the files of its subject"
    if manifest["artifact_count"] != len(subject["files"]):
        yield "its `artifact_count` is not the number of its files"
    names = [item["path"] for item in subject["files"]]
    for name in names:
        if _leads_out(name):
            yield f"its file {shown(name)} lies outside of the project, or would on Windows"
    yield from (f"its file {shown(name)} is listed twice" for name, count in Counter(names).items() if count > 1)
    if (manifest["phase"], manifest["run_id"]) != (subject["phase"], subject["run"]):
        yield "its `phase` and `run_id` are not those of its subject"


def _entry_problems(file: BinaryIO | None, archive: zipfile.ZipFile, manifest: Any) -> Iterator[str]:
    """Entries that are not what the manifest lists; with `file`, their contents are read, too."""
    listed = {entry_name(item["path"]): item for item in manifest["subject"]["files"]}
    seen: set[str] = set()
    to_read: list[zipfile.ZipInfo] = []
    for info in archive.infolist():
        if info.filename in seen:
            yield f"{shown(info.filename)} stands twice"
            continue
        seen.add(info.filename)
        own = info.filename == MANIFEST or info.filename in attestation.EXTRAS
        item = {"mode": "100644"} if own else listed.get(info.filename)
        if item is None:
            yield f"{shown(info.filename)} is not in the manifest"
        elif info.external_attr >> 16 != entry_mode(item["mode"]):
            yield f"{shown(info.filename)} has the mode {info.external_attr >> 16:o}, its manifest says {entry_mode(item['mode']):o}"
        elif not own and info.file_size != item["size"]:
            yield f"{shown(info.filename)} has {info.file_size} bytes, its manifest says {item['size']}"
        elif not own:
            to_read.append(info)
    yield from (f"{shown(name)} is missing" for name in listed if name not in seen)
    if file is not None:
        yield from _content_problems(file, to_read, listed)


def _content_problems(file: BinaryIO, infos: list[zipfile.ZipInfo], listed: Mapping[str, Any]) -> Iterator[str]:
    """Which entries do not hold the bytes that the manifest lists."""
    for info, found in zip(infos, archives.hashes(file, infos), strict=True):
        if isinstance(found, Exception):
            yield f"{shown(info.filename)} cannot be unpacked: {found}"
        elif found != listed[info.filename]["sha256"]:
            yield f"{shown(info.filename)} has other bytes than its manifest says"


def verify_phase(run_dir: Path, phase: str, after: list[str]) -> tuple[str | None, list[str]]:
    """The digest of a phase (or of a task, which has no bundle) and what is wrong with its bundle, manifest, digest, request and chain."""
    folder = run_dir / phase
    manifest, problems = (None, []) if "/" in phase else verify_bundle(run_dir / "bundles" / f"{phase}.zip")
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
    if "/" in phase:  # a task: it has no bundle of its own
        return []
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


def read_provenance(path: Path) -> dict[str, Any] | None:
    """The provenance in a bundle that verifies; None where there is none that can be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = json.loads(archive.read(attestation.NAME))
        return found if isinstance(found, dict) else None
    except Exception:  # noqa: BLE001 - what is wrong with it, `verify_bundle` says
        return None
