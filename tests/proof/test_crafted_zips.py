"""Crafted zips for `verify_bundle.py`: each is refused in a line or two, with exit code 1, and nothing is unpacked anywhere."""

from __future__ import annotations

import json
import os
import re
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zips
from conftest import ROOT, snapshot
from runs import Run

from workflow import files
from workflow.proof import archives, attestation, verification

pytestmark = pytest.mark.filterwarnings("ignore:Duplicate name")
NOT_AS_WRITTEN = "is not as Phasegate writes one, or overlaps others, or has bytes hidden before it"
HIDDEN = "bytes that belong to no file are hidden in it"


@pytest.fixture
def good(run: Run) -> Path:
    """A bundle that verifies, alone in a folder below the working directory."""
    run.agent("writer", "echo the plan > plan.md; echo risks > risks.md; mkdir d; : > d/empty; printf x > 'ü.md'")
    run.merge("writer")
    run.validate()
    run.show("writer")
    path = Path("elsewhere/good.zip")
    path.parent.mkdir()
    path.write_bytes((run.folder / "bundles/plan.zip").read_bytes())
    assert verification.verify_bundle(path)[1] == []
    return path


def claims(good: Path, *more: tuple[str, bytes], mode: str = "100644") -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    """The entries of a bundle with further ones, which its manifest lists with a digest that fits."""
    entries = zips.read(good)
    manifest = json.loads(entries[0][1])
    for name, content in more:
        path = name.removeprefix("artifacts/")
        row = {"path": path, "sha256": files.sha256_bytes(content), "size": len(content), "mode": mode}
        manifest["subject"]["files"].append(row)
    head = described(manifest)
    statement = json.loads(dict(entries)["PROVENANCE.json"]) | {"subject": attestation.subject(json.loads(head[1]))}
    kept = [row for row in entries[1:] if row[0] != "PROVENANCE.json"]
    return [head, *kept, *more, ("PROVENANCE.json", json.dumps(statement).encode())]


def with_mode(good: Path, mode: int) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    """The entries of a bundle, one of them with another mode."""
    return [(zips.entry(name, mode) if name == "artifacts/ü.md" else name, content) for name, content in zips.read(good)]


def described(manifest: dict[str, Any]) -> tuple[str, bytes]:
    """The entry of a manifest, whose digest is made to fit."""
    subject = manifest["subject"]
    manifest |= {"artifacts": subject["files"], "artifact_count": len(subject["files"]), "digest": files.sha256_json(subject)}
    return "MANIFEST.json", files.pretty_json(manifest).encode()


def placed(good: Path, name: str) -> tuple[bytearray, int, int]:
    """The bytes of a bundle, and where the header and the line in the directory of one of its entries begin."""
    content = bytearray(good.read_bytes())
    with zipfile.ZipFile(good) as archive:
        info = archive.getinfo(name)
    return content, info.header_offset, content.rindex(b"PK\1\2", 0, content.rindex(name.encode()))


def changed(content: bytearray, place: int, form: str, *values: int) -> bytes:
    struct.pack_into(form, content, place, *values)
    return bytes(content)


def wrong_crc(good: Path) -> bytes:
    content, head, line = placed(good, "artifacts/plan.md")
    changed(content, head + 14, "<L", 7)
    return changed(content, line + 16, "<L", 7)


def other_name_inside(good: Path) -> bytes:
    content, head, _ = placed(good, "artifacts/plan.md")
    content[head + 30 : head + 47] = b"artifacts/evil.md"
    return bytes(content)


def overlapping(good: Path) -> bytes:
    """Two lines of the directory that name the same bytes, as in Fifield's bombs."""
    content, _, line = placed(good, "artifacts/risks.md")
    _, first, _ = placed(good, "artifacts/plan.md")
    return changed(content, line + 42, "<L", first)


def gap(good: Path) -> bytes:
    """Bytes between the entries and the directory; the end of the file says where the directory lies now."""
    content = good.read_bytes()
    start = struct.unpack_from("<L", content, len(content) - 6)[0]
    moved = content[:start] + b"#!/bin/sh evil" + content[start:]
    return changed(bytearray(moved), len(moved) - 6, "<L", start + 14)


def slack(good: Path) -> bytes:
    """A compressed form with bytes behind its end, in a zip whose sizes and places all agree."""
    parts, lines, place = [], [], 0
    with zipfile.ZipFile(good) as archive:
        for info in archive.infolist():
            raw = archive.read(info)
            packed = zlib.compressobj(6, zlib.DEFLATED, -15)
            body = packed.compress(raw) + packed.flush() + (b"hidden" if info.filename.endswith("plan.md") else b"")
            info.compress_type, info.compress_size = zipfile.ZIP_DEFLATED, len(body)
            head, line = archives._headers(info, place)
            parts += [head, body]
            lines.append(line)
            place += len(head) + len(body)
    table = b"".join(lines)
    return b"".join(parts) + table + archives._end(len(lines), len(table), place)


def encrypted(good: Path) -> bytes:
    content, head, line = placed(good, "artifacts/plan.md")
    changed(content, head + 6, "<H", 1)
    return changed(content, line + 8, "<H", 1)


def commented(good: Path) -> bytes:
    content = good.read_bytes()
    return content[:-2] + struct.pack("<H", 5) + b"evil!"


DAMAGES: list[tuple[Callable[[Path], bytes], str]] = [
    (wrong_crc, "'artifacts/plan.md' cannot be unpacked: its size or its CRC is not the one that it claims"),
    (other_name_inside, NOT_AS_WRITTEN),
    (overlapping, NOT_AS_WRITTEN),
    (gap, HIDDEN),
    (slack, "'artifacts/plan.md' cannot be unpacked: its compressed form ends early, or bytes lie behind its end"),
    (encrypted, NOT_AS_WRITTEN),
    (commented, HIDDEN),
    (lambda good: good.read_bytes() + b"trailing", HIDDEN + "|cannot be read"),
    (lambda good: b"#!/bin/sh\nevil\n" + good.read_bytes(), NOT_AS_WRITTEN),
    (lambda good: good.read_bytes() + good.read_bytes(), NOT_AS_WRITTEN),
    (lambda good: good.read_bytes()[:-1], "cannot be read|hidden in it"),
    (lambda good: b"", "cannot be read"),
    (lambda good: b"PK\5\6" + bytes(18), "holds 0 entries MANIFEST.json, not one"),
]


def bomb(good: Path) -> list[tuple[str | zipfile.ZipInfo, bytes]]:
    """Half a megabyte that claims, in its manifest as well, to be as large as it is when unpacked."""
    return claims(good, ("artifacts/zeros", bytes(512 << 20)))


ENTRIES: list[tuple[Callable[[Path], list[tuple[str | zipfile.ZipInfo, bytes]]], str]] = [
    (lambda good: [*zips.read(good), ("../outside.txt", b"x")], "'../outside.txt' is not in the manifest"),
    (lambda good: [*zips.read(good), ("/tmp/outside.txt", b"x")], "'/tmp/outside.txt' is not in the manifest"),
    (lambda good: [*zips.read(good), ("..\\outside.txt", b"x")], r"'..\\\\outside.txt' is not in the manifest"),
    (lambda good: [*zips.read(good), ("artifacts/d/", b"")], "'artifacts/d/' is not in the manifest"),
    (lambda good: [*zips.read(good), ("artifacts/" + "a" * 60_000, b"")], r"\(60010 characters\) is not in the manifest"),
    (lambda good: claims(good, ("artifacts/../../outside.txt", b"x")), "its file '../../outside.txt' lies outside of the project"),
    (lambda good: claims(good, ("artifacts//tmp/outside.txt", b"x")), "its file '/tmp/outside.txt' lies outside of the project"),
    (lambda good: claims(good, ("artifacts/..\\..\\outside.txt", b"x")), r"its file '..\\\\..\\\\outside.txt' lies outside of the project"),
    (lambda good: claims(good, ("artifacts/C:\\outside.txt", b"x")), r"its file 'C:\\\\outside.txt' lies outside of the project"),
    (lambda good: [*zips.read(good), ("artifacts/plan.md", b"the plan\n")], "'artifacts/plan.md' stands twice"),
    (lambda good: claims(good, ("artifacts/plan.md", b"the plan\n")), "'plan.md' is listed twice"),
    (lambda good: [*zips.read(good), zips.read(good)[0]], "holds 2 entries MANIFEST.json, not one"),
    (lambda good: with_mode(good, 0o120777), "has the mode 120777, its manifest says 100644"),
    (lambda good: with_mode(good, 0o104755), "has the mode 104755, its manifest says 100644"),
    (lambda good: [(zips.entry("MANIFEST.json", 0o120777), zips.read(good)[0][1]), *zips.read(good)[1:]], "has the mode 120777"),
    (lambda good: [*zips.read(good), *((f"artifacts/{n}", b"") for n in range(5000))], "and more; the rest was not looked at"),
    (lambda good: [("MANIFEST.json", b" " * (65 << 20))], "its MANIFEST.json is larger than 67108864 bytes"),
    (lambda good: [("MANIFEST.json", b'{"a":' * 200_000)], "cannot be read"),
]  # fmt: skip


def refused(path: Path) -> str:
    """What verify_bundle.py says of a zip that it must refuse: nothing on standard error, and no file anywhere."""
    before = snapshot(Path.cwd())
    command = [sys.executable, "-I", "-S", str(ROOT / "scripts/verify_bundle.py"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": os.environ["PATH"]}, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (1, ""), done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"{path}: DOES NOT VERIFY")
    assert all(line.startswith("  - ") and len(line) < 800 for line in lines[1:])
    assert 2 <= len(lines) <= verification.NAMED + 2
    assert snapshot(Path.cwd()) == before
    assert not list(Path.cwd().parent.rglob("outside.txt"))
    assert not Path("/tmp/outside.txt").exists()
    return done.stdout


def test_bytes_that_are_not_as_they_have_to_be_are_refused(good: Path) -> None:
    for damage, message in DAMAGES:
        path = good.with_name("bad.zip")
        path.write_bytes(damage(good))
        said = refused(path)
        assert any(part in said for part in message.split("|")), (damage, said)


def test_entries_that_do_not_belong_there_are_refused(good: Path) -> None:
    for craft, message in ENTRIES:
        said = refused(zips.write(good.with_name("bad.zip"), craft(good)))
        assert re.search(message, said), (message, said)


def test_a_bomb_is_read_in_pieces_and_one_that_is_too_large_not_at_all(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = zips.write(good.with_name("bomb.zip"), bomb(good))
    assert path.stat().st_size < 1 << 20
    limited = f"ulimit -v 400000; exec {sys.executable} -I -S {ROOT}/scripts/verify_bundle.py {path}"  # 400 MB for 512 MB of zeros
    done = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    monkeypatch.setattr(archives, "UNPACKED_LIMIT", 512 << 20)
    monkeypatch.setattr(archives, "sha256", lambda *_: pytest.fail("something was unpacked"))
    assert any(text.startswith("it would unpack to 53") for text in verification.verify_bundle(path)[1])


def test_what_is_no_file_is_refused_and_not_waited_for(good: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/verify_bundle.py"), "odd.zip"]
    os.mkfifo("odd.zip")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "odd.zip: DOES NOT VERIFY" in done.stdout
    assert done.stdout.endswith("  - is not a file\n")
    os.unlink("odd.zip")
    os.mkdir("odd.zip")  # a folder would be a copy of a run, which asks for the signers
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--allowed-signers" in done.stderr


def test_a_zip_with_more_entries_than_two_bytes_can_count_is_as_it_has_to_be(tmp_path: Path) -> None:
    path = zips.write(tmp_path / "many.zip", ((f"artifacts/{number}", b"") for number in range(66_000)))
    with path.open("rb") as file, zipfile.ZipFile(file) as archive:
        assert list(archives.oddities(file, archive)) == []
