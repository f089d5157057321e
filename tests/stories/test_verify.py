"""The story of somebody who trusts nobody: verify a run, and a bundle alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zips
from conftest import ROOT, Desk, sh, snapshot

from workflow import files

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "make"}}},
}
RUNNERS = {"write": sh("echo the plan > plan.md; echo risks > risks.md"), "make": sh("cat plan.md > made.txt")}


def flip(path: Path, byte: bytes) -> None:
    """Replace the first occurrence of a text by one that differs in its first byte."""
    content = path.read_bytes()
    assert byte in content
    path.write_bytes(content.replace(byte, bytes([byte[0] ^ 1]) + byte[1:], 1))


def found(desk: Desk, code: int) -> dict[str, Any]:
    """What `verify` says as JSON."""
    done = desk.run("verify", "--config", "format=json", check=code)
    assert "Traceback" not in done.err
    return dict(json.loads(done.out))


@pytest.fixture
def shown(desk: Desk) -> Desk:
    """A run with one approved phase and one that waits."""
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.run("approve", "--config", "by=Ann")
    desk.run()
    return desk


def test_verify_says_that_a_run_holds_or_exactly_what_differs(shown: Desk) -> None:
    run_dir = shown.path / "runs/demo"
    before = snapshot(shown.path / "runs")
    lines = shown.run("verify").out.splitlines()
    digests = {name: shown.read(f"runs/demo/{name}/digest").strip() for name in PHASES}
    assert lines == [
        f"plan: verified, digest {digests['plan'][:12]}, gate open, trust recorded, by Ann",
        f"build: verified, digest {digests['build'][:12]}, gate waiting, trust none",
    ]
    record = found(shown, 0)
    assert (record["run"], record["verified"]) == ("demo", True)
    assert {row["phase"]: (row["verified"], row["problems"], row["digest"]) for row in record["phases"]} == {
        name: (True, [], digest) for name, digest in digests.items()
    }
    assert snapshot(shown.path / "runs") == before

    def flip_bundle() -> None:
        info = zipfile.ZipFile(run_dir / "bundles/plan.zip").getinfo("artifacts/plan.md")
        content = bytearray((run_dir / "bundles/plan.zip").read_bytes())
        content[info.header_offset + 30 + len(info.filename) + 2] ^= 1
        (run_dir / "bundles/plan.zip").write_bytes(content)

    build = digests["build"].encode()
    tampers: dict[str, tuple[Callable[[], None], str, str]] = {
        "bundles/plan.zip": (flip_bundle, "plan", "bundles/plan.zip: "),
        "plan/manifest.json": (
            lambda: flip(run_dir / "plan/manifest.json", b'plan.md"'),
            "plan",
            "plan/manifest.json is not the manifest in bundles/plan.zip",
        ),
        "build/digest": (lambda: flip(run_dir / "build/digest", build), "build", "build/digest does not name build/manifest.json"),
        "build/REQUEST.md": (
            lambda: flip(run_dir / "build/REQUEST.md", build),
            "build",
            "build/REQUEST.md shows another digest than build/digest",
        ),
        "plan/digest": (
            lambda: flip(run_dir / "plan/digest", digests["plan"].encode()),
            "build",
            "build builds on other upstream digests than those of plan",
        ),
        "project.git/refs/phases/build": (
            lambda: shutil.copy(run_dir / "project.git/refs/phases/plan", run_dir / "project.git/refs/phases/build"),
            "build",
            "project.git: refs/phases/build holds another tree than the manifest names",
        ),
    }
    for name, (tamper, phase, message) in tampers.items():
        kept = (run_dir / name).read_bytes()
        tamper()
        record = found(shown, 1)
        rows = {row["phase"]: row for row in record["phases"]}
        assert not record["verified"]
        assert not rows[phase]["verified"], name
        assert [text for text in rows[phase]["problems"] if message in text], rows[phase]["problems"]
        (run_dir / name).write_bytes(kept)

    (run_dir / "build/manifest.json").write_text("[]")
    (run_dir / "bundles/plan.zip").unlink()
    done = shown.run("verify", check=1)
    assert "plan: DOES NOT VERIFY" in done.out
    assert "  - bundles/plan.zip: there is no such bundle" in done.out
    assert "build: DOES NOT VERIFY" in done.out
    assert "Traceback" not in done.err


def alone(folder: Path, *bundles: Path, more: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """scripts/verify_bundle.py with nothing but Python, from another folder."""
    command = [sys.executable, "-I", "-S", str(ROOT / "scripts/verify_bundle.py"), *more, *map(str, bundles)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert "Traceback" not in done.stderr
    return done


def test_bundle_verifies_alone_and_a_crafted_one_does_not(shown: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    good = folder / "copied.zip"
    shutil.copy(shown.path / "runs/demo/bundles/plan.zip", good)
    digest = shown.read("runs/demo/plan/digest").strip()
    done = alone(folder, good)
    assert (done.returncode, done.stdout) == (0, f"{good}: verified; plan of demo, digest {digest}, 2 files\n")
    entries = [(name, content) for name, content in zips.read(good) if name.startswith(("MANIFEST", "artifacts/"))]
    manifest = json.loads(dict(entries)["MANIFEST.json"])

    def crafted(name: str, content: list[tuple[str, bytes]]) -> Path:
        return zips.write(folder / f"{name}.zip", content)

    def described(change: Callable[[dict[str, Any]], None], *more: tuple[str, bytes]) -> list[tuple[str, bytes]]:
        """A bundle whose manifest is changed, with a digest that fits."""
        made = json.loads(json.dumps(manifest))
        change(made)
        made["digest"] = files.sha256_json(made["subject"])
        return [("MANIFEST.json", json.dumps(made).encode()), *entries[1:], *more]

    def add_outside(made: dict[str, Any]) -> None:
        entry = {"path": "../../outside.txt", "sha256": files.sha256_bytes(b"x"), "size": 1, "mode": "100644"}
        made["subject"]["files"].append(entry)
        made["artifacts"], made["artifact_count"] = made["subject"]["files"], 3

    with zipfile.ZipFile(good) as archive, zipfile.ZipFile(folder / "program.zip", "w") as changed:
        for info in archive.infolist():
            content = archive.read(info)
            info.external_attr = (0o100755 if info.filename == "artifacts/plan.md" else 0o100644) << 16
            changed.writestr(info, content)
    (folder / "text.zip").write_text("this is no zip")
    (folder / "cut.zip").write_bytes(good.read_bytes()[:-40])
    with pytest.warns(UserWarning, match="Duplicate name"):
        twice = crafted("twice", [*entries, entries[1]])
    cases = {
        crafted("extra", [*entries, ("artifacts/more.txt", b"x")]): "'artifacts/more.txt' is not in the manifest",
        twice: f"{entries[1][0]!r} stands twice",
        crafted("missing", entries[:-1]): f"{entries[-1][0]!r} is missing",
        crafted("traversal", [*entries, ("../../outside.txt", b"x")]): "'../../outside.txt' is not in the manifest",
        crafted("outside", described(add_outside, ("artifacts/../../outside.txt", b"x"))): "outside.txt",
        crafted("other", [*entries[:-1], (entries[-1][0], b"RISKS\n")]): "has other bytes than its manifest says",
        crafted("longer", [*entries[:-1], (entries[-1][0], b"risks, more\n")]): "has 12 bytes, its manifest says 6",
        crafted("forged", described(lambda made: made.update(phase="ship"))): "its `phase` and `run_id` are not those of its subject",
        crafted("counted", described(lambda made: made.update(artifact_count=7))): "`artifact_count` is not the number of its files",
        crafted("undescribed", entries[1:]): "holds 0 entries MANIFEST.json, not one",
        crafted("list", [("MANIFEST.json", b"[]")]): "cannot be read",
        crafted("deep", [("MANIFEST.json", b"[" * 100_000)]): "cannot be read",
        folder / "program.zip": "  - 'artifacts/plan.md' has the mode 100755, its manifest says 100644\n",
        folder / "text.zip": "cannot be read",
        folder / "cut.zip": "cannot be read",
        folder / "none.zip": "there is no such bundle",
    }
    for path, message in cases.items():
        done = alone(folder, path)
        assert (done.returncode, done.stdout.startswith(f"{path}: DOES NOT VERIFY")) == (1, True), done.stdout
        assert message in done.stdout, done.stdout
        assert done.stderr == ""
    done = alone(folder, good, *cases, more=("--json",))
    assert done.returncode == 1
    assert [row["verified"] for row in json.loads(done.stdout)] == [True] + [False] * len(cases)
    assert sorted(path.suffix for path in folder.iterdir()) == [".zip"] * len(list(folder.iterdir()))

    liar = crafted("liar", described(lambda made: made.update(phase=f"x\n{good}: verified\x1b[2K\ud800")))
    done = alone(folder, liar)
    assert done.returncode == 1
    assert [line for line in done.stdout.splitlines() if not line.startswith(("  - ", f"{liar}: DOES NOT VERIFY"))] == []
    assert "\x1b" not in done.stdout
