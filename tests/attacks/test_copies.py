"""An outsider verifies a whole run offline with one command: a copy of bundles/ and markers, and allowed_signers from elsewhere."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest
from conftest import ROOT
from signers import ANN, BOB, EVE, SignedRun, write_allowed

from attacks.forgeries import OTHER_CONTENT, bundle_replaced, days_ago
from attacks.held import by_hand
from workflow import files
from workflow.gate import audit, quorum
from workflow.proof import attestation


def copy_of(held: SignedRun, name: str = "copy") -> Path:
    """What an outsider gets: bundles and markers, nothing else, in a folder of any name."""
    copy = Path(name)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(held.run.folder / "bundles", copy / "bundles")
    for path in held.run.folder.glob("*/APPROVED*"):
        (copy / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, copy / path.parent.name)
    return copy


def alone(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The one command, with nothing but Python and ssh-keygen."""
    command = [sys.executable, "-I", "-S", str(ROOT / "scripts/verify_bundle.py"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert "Traceback" not in done.stderr
    return done


def problems(copy: Path, allowed: Path, **options: Any) -> dict[str, str]:
    """What is wrong, bundle by bundle; those that verify are left out."""
    rows = audit.verify_copy(copy, allowed, **options)
    assert all(row["verified"] == (not row["problems"]) for row in rows)
    return {Path(row["bundle"]).stem: "; ".join(row["problems"]) for row in rows if row["problems"]}


@pytest.fixture
def signed(held: SignedRun) -> SignedRun:
    """Both phases are signed, the build by two people."""
    held.approve(ANN)
    two = replace(held.terms, approvals=2)
    held.approve(ANN, two, "build")
    held.approve(BOB, two, "build")
    return held


def test_one_command_verifies_a_whole_run_offline(signed: SignedRun) -> None:
    copy = copy_of(signed)
    digests = {name: (signed.run.folder / name / "digest").read_text().strip() for name in ("plan", "build")}
    shutil.move("runs", "away")
    done = alone("--allowed-signers", signed.allowed, copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"copy/bundles/build.zip: verified; build of demo, digest {digests['build']}, 1 files, trust signed, signed by {ANN}, {BOB}",
        f"copy/bundles/plan.zip: verified; plan of demo, digest {digests['plan']}, 1 files, trust signed, signed by {ANN}",
    ]
    rows = json.loads(alone("--json", "--allowed-signers", signed.allowed, copy).stdout)
    assert [signer["key"][:7] for row in rows for signer in row["signers"]] == ["SHA256:"] * 3
    assert rows[0]["started"] == [{"by": ["zoe", "Zoe Z", "zoe@example.org"], "at": "2026-01-01T00:00:00.000Z"}]


def test_a_copy_needs_allowed_signers_and_bundles(signed: SignedRun) -> None:
    done = alone(copy_of(signed))
    assert (done.returncode, "needs --allowed-signers FILE" in done.stderr) == (2, True)
    assert "cannot be read" in problems(copy_of(signed), Path("nowhere"))["plan"]
    Path("void").mkdir()
    assert "holds no bundles/*.zip" in problems(Path("void"), signed.allowed)["void"]


def change(path: Path, edit: Callable[[Any], None]) -> None:
    """A bundle whose manifest says something else, with a digest and a provenance that fit."""
    with ZipFile(path) as archive:
        entries = {info: archive.read(info) for info in archive.infolist()}
    contents = {
        info.filename: json.loads(content) for info, content in entries.items() if info.filename in ("MANIFEST.json", attestation.NAME)
    }
    made, statement = contents["MANIFEST.json"], contents[attestation.NAME]
    edit(made)
    made["digest"] = files.sha256_json(made["subject"])
    definition = statement["predicate"]["buildDefinition"]
    definition["externalParameters"] |= {key: made["subject"][key] for key in ("run", "phase")}
    starts = [row["digest"]["gitCommit"] for row in definition["resolvedDependencies"] if row["name"] == "start"]
    definition["resolvedDependencies"] = attestation.dependencies(made, starts[0])
    statement["subject"] = attestation.subject(made)
    with ZipFile(path, "w") as archive:
        for info, content in entries.items():
            told = contents.get(info.filename)
            archive.writestr(info, content if told is None else files.pretty_json(told).encode())


TAMPERS: dict[str, tuple[Callable[[Path], Any], str, str]] = {
    "a signature is missing": (lambda copy: (copy / f"build/APPROVED.{BOB}.sig").unlink(), "build", "1 of 2 signed approvals"),
    "an approval is missing": (lambda copy: (copy / f"build/APPROVED.{BOB}").unlink(), "build", "1 of 2 signed approvals"),
    "nobody has signed": (lambda copy: (copy / "plan/APPROVED").unlink(), "plan", "0 of 1 signed approvals"),
    "a phase is missing": (lambda copy: (copy / "bundles/plan.zip").unlink(), "build", "builds on plan, whose bundle is not in the copy"),
    "bundles have changed places": (
        lambda copy: (copy / "bundles/plan.zip").replace(copy / "bundles/build.zip"), "build", "is the bundle of plan, not of build",
    ),
    "content and digest are forged": (
        lambda copy: change(copy / "bundles/plan.zip", lambda made: made["subject"].update(tree="0" * 40)), "plan", "shown is",
    ),
    "it says that no gate is needed": (
        lambda copy: ((copy / "plan/APPROVED").unlink(), change(copy / "bundles/plan.zip", lambda made: made["gate"].update(kind="none"))),
        "plan", "if you know that to be so: --ungated plan",
    ),
    "a part of it is missing": (
        lambda copy: change(copy / "bundles/plan.zip", lambda made: made.pop("gate")), "plan", "cannot be read: KeyError",
    ),
    "it is of another run": (
        lambda copy: change(copy / "bundles/plan.zip", lambda made: (made.update(run_id="x"), made["subject"].update(run="x"))),
        "plan", "the bundles are of several runs: demo, x",
    ),
    "it is no bundle": (lambda copy: (copy / "bundles/plan.zip").write_bytes(b"PK"), "plan", "cannot be read"),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERS)
def test_a_copy_that_was_tampered_with_does_not_verify(signed: SignedRun, name: str) -> None:
    copy = copy_of(signed)
    tamper, phase, message = TAMPERS[name]
    tamper(copy)
    found = problems(copy, signed.allowed)
    assert message in found[phase], found


def test_the_command_says_what_is_wrong_and_fails(signed: SignedRun) -> None:
    copy = copy_of(signed)
    (copy / "plan/APPROVED").write_bytes((copy / "plan/APPROVED").read_bytes() + b"\x1b[2K")
    done = alone("--allowed-signers", signed.allowed, copy)
    assert done.returncode == 1
    assert [line.split(";")[0] for line in done.stdout.splitlines() if "bundles" in line] == [
        "copy/bundles/build.zip: verified", "copy/bundles/plan.zip: DOES NOT VERIFY"
    ]  # fmt: skip
    assert "\x1b" not in done.stdout


def test_forgeries_are_seen_in_a_copy_too(held: SignedRun) -> None:
    bundle_replaced(held)
    assert "has other bytes than its manifest says" in problems(copy_of(held), held.allowed)["plan"]


def test_who_may_not_sign_does_not_count_in_a_copy_either(held: SignedRun) -> None:
    terms = held.terms.public
    for name, allowed, changes, message in (
        (EVE, (ANN, BOB), {}, f"is not signed by {EVE}"),
        ("zoe@example.org", (ANN, "zoe@example.org"), {}, "who started the run"),
        (ANN, (ANN,), {"terms": terms | {"approvers": [BOB]}}, f"may approve: {BOB}"),
        (ANN, (ANN,), {"terms": terms | {"expires_days": "30"}, "at": days_ago(31)}, "has expired"),
        (ANN, (ANN,), {"terms": {}}, "names no terms"),
        (ANN, (ANN,), {"terms": {"approvals": "many", "approvers": 3, "expires_days": None}}, "APPROVED "),
        (ANN, (ANN,), {"terms": terms | {"approvals": 2}}, "1 of 2 signed approvals"),
    ):
        by_hand(held, name, **changes)
        held.allow(*allowed)
        assert message in problems(copy_of(held), held.allowed)["plan"], message


def test_the_auditor_may_ask_for_more_and_for_another_moment(signed: SignedRun) -> None:
    copy = copy_of(signed)
    assert "1 of 2 signed approvals" in problems(copy, signed.allowed, approvals=2)["plan"]
    assert problems(copy, signed.allowed, approvals=2, ungated=["plan"]) == {}
    tomorrow = days_ago(-1)[:10].replace("-", "")
    write_allowed(signed.allowed, {name: signed.key(name) for name in (ANN, BOB)}, f'valid-before="{tomorrow}"')
    assert problems(copy, signed.allowed) == {}
    assert "key has expired" in problems(copy, signed.allowed, at=days_ago(-3))["plan"]


def test_approvals_of_different_starts_do_not_make_one_run(held: SignedRun) -> None:
    held.approve(ANN)
    held.run.rewrite("run.json", lambda record: record.update(started_at="2026-03-03T00:00:00.000Z"))
    held.approve(ANN, phase="build")
    assert set(problems(copy_of(held), held.allowed).values()) == {"the approvals speak of different starts of the run"}


def test_replayed_content_is_seen_by_the_chain(signed: SignedRun) -> None:
    signed.run.shown(OTHER_CONTENT)
    signed.approve(ANN)
    found = problems(copy_of(signed), signed.allowed)
    assert list(found) == ["build"]
    assert found["build"].startswith("builds on plan")


def test_each_step_is_needed_in_a_copy_too(held: SignedRun, monkeypatch: pytest.MonkeyPatch) -> None:
    by_hand(held, ANN, place="other/plan")
    copy = copy_of(held)
    assert "plan" in problems(copy, held.allowed)
    monkeypatch.setattr(quorum, "CHECKS", ())
    assert "plan" not in problems(copy, held.allowed)
