"""The story of an approval: what it says, what it refuses, and what of it everybody can see afterwards."""

from __future__ import annotations

import json
import re
import signal
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zips
from conftest import Desk, sh, snapshot, wait_for

VIEWS = ("status.json", "metrics.json", "metrics.prom")  # they follow the moment of an approval
PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "make"}}},
}
RUNNERS = {"write": sh("echo the plan > plan.md"), "make": sh("cat plan.md > made.txt")}
FALSE = {"name": "coverage", "command": ["false"], "environment": "none"}


def refused(desk: Desk, *words: str) -> str:
    """The one line with which a command is refused."""
    done = desk.run(*words, check=1)
    assert "Traceback" not in done.out + done.err
    assert len(done.said.splitlines()) == 1, done.said
    return done.said


def marker(desk: Desk, phase: str = "plan") -> Path:
    return desk.path / "runs/demo" / phase / "APPROVED"


def readable(desk: Desk, phase: str) -> str:
    """A request without what keeps GitHub from making links of addresses."""
    return desk.read(f"runs/demo/{phase}/REQUEST.md").replace("<!-- -->", "")


def statement(desk: Desk, phase: str = "plan") -> dict[str, Any]:
    return dict(json.loads(marker(desk, phase).read_bytes()))


def gates(desk: Desk) -> dict[str, Any]:
    """What status says of each phase."""
    return dict(json.loads(desk.run("status", "--config", "format=json").out)["phases"])


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    """A run that waits at the gate of its first phase."""
    desk.configure(PHASES, RUNNERS)
    desk.run()
    return desk


def test_approval_is_a_canonical_statement_that_names_digest_and_person(waiting: Desk) -> None:
    waiting.write("home/.gitconfig", "[user]\n\tname = Ann Äsop\n\temail = ann@example.org\n")
    before = snapshot(waiting.path, ".snakemake")
    waiting.run("-n", "approve")
    assert snapshot(waiting.path, ".snakemake") == before

    done = waiting.run("approve")
    digest = waiting.read("runs/demo/plan/digest").strip()
    who = "Ann Äsop <ann@example.org>"
    assert done.out.splitlines()[0] == f"approved: plan of demo, digest {digest[:12]}, by {who} (trust: recorded)"
    made = statement(waiting)
    assert marker(waiting).read_bytes() == json.dumps(made, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["subject"] == [{"name": "demo/plan", "digest": {"sha256": digest}}]
    assert digest in waiting.read("runs/demo/plan/REQUEST.md")
    said = made["predicate"]
    assert (said["decision"], said["run"], said["phase"], said["by"], said["note"]) == ("approved", "demo", "plan", who, "")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said["at"])

    go_on = done.out.splitlines()[-1].split(":", 1)[1].strip()
    assert "build waits for your review" in waiting.shell(go_on).last[-5]
    assert waiting.json("runs/demo/build/manifest.json")["approvals"]["plan"] == {
        "digest": digest, "state": "open", "gate": "required", "trust": "recorded", "by": who, "at": said["at"], "waivers": []
    }  # fmt: skip
    assert "plan (trust: recorded by Ann Äsop &lt;ann@example.org&gt;)" in readable(waiting, "build")
    shown = waiting.json("runs/demo/status.json")["phases"]["plan"]
    assert (shown["state"], shown["trust"], shown["by"], shown["since"]) == ("open", "recorded", who, said["at"])


def test_touched_marker_is_shown_as_unsigned_in_status_request_and_manifest(waiting: Desk) -> None:
    waiting.touch("plan")
    waiting.run()
    assert "plan (trust: unsigned)" in waiting.read("runs/demo/build/REQUEST.md")
    assert waiting.json("runs/demo/build/manifest.json")["approvals"]["plan"]["trust"] == "unsigned"
    assert {name: gate["trust"] for name, gate in gates(waiting).items()} == {"plan": "unsigned", "build": "none"}


@pytest.mark.long
def test_approving_the_same_digest_again_runs_nothing(waiting: Desk) -> None:
    waiting.run("approve", "--config", "by=Ann")
    before = waiting.run().last[-5:]
    marker(waiting).unlink()
    assert "plan waits for your review" in waiting.run().last[-5]
    waiting.run("approve", "--config", "by=Bob", "note=again")
    kept = snapshot(waiting.path / "runs/demo", *VIEWS, "project")
    assert waiting.run().last[-5:] == before
    assert snapshot(waiting.path / "runs/demo", *VIEWS, "project") == kept
    assert waiting.attempts("plan", "writer") == waiting.attempts("build", "maker") == 1

    waiting.run("approve", "--config", "by=Ann")
    waiting.run()
    assert "no phase waits" in refused(waiting, "approve")


def test_what_was_replaced_after_the_request_is_not_approved(waiting: Desk) -> None:
    run_dir = waiting.path / "runs/demo"
    digest = waiting.read("runs/demo/plan/digest").strip()
    other = ("0" if digest[0] != "0" else "1") + digest[1:]
    with zipfile.ZipFile(run_dir / "bundles/plan.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}

    def bundle_with(content: bytes) -> None:
        changed = {name: content if name == "artifacts/plan.md" else old for name, old in entries.items()}
        zips.write(run_dir / "bundles/plan.zip", changed.items())

    def replaced(name: str, old: str, new: str) -> None:
        text = waiting.read(f"runs/demo/{name}")
        assert old in text
        waiting.write(f"runs/demo/{name}", text.replace(old, new))

    tampers = {
        "bundles/plan.zip": (lambda: bundle_with(b"a trap!!\n"), "'artifacts/plan.md' has other bytes than its manifest says"),
        "plan/REQUEST.md": (lambda: replaced("plan/REQUEST.md", digest, other), "plan/REQUEST.md shows another digest"),
        "plan/manifest.json": (
            lambda: replaced("plan/manifest.json", '"100644"', '"100755"'),
            "plan/digest does not name plan/manifest.json",
        ),
        "plan/digest": (lambda: replaced("plan/digest", digest, other), "plan/REQUEST.md shows another digest than plan/digest"),
    }
    for name, (tamper, message) in tampers.items():
        kept = (run_dir / name).read_bytes()
        tamper()
        said = refused(waiting, "approve", "--config", "phase=plan", "by=Ann")
        assert message in said
        assert "plan is not what REQUEST.md shows" in said
        assert not marker(waiting).exists()
        (run_dir / name).write_bytes(kept)
    waiting.run("approve", "--config", "by=Ann")
    assert marker(waiting).exists()


@pytest.mark.long
def test_blocked_gate_opens_only_with_a_reason_for_each_thing_that_is_wrong(desk: Desk) -> None:
    phases = {
        "plan": {**PHASES["plan"], "artifacts": {"required": ["docs/x.md", "plan.md"]}, "checks": [FALSE]},
        "build": {**PHASES["build"], "gate": "none"},
        "ship": {"agents": {"shipper": {"runner": "ship"}}},
    }
    desk.configure(phases, RUNNERS | {"ship": sh("echo 1 > VERSION")})
    assert "plan is blocked" in desk.run(check=1).last[-5]

    said = refused(desk, "approve", "--config", "phase=plan", "by=Ann")
    assert "required artifact is missing: docs/x.md; check coverage failed" in said
    how = re.search(r'waive="(.*)"', said)
    assert how is not None
    assert how[1] == "artifact:docs/x.md=why; check:coverage=why"
    for waive, message in (
        ("check:coverage=known gap", 'waive="artifact:docs/x.md=why"'),
        ("check:coverage=known gap; artifact:docs/x.md", "`artifact:docs/x.md` gives no reason"),
        ("check:coverage= ; artifact:docs/x.md=later", "`check:coverage=` gives no reason"),
        ("check:coverage=a; artifact:docs/x.md=b; artifact:plan.md=c", "`artifact:plan.md` does not block plan"),
    ):
        assert message in refused(desk, "approve", "--config", "by=Ann", f"waive={waive}")
    assert not marker(desk).exists()
    desk.touch("plan")
    assert gates(desk)["plan"]["state"] == "blocked"

    done = desk.run("approve", "--config", "by=Ann", "waive=check:coverage=known gap, ticket 12; artifact:docs/x.md=later: <b>")
    waivers = [{"item": "artifact:docs/x.md", "reason": "later: <b>"}, {"item": "check:coverage", "reason": "known gap, ticket 12"}]
    assert done.out.splitlines()[1:3] == ["waived:   artifact:docs/x.md: later: <b>", "waived:   check:coverage: known gap, ticket 12"]
    assert statement(desk)["predicate"]["waivers"] == waivers
    assert "ship waits for your review" in desk.run().last[-5]

    for phase in ("build", "ship"):
        manifest = desk.json(f"runs/demo/{phase}/manifest.json")
        assert manifest["subject"]["waivers"] == {"plan": waivers}
        assert manifest["approvals"]["plan"]["waivers"] == waivers
        with zipfile.ZipFile(desk.path / f"runs/demo/bundles/{phase}.zip") as archive:
            assert json.loads(archive.read("MANIFEST.json")) == manifest
        page = desk.read(f"runs/demo/{phase}/REQUEST.md")
        assert "- waived in plan by Ann: <code>check:coverage</code>: known gap, ticket 12" in page
        assert "- waived in plan by Ann: <code>artifact:docs/x.md</code>: later: &lt;b&gt;" in page
    shown = desk.json("runs/demo/status.json")["phases"]["plan"]
    assert (shown["state"], shown["waivers"]) == ("open", waivers)
    assert "waived check:coverage: known gap, ticket 12" in desk.run("status").out


@pytest.mark.long
def test_a_waiver_shows_in_every_later_request_also_of_branches_that_do_not_build_on_it(desk: Desk) -> None:
    phases = {
        "left": {"after": [], **PHASES["plan"], "checks": [FALSE]},
        "right": {"after": [], "agents": {"drawer": {"runner": "draw"}}},
        "ship": {"after": ["right"], **PHASES["build"]},
    }
    runners = RUNNERS | {"draw": sh("echo x > drawn.txt"), "make": sh("cat drawn.txt > made.txt")}
    desk.configure(phases, runners)
    desk.run(check=1)
    before = desk.json("runs/demo/right/manifest.json")
    assert before["waivers"] == []
    desk.run("approve", "--config", "phase=left", "by=Ann", "waive=check:coverage=known gap")
    waived = {
        "phase": "left",
        "item": "check:coverage",
        "reason": "known gap",
        "by": "Ann",
        "at": statement(desk, "left")["predicate"]["at"],
    }

    for drawing in ("y", "x"):
        desk.configure(phases, runners | {"draw": sh(f"echo {drawing} > drawn.txt")})
        desk.run()
    desk.run("approve", "--config", "phase=right", "by=Bob")
    desk.run()
    line = "- waived in left (on which this phase does not build) by Ann: <code>check:coverage</code>: known gap"
    for phase in ("right", "ship"):
        manifest = desk.json(f"runs/demo/{phase}/manifest.json")
        assert (manifest["waivers"], manifest["subject"]["waivers"]) == ([waived], {})
        with zipfile.ZipFile(desk.path / f"runs/demo/bundles/{phase}.zip") as archive:
            assert json.loads(archive.read("MANIFEST.json")) == manifest
        assert line in desk.read(f"runs/demo/{phase}/REQUEST.md").splitlines()
    assert desk.json("runs/demo/right/manifest.json")["digest"] == before["digest"], "a waiver elsewhere changes no digest"
    assert gates(desk)["left"]["waivers"] == [{"item": "check:coverage", "reason": "known gap"}]


def test_a_waiver_shows_in_status_also_while_an_earlier_gate_is_closed(desk: Desk) -> None:
    desk.configure({"plan": PHASES["plan"], "build": {**PHASES["build"], "checks": [FALSE]}}, RUNNERS)
    desk.run()
    desk.run("approve", "--config", "by=Ann")
    desk.run(check=1)
    desk.run("approve", "--config", "by=Ann", "waive=check:coverage=known gap")
    marker(desk).unlink()
    shown = gates(desk)["build"]
    assert (shown["state"], shown["waivers"]) == ("pending", [{"item": "check:coverage", "reason": "known gap"}])
    assert "waived check:coverage: known gap" in desk.run("status").out


@pytest.mark.long
def test_note_and_name_are_kept_exactly_as_they_were_typed(waiting: Desk) -> None:
    for note, by in (
        ("fix: x", "ann@example.org"),
        ("2048", "007"),
        ("no", "no"),
        ("see #1", "Ann #1"),
        ("[a]", "[a]"),
        ("", "x: y"),
        ('{a: b} "$HOME" it\'s 100% ünï', "{Ann}"),
    ):
        waiting.run("approve", "--config", "phase=plan", f"by={by}", f"note={note}")
        said = statement(waiting)["predicate"]
        assert (said["note"], said["by"]) == (note, by)
    text = "# first: [a\n  - second #2\n\nno"
    waiting.write("note.txt", text)
    waiting.run("approve", "--config", "phase=plan", "by=Ann", "note_file=note.txt")
    assert statement(waiting)["predicate"]["note"] == text
    assert "note_file=none.txt: cannot be read" in refused(waiting, "approve", "--config", "phase=plan", "note_file=none.txt")
    assert statement(waiting)["predicate"]["note"] == text


def test_approval_works_while_another_branch_is_at_work_and_several_gates_are_named(desk: Desk) -> None:
    phases = {
        "left": {"after": [], "agents": {"writer": {"runner": "write"}}},
        "right": {"after": [], "agents": {"drawer": {"runner": "draw"}}},
        "slow": {"after": [], "agents": {"thinker": {"runner": "think"}}},
    }
    think = sh(f"until [ -e {desk.path}/go ]; do sleep 0.02; done; echo x > thought.txt")
    desk.configure(phases, RUNNERS | {"draw": sh("echo x > drawn.txt"), "think": think}, sandbox="off", max_parallel_agents=3)
    running = desk.start(cores=3)
    try:
        wait_for(lambda: all((desk.path / f"runs/demo/history/gates/{name}.json").exists() for name in ("left", "right")))
        assert refused(desk, "approve", "--config", "by=Ann").startswith("phasegate: several phases wait: left, right; name one")
        desk.run("approve", "--config", "phase=left", "by=Ann")
        assert statement(desk, "left")["subject"][0]["digest"]["sha256"] == desk.read("runs/demo/left/digest").strip()
        assert running.poll() is None
        assert not (desk.path / "runs/demo/slow/agents/thinker/outcome.json").exists()
        (desk.path / "go").touch()
        assert running.wait(60) == 0, desk.read("started.log")
    finally:
        (desk.path / "go").touch()
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
            running.wait(60)
    states = {name: phase["state"] for name, phase in desk.json("runs/demo/status.json")["phases"].items()}
    assert states == {"left": "open", "right": "waiting", "slow": "waiting"}
