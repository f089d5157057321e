"""The story of what is packed: the bundle of a phase, its manifest, and the commands that list and unpack it."""

from __future__ import annotations

import hashlib
import json
import re
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from conftest import Desk, sh

from workflow.proof import attestation

ODD = "notes/ünï code & 'quotes'.txt"
PHASES = {
    "docs": {
        "gate": "none",
        "artifacts": {"required": ["README.md", "docs/**/*.md"], "optional": ["docs/risks.md"]},
        "agents": {"writer": {"runner": "write"}},
    },
    "build": {
        "artifacts": {"required": ["bin/*"]},
        "checks": [{"name": "runs", "command": ["sh", "-c", "bin/tool && test ! -e old.txt"], "environment": "none"}],
        "agents": {"maker": {"runner": "make"}},
    },
    "broken": {
        "after": [],
        "agents": {
            "good": {"runner": "good"},
            "bad": {"runner": "bad", "retry": {"retries": 1, "base_delay": 0}},
            "late": {"runner": "good", "needs": ["bad"]},
        },
    },
}
RUNNERS = {
    "write": sh(
        f'mkdir -p docs/deep/er notes; echo readme > README.md; echo page > docs/deep/er/page.md; echo old > old.txt; echo odd > "{ODD}"'
    ),
    "make": sh("mkdir bin; printf '#!/bin/sh\\nexit 0\\n' > bin/tool; chmod +x bin/tool; echo more >> README.md; rm old.txt"),
    "good": sh("echo good > good.txt"),
    "bad": sh("exit 75"),
}
SHA256 = re.compile(r"[0-9a-f]{64}")


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A run with a partial phase, one that waits for review, and one that failed."""
    desk = Desk(tmp_path_factory.mktemp("packed"))
    desk.brief()
    desk.configure(PHASES, RUNNERS)
    desk.run(check=1)
    return desk


def manifest_in(desk: Desk, phase: str) -> dict[str, Any]:
    """The manifest inside a bundle."""
    with zipfile.ZipFile(desk.path / f"runs/demo/bundles/{phase}.zip") as archive:
        return json.loads(archive.read("MANIFEST.json"))


def test_bundle_holds_each_file_in_its_directory_and_the_manifest(packed: Desk) -> None:
    with zipfile.ZipFile(packed.path / "runs/demo/bundles/docs.zip") as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        manifest = json.loads(archive.read("MANIFEST.json"))
        contents = {name: archive.read(name) for name in names}
        assert {info.date_time for info in archive.infolist()} == {(1980, 1, 1, 12, 1, 0)}
    paths = ["README.md", "docs/deep/er/page.md", ODD, "old.txt"]
    assert names == ["MANIFEST.json", *sorted([*attestation.EXTRAS, *(f"artifacts/{path}" for path in paths)])]
    assert manifest == packed.json("runs/demo/docs/manifest.json")
    assert contents["artifacts/docs/deep/er/page.md"] == b"page\n"
    for item in manifest["artifacts"]:
        content = contents[f"artifacts/{item['path']}"]
        assert (item["sha256"], item["size"]) == (hashlib.sha256(content).hexdigest(), len(content))


def test_executable_files_stay_executable(packed: Desk) -> None:
    with zipfile.ZipFile(packed.path / "runs/demo/bundles/build.zip") as archive:
        modes = {info.filename: info.external_attr >> 16 & 0o777 for info in archive.infolist()}
    own = dict.fromkeys(("MANIFEST.json", *attestation.EXTRAS), 0o644)
    assert modes == {**own, "artifacts/README.md": 0o644, "artifacts/bin/tool": 0o755}
    assert {item["path"]: item["mode"] for item in manifest_in(packed, "build")["artifacts"]} == {
        "README.md": "100644",
        "bin/tool": "100755",
    }


def test_manifest_says_everything_that_a_person_approves(packed: Desk) -> None:
    manifest = manifest_in(packed, "build")
    outcome = packed.outcome("build", "maker")
    assert {"phase", "run_id", "created_at", "artifact_count", "artifacts", "metrics_digest", "subject", "digest"} <= set(manifest)
    assert (manifest["phase"], manifest["run_id"], manifest["artifact_count"]) == ("build", "demo", 2)
    assert manifest["created_at"] == outcome["ended_at"]
    subject = manifest["subject"]
    assert (subject["run"], subject["phase"], subject["deleted"]) == ("demo", "build", ["old.txt"])
    assert subject["upstream"] == {"docs": packed.read("runs/demo/docs/digest").strip()}
    assert subject["tree"] == packed.json("runs/demo/build/merge.json")["tree"]
    assert [set(item) for item in subject["files"]] == [{"path", "sha256", "size", "mode"}] * 2
    assert [(agent["name"], agent["status"], agent["exit_code"]) for agent in subject["agents"]] == [("maker", "succeeded", 0)]
    assert subject["agents"][0]["tree"] == outcome["result"]["tree"]
    assert subject["validation"]["status"] == "pass"
    assert [(row["name"], row["status"], row["exit_code"]) for row in subject["validation"]["checks"]] == [("runs", "pass", 0)]
    assert "feedback" in subject
    canonical = json.dumps(subject, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(canonical).hexdigest()
    assert digest == manifest["digest"] == packed.read("runs/demo/build/digest").strip()
    varying = {"created_at", "started_at", "ended_at", "duration_s", "attempts", "host", "pid"}
    assert not varying & set(re.findall(r'"(\w+)":', json.dumps(subject))), "nothing that varies without changing what is reviewed"


def test_metrics_digest_counts_failures_and_retries(packed: Desk) -> None:
    figures = manifest_in(packed, "broken")["metrics_digest"]
    assert (figures["phase"], figures["agents_executed"], figures["agents_succeeded"], figures["total_retries"]) == ("broken", 2, 1, 1)
    assert [(agent["name"], agent["success"], agent["exit_code"]) for agent in figures["agents"]] == [
        ("good", True, 0),
        ("bad", False, 75),
        ("late", False, None),
    ]
    durations = [packed.outcome("broken", name)["duration_s"] for name in ("good", "bad", "late")]
    assert [agent["duration_s"] for agent in figures["agents"]] == durations
    assert figures["total_duration_s"] == pytest.approx(sum(durations), abs=0.002)
    assert manifest_in(packed, "build")["metrics_digest"]["validation"] == {"status": "pass", "artifacts_found": 1, "artifacts_missing": 0}


def test_missing_optional_artifact_is_a_warning_in_manifest_and_request(packed: Desk) -> None:
    manifest = manifest_in(packed, "docs")
    assert manifest["metrics_digest"]["validation"] == {"status": "partial", "artifacts_found": 2, "artifacts_missing": 1}
    assert manifest["subject"]["validation"]["missing"] == ["docs/risks.md"]
    assert "Optional parts are missing: <code>docs/risks.md</code>" in packed.read("runs/demo/docs/REQUEST.md")


def test_bundles_are_listed_as_a_table_and_for_programs_and_by_phase(packed: Desk) -> None:
    table = packed.run("bundles").out
    assert [line.split()[:2] for line in table.splitlines()[2:]] == [["broken", "pass"], ["build", "pass"], ["docs", "partial"]]
    rows = json.loads(packed.run("bundles", "--config", "format=json").out)
    assert [row["phase"] for row in rows] == ["broken", "build", "docs"]
    for row in rows:
        manifest = manifest_in(packed, row["phase"])
        assert row["size_bytes"] == (packed.path / row["path"]).stat().st_size
        assert (row["digest"], row["created_at"]) == (manifest["digest"], manifest["created_at"])
        assert (row["artifact_count"], row["agents_succeeded"]) == (
            manifest["artifact_count"],
            manifest["metrics_digest"]["agents_succeeded"],
        )
    one = json.loads(packed.run("bundles", "--config", "phase=docs", "format=json").out)
    assert one == [row for row in rows if row["phase"] == "docs"]
    for word, allowed in (("phase=nonsense", "known: broken, build, docs"), ("format=xml", "allowed: table, json")):
        done = packed.run("bundles", "--config", word, check=1)
        assert allowed in done.err
        assert "Traceback" not in done.err


def test_manifest_of_a_bundle_is_printed(packed: Desk, tmp_path: Path) -> None:
    script = packed.root / "scripts" / "show_manifest.py"
    printed = packed.shell([sys.executable, str(script), "runs/demo/bundles/docs.zip"])
    assert json.loads(printed.out) == manifest_in(packed, "docs")
    (tmp_path / "no.zip").write_text("not a zip")
    for name in ("no.zip", "missing.zip"):
        done = packed.shell([sys.executable, str(script), str(tmp_path / name)], check=1)
        assert re.fullmatch(rf"phasegate: \S*{name}: .*\n", done.err)


def test_any_file_of_a_bundle_is_a_target(packed: Desk) -> None:
    packed.run("runs/demo/docs/artifacts/docs/deep/er/page.md", f"runs/demo/docs/artifacts/{ODD}", check=None)
    assert packed.read("runs/demo/docs/artifacts/docs/deep/er/page.md") == "page\n"
    assert packed.read(f"runs/demo/docs/artifacts/{ODD}") == "odd\n"
    done = packed.run("runs/demo/docs/artifacts/docs/missing.md", check=1)
    assert "holds no file 'docs/missing.md'; it holds 4: README.md, docs/deep/er/page.md" in done.err
    assert "Traceback" not in done.err + done.out
    assert not (packed.path / "runs/demo/docs/artifacts/docs/missing.md").exists()


def test_deleted_bundle_is_made_again_byte_for_byte(packed: Desk) -> None:
    bundles = {phase: packed.path / f"runs/demo/bundles/{phase}.zip" for phase in PHASES}
    before = {phase: path.read_bytes() for phase, path in bundles.items()}
    digests = {phase: packed.read(f"runs/demo/{phase}/digest") for phase in PHASES}
    for phase in PHASES:
        bundles[phase].unlink()
    packed.run(check=1)
    assert {phase: path.read_bytes() for phase, path in bundles.items()} == before
    assert {phase: packed.read(f"runs/demo/{phase}/digest") for phase in PHASES} == digests
    assert packed.attempts("docs", "writer") == 1
    assert packed.attempts("broken", "bad") == 2


def test_compression_level_is_the_users_and_changes_nothing_that_is_reviewed(desk: Desk) -> None:
    phases = {"docs": {"agents": {"writer": {"runner": "write"}}}}
    desk.configure(phases, {"write": sh("seq 1 5000 > numbers.txt")}, bundle={"compression": 0})
    desk.run()
    bundle, digest = desk.path / "runs/demo/bundles/docs.zip", desk.read("runs/demo/docs/digest")
    with zipfile.ZipFile(bundle) as archive:
        stored = archive.getinfo("artifacts/numbers.txt")
    assert (stored.compress_type, stored.compress_size) == (zipfile.ZIP_STORED, stored.file_size)
    bundle.unlink()
    desk.run("--config", "bundle={compression: 9}")
    with zipfile.ZipFile(bundle) as archive:
        packed = archive.getinfo("artifacts/numbers.txt")
    assert packed.compress_type == zipfile.ZIP_DEFLATED
    assert packed.compress_size < stored.compress_size / 2
    assert desk.read("runs/demo/docs/digest") == digest
