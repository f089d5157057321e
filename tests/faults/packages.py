"""What must hold of a delivered run: its bundles, its files, and that nothing lies about."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from conftest import Desk, Done

from faults.checker import Violation
from faults.desks import command

RUN = "runs/demo"


def is_delivered(workdir: Path) -> bool:
    """Whether the run says that it is delivered."""
    try:
        return json.loads((workdir / RUN / "status.json").read_bytes())["state"] == "delivered"
    except (OSError, ValueError, KeyError):
        return False


def digests(workdir: Path) -> dict[str, str]:
    """The digest of each phase."""
    return {path.parent.name: path.read_text().strip() for path in sorted((workdir / RUN).glob("*/digest"))}


def check(desk: Desk, reference: Mapping[str, str], again: Done) -> list[Violation]:
    """All violations of a delivered run. `again` is the plain command, repeated after the delivery."""
    verified = desk.shell(command(desk, "verify"), check=None)
    found = [] if verified.code == 0 else [Violation("wrong bundle", f"verify: {verified.out[-600:]}{verified.err[-300:]}")]
    if again.code != 0:
        found.append(Violation("not still", f"the command repeated after the delivery ended with {again.code}: {again.err[-600:]}"))
    found += [Violation("wrong bundle", text) for text in wrong_bundles(desk.path / RUN, reference)]
    return found + [Violation("leftover", text) for text in leftovers(desk.path)]


def wrong_bundles(run_dir: Path, reference: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with the bundles, recomputed from the zip files and the repository without Phasegate's code."""
    for phase, digest in reference.items():
        if not (run_dir / "bundles" / f"{phase}.zip").is_file():
            yield f"{phase}: there is no bundle"
            continue
        with zipfile.ZipFile(run_dir / "bundles" / f"{phase}.zip") as archive:
            yield from _wrong_entries(run_dir, phase, archive)
            manifest = json.loads(archive.read("MANIFEST.json"))
        if manifest["digest"] != digest:
            yield f"{phase}: its digest differs from that of a run that nobody disturbed"
        if _sha256(json.dumps(manifest["subject"], sort_keys=True, separators=(",", ":")).encode()) != manifest["digest"]:
            yield f"{phase}: the digest is not that of the subject"


def _wrong_entries(run_dir: Path, phase: str, archive: zipfile.ZipFile) -> Iterator[str]:
    manifest: dict[str, Any] = json.loads(archive.read("MANIFEST.json"))
    names = {f"artifacts/{row['path']}" for row in manifest["subject"]["files"]} | {"MANIFEST.json", "PROVENANCE.json"}
    names |= {name for name in archive.namelist() if name in ("SBOM.project.cdx.json", "SBOM.environment.cdx.json")}
    if set(archive.namelist()) != names or len(archive.namelist()) != len(names):
        yield f"{phase}: the bundle holds other files than its manifest"
        return
    for row in manifest["subject"]["files"]:
        content = archive.read(f"artifacts/{row['path']}")
        if _sha256(content) != row["sha256"]:
            yield f"{phase}: {row['path']} is not what the manifest says"
        if content != _blob(run_dir / "project.git", f"{manifest['subject']['tree']}:{row['path']}"):
            yield f"{phase}: {row['path']} is not what the repository holds"


def _blob(repo: Path, name: str) -> bytes | None:
    done = subprocess.run(["git", "--git-dir", str(repo), "cat-file", "blob", name], capture_output=True, check=False)
    return done.stdout if done.returncode == 0 else None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(workdir: Path) -> Iterator[str]:
    """Files that nobody needs any more."""
    locks = workdir / ".snakemake" / "locks"
    yield from (f"lock {path.name}" for path in (locks.iterdir() if locks.is_dir() else ()))
    for path in (workdir / "runs").rglob("*"):
        inside = path.relative_to(workdir)
        if path.name.startswith(".tmp-"):
            yield f"half a file: {inside}"
        elif path.name == "work" and path.parent.parent.name == "attempts":
            yield f"a tree that nobody needs: {inside}"
        elif path.name.endswith(".lock") and path.name != ".lock":
            yield f"a lock of git: {inside}"
