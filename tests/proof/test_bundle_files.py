"""Bundles: the same bytes for the same content, and a stranger's zip can at most be refused."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import Run

from workflow import files
from workflow.errors import RunError
from workflow.proof import attestation, bundles, verification

SCRIPT = r"""
mkdir -p deep/er; echo text > deep/er/a.md; printf '#!/bin/sh\n' > run.sh; chmod +x run.sh; : > empty
ln -s deep/er/a.md link; printf odd > "$(printf 'caf\351 "x"')"; head -c 70000 /dev/zero > zeros
"""


@pytest.fixture
def made(run: Run) -> Run:
    """A phase whose bundle has been written."""
    run.agent("writer", SCRIPT)
    run.merge("writer")
    run.validate()
    run.show("writer")
    return run


def bundle(run: Run, phase: str = "plan") -> Path:
    return run.folder / f"bundles/{phase}.zip"


def manifest(run: Run) -> dict[str, Any]:
    return files.read_json(run.folder / "plan/manifest.json")


def test_a_bundle_holds_its_manifest_and_each_file_with_fixed_times_and_modes(made: Run) -> None:
    with zipfile.ZipFile(bundle(made)) as archive:
        infos = archive.infolist()
        assert [info.filename for info in infos[:4]] == ["MANIFEST.json", *sorted(attestation.EXTRAS)]
        assert json.loads(archive.read("MANIFEST.json")) == manifest(made)
        names = ['caf\\udce9 "x"', "deep/er/a.md", "empty", "link", "run.sh", "zeros"]
        assert [info.filename for info in infos[4:]] == [f"artifacts/{name}" for name in names]
        assert {info.date_time for info in infos} == {(1980, 1, 1, 12, 1, 0)}
        assert {info.filename: oct(info.external_attr >> 16) for info in infos if info.external_attr >> 16 != 0o100644} == {
            "artifacts/run.sh": "0o100755"
        }
        assert archive.read("artifacts/link") == b"deep/er/a.md"
    assert verification.verify_bundle(bundle(made)) == (manifest(made), [])


def test_a_bundle_is_the_same_bytes_each_time(made: Run) -> None:
    before = bundle(made).read_bytes()
    bundle(made).unlink()
    made.show("writer")
    assert bundle(made).read_bytes() == before
    assert [path.name for path in (made.folder / "bundles").iterdir()] == ["plan.zip"]


def test_packed_bytes_are_those_of_every_python_and_machine() -> None:
    text = "".join(f"line {number} {number * number % 7919}\n" for number in range(5000)).encode()
    packed = b"".join(bytes(bundles.deflate.deflate_compress(text, level)) for level in range(1, 10))
    assert files.sha256_bytes(packed) == "3b729f4570132ea0efeaec9cd9ea692563f4948a7161a043537a21db8c986eb3"


def test_compression_is_that_of_the_setting(made: Run) -> None:
    sizes = {}
    for level in (0, 1, 9):
        made.show("writer", compression=level)
        sizes[level] = bundle(made).stat().st_size
        with zipfile.ZipFile(bundle(made)) as archive:
            assert {info.compress_type for info in archive.infolist() if info.file_size} == {
                zipfile.ZIP_DEFLATED if level else zipfile.ZIP_STORED
            }
    assert sizes[9] < sizes[0] / 5
    assert sizes[9] <= sizes[1]


def test_each_file_can_be_taken_out(made: Run, tmp_path: Path) -> None:
    for name, content in {"deep/er/a.md": b"text\n", "empty": b"", "link": b"deep/er/a.md", os.fsdecode(b'caf\xe9 "x"'): b"odd"}.items():
        bundles.extract_file(bundle(made), name, tmp_path / "out/file")
        assert (tmp_path / "out/file").read_bytes() == content
        assert not (tmp_path / "out/file").is_symlink()


def test_a_file_that_is_not_listed_is_refused_with_what_there_is(made: Run, tmp_path: Path) -> None:
    for name in ("nothing.md", "", "../plan.zip", "/etc/hostname", "deep", "MANIFEST.json", "artifacts/run.sh"):
        with pytest.raises(RunError, match=r"holds no file .*it holds 6: .*deep/er/a.md"):
            bundles.extract_file(bundle(made), name, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_altered_bytes_are_refused(made: Run, tmp_path: Path) -> None:
    rebuilt(bundle(made), bundle(made), lambda name, content: b"evil\n" if name.endswith("a.md") else content)
    with pytest.raises(RunError, match=r"bytes of 'deep/er/a\.md' are not those"):
        bundles.extract_file(bundle(made), "deep/er/a.md", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert verification.verify_bundle(bundle(made))[1]
    bundles.extract_file(bundle(made), "run.sh", tmp_path / "out")


def test_flipped_and_cut_off_bytes_give_a_run_error_and_nothing_else(made: Run, tmp_path: Path) -> None:
    whole = bundle(made).read_bytes()
    wrong = 0
    for place in [*range(0, 400, 7), *range(400, len(whole), 61), *range(len(whole) - 120, len(whole), 5)]:
        for damaged in (whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :], whole[:place]):
            (tmp_path / "damaged.zip").write_bytes(damaged)
            try:
                bundles.read_manifest(tmp_path / "damaged.zip")
                bundles.extract_file(tmp_path / "damaged.zip", "deep/er/a.md", tmp_path / "out")
                assert (tmp_path / "out").read_bytes() == b"text\n"
            except RunError:
                wrong += 1
    assert wrong > 50


def rebuilt(source: Path, target: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """A copy of a bundle with other contents."""
    with zipfile.ZipFile(source) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in entries.items():
            kept = change(name, content)
            if kept is not None:
                archive.writestr(name, kept)
    return target


def crafted(made: Run, target: Path, **changes: Any) -> Path:
    """A bundle whose manifest has other values."""
    text = json.dumps(manifest(made) | changes)
    return rebuilt(bundle(made), target, lambda name, content: text.encode() if name == "MANIFEST.json" else content)


def test_a_manifest_that_lists_an_unsafe_path_gets_nothing_written(made: Run, tmp_path: Path) -> None:
    for path in ("../escaped", "/tmp/escaped", "a/../../escaped", "..", ".", "a/.."):
        item = {"path": path, "sha256": files.sha256_bytes(b"evil"), "size": 4, "mode": "100644"}
        evil = crafted(made, tmp_path / "evil.zip", artifacts=[item])
        with zipfile.ZipFile(evil, "a") as archive:
            archive.writestr(f"artifacts/{path}", b"evil")
        with pytest.raises(RunError):
            bundles.extract_file(evil, path, tmp_path / "out/file")
    assert not (tmp_path / "out").exists()


def test_zips_that_are_no_bundles_give_one_line_that_names_them(made: Run, tmp_path: Path) -> None:
    evil = tmp_path / "evil.zip"

    def refused(text: str) -> None:
        for use in (bundles.read_manifest, lambda path: bundles.extract_file(path, "run.sh", tmp_path / "out")):
            with pytest.raises(RunError, match=text) as error:
                use(evil)
            assert "evil.zip" in str(error.value)
            assert "\n" not in str(error.value)

    refused("no such bundle")
    evil.write_bytes(b"not a zip at all")
    refused("cannot be read as a bundle")
    evil.unlink()
    evil.mkdir()
    refused("cannot be read as a bundle")
    evil.rmdir()
    rebuilt(bundle(made), evil, lambda name, content: None if name == "MANIFEST.json" else content)
    refused("holds no MANIFEST.json")
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("MANIFEST.json", json.dumps(manifest(made)))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("MANIFEST.json", json.dumps(manifest(made) | {"artifacts": []}))
    refused("more than one MANIFEST.json")
    for content in (b"{", b"[" * 100_000, b"\xff\xfe", b"null", b"[]", b"{}", b'{"artifacts": [3]}', b"3"):
        rebuilt(bundle(made), evil, lambda name, kept, content=content: content if name == "MANIFEST.json" else kept)
        refused("cannot be read as a bundle|is not a manifest")


def test_a_manifest_of_another_shape_is_refused(made: Run) -> None:
    shapes: list[dict[str, Any]] = [
        {"artifacts": {}}, {"artifacts": [{"path": 3, "sha256": ""}]}, {"phase": None}, {"metrics_digest": {}}, {"digest": []}]  # fmt: skip
    whole = bundle(made).read_bytes()
    for changes in shapes:
        bundle(made).write_bytes(whole)
        crafted(made, bundle(made), **changes)
        with pytest.raises(RunError, match="is not a manifest"):
            list(bundles.listing(made.folder))


def test_a_manifest_that_claims_to_be_huge_is_not_read(made: Run, tmp_path: Path) -> None:
    evil = tmp_path / "evil.zip"
    with zipfile.ZipFile(evil, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("MANIFEST.json", "w") as file:
        for _ in range(65):
            file.write(b" " * (1 << 20))
    with pytest.raises(RunError, match="larger than"):
        bundles.read_manifest(evil)


def test_an_entry_that_is_missing_is_a_run_error(made: Run, tmp_path: Path) -> None:
    evil = rebuilt(bundle(made), tmp_path / "evil.zip", lambda name, content: None if name.endswith("run.sh") else content)
    with pytest.raises(RunError, match=r"'run\.sh' cannot be read"):
        bundles.extract_file(evil, "run.sh", tmp_path / "out")


def test_listing_has_a_row_per_bundle_and_can_be_narrowed(made: Run) -> None:
    made.shown(phase="build", after=("plan",))
    rows = list(bundles.listing(made.folder))
    assert [(row["phase"], row["artifact_count"], row["validation"]) for row in rows] == [("build", 1, "pass"), ("plan", 6, "pass")]
    assert rows[1]["digest"] == manifest(made)["digest"]
    assert rows[1]["size_bytes"] == bundle(made).stat().st_size
    assert [row["phase"] for row in bundles.listing(made.folder, "plan")] == ["plan"]
    assert list(bundles.listing(made.folder, "nothing")) == []
