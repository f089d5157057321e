"""What opens a gate and what does not; whatever goes wrong while judging keeps it closed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runs import Run, check

from workflow import files
from workflow.gate import approvals, feedback, history, verdict


@pytest.fixture
def shown(run: Run) -> Run:
    """A phase that is ready for review."""
    run.shown()
    time.sleep(0.02)  # a kernel's file times are as coarse as a tick
    return run


def digest(run: Run) -> str:
    return (run.folder / "plan/digest").read_text().strip()


def statement(run: Run, **changes: Any) -> str:
    made = json.loads(approvals.statement("demo", "plan", approvals.Approval(digest(run), "me", "2026-01-01T00:00:00.000Z")))
    made["predicate"] |= changes.pop("predicate", {})
    return json.dumps(made | changes)


def ways(run: Run, marker: Callable[[Path], Any]) -> tuple[str, str, str]:
    """State, trust and reasons of the gate for a marker made in some way, which is removed again."""
    path = run.marker()
    marker(path)
    found = run.judge()
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()
    return found.state, found.trust, "; ".join(found.reasons)


def test_without_a_marker_the_gate_waits(shown: Run) -> None:
    found = shown.judge()
    assert (found.state, found.reasons, found.digest, found.trust) == (
        "waiting",
        ("nobody has approved it: there is no runs/demo/plan/APPROVED",),
        digest(shown),
        "none",
    )
    assert not found.is_open


def test_markers_that_open(shown: Run) -> None:
    for marker, trust in {
        lambda path: path.touch(): "unsigned",
        lambda path: path.write_text(" \n"): "unsigned",
        lambda path: path.write_text(f"{digest(shown)}\n"): "recorded",
        lambda path: path.write_text(statement(shown)): "recorded",
        lambda path: path.write_text(json.dumps(json.loads(statement(shown)), indent=4)): "recorded",
    }.items():
        state, found, _ = ways(shown, marker)
        assert (state, found) == ("open", trust)
    shown.marker().write_text(statement(shown))
    judged = shown.judge()
    assert (judged.by, judged.reasons, judged.by_bare_marker) == ("me", ("approved by me (runs/demo/plan/APPROVED)",), False)


def test_markers_that_do_not_open(shown: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "named").write_text(digest(shown))
    other = "0" * 64
    table: dict[Callable[[Path], Any], tuple[str, str]] = {
        lambda path: path.write_text("yes\n"): ("stale", "neither empty nor names a digest"),
        lambda path: path.write_text(other): ("stale", "APPROVED names 000000000000"),
        lambda path: path.write_text(digest(shown)[:63]): ("stale", "neither empty"),
        lambda path: path.write_text(digest(shown) * 2): ("stale", "neither empty"),
        lambda path: path.write_text(statement(shown, subject=[{"digest": {"sha256": other}}])): ("stale", "APPROVED names 0000"),
        lambda path: path.write_text(statement(shown, subject=[])): ("stale", "neither empty"),
        lambda path: path.write_text(statement(shown, subject=[{"digest": {"sha256": digest(shown)}}] * 2)): ("stale", "neither empty"),
        lambda path: path.write_text(statement(shown, _type="x")): ("stale", "neither empty"),
        lambda path: path.write_text(statement(shown, predicate={"decision": "rejected"})): ("stale", "neither empty"),
        lambda path: path.write_text("[" * 5000): ("stale", "neither empty"),
        lambda path: path.write_bytes(b"\xff\xfe\x00"): ("stale", "neither empty"),
        lambda path: path.symlink_to(tmp_path / "empty"): ("waiting", "is a link"),
        lambda path: path.symlink_to(tmp_path / "named"): ("waiting", "is a link"),
        lambda path: path.symlink_to(tmp_path / "nowhere"): ("waiting", "is a link"),
        lambda path: path.mkdir(): ("waiting", "not a plain file"),
        lambda path: os.mkfifo(path): ("waiting", "not a plain file"),
        lambda path: path.write_bytes(digest(shown).encode() + b"\n" * approvals.MARKER_LIMIT): ("waiting", "larger than"),
        lambda path: (path.touch(), os.utime(path, (time.time() - 3600,) * 2)): ("stale", "older than what is shown"),
        lambda path: (path.touch(), os.utime(path, (time.time() + 3600,) * 2)): ("stale", "in the future"),
    }
    for marker, (state, reason) in table.items():
        found = ways(shown, marker)
        assert (found[0], found[1]) == (state, "none")
        assert reason in found[2]


def test_a_statement_may_carry_any_time_stamp(shown: Run) -> None:
    shown.marker().write_text(statement(shown))
    for moment in (0, time.time() + 3600):
        os.utime(shown.marker(), (moment, moment))
        assert shown.judge().state == "open"


def test_under_the_policy_marker_any_content_counts_by_its_time(shown: Run) -> None:
    shown.marker().write_text("looks fine to me")
    assert (shown.judge(policy="marker").state, shown.judge(policy="marker").trust) == ("open", "unsigned")
    assert shown.judge(policy="digest").state == "stale"
    os.utime(shown.marker(), (0, 0))
    assert shown.judge(policy="marker").state == "stale"


def test_a_phase_without_gate_is_open_as_long_as_nothing_is_wrong(shown: Run) -> None:
    assert (shown.judge(gate="none").state, shown.judge(gate="none").trust) == ("open", "none")
    shown.validate(("plan.md",), checks=(check("bad", "false"),))
    shown.show("writer")
    assert shown.judge(gate="none").state == "blocked"


BLOCKING: dict[str, tuple[str, Callable[[Any], Any], str]] = {
    "failed": ("agents/writer/outcome.json", lambda value: value.update(status="failed"), "agent writer: failed"),
    "timed out": ("agents/writer/outcome.json", lambda value: value.update(status="timed_out"), "agent writer: timed out"),
    "no change": ("agents/writer/outcome.json", lambda value: value.update(status="no_changes"), "agent writer: no changes"),
    "skipped": ("agents/writer/outcome.json", lambda value: value.update(status="skipped"), "agent writer: skipped"),
    "conflict": (
        "merge.json", lambda value: value["conflicts"].append({"between": ["a", "b"], "files": ["f", "g"]}), "between a and b in f, g"),
    "missing": ("validation.json", lambda value: value["artifacts"][0]["found"].clear(), "required artifact is missing: plan.md"),
    "check failed": ("validation.json", lambda value: value["checks"][0].update(status="fail"), "check good failed"),
    "check unknown": ("validation.json", lambda value: value["checks"][0].update(status="unknown"), "unknown is not a pass"),
    "check odd": ("validation.json", lambda value: value["checks"][0].update(status="perhaps"), "check good perhaps"),
}  # fmt: skip


def test_whatever_is_wrong_with_what_was_shown_blocks_also_a_touched_marker(shown: Run) -> None:
    shown.validate(("plan.md",), ("risks.md",), checks=(check("good", "true"),))
    for kind, (name, change, reason) in BLOCKING.items():
        before = (shown.folder / "plan" / name).read_bytes()
        shown.rewrite(f"plan/{name}", change)
        shown.show("writer")
        (shown.folder / "plan" / name).write_bytes(before)
        time.sleep(0.01)
        for content in ("", digest(shown), statement(shown)):
            shown.marker().write_text(content)
            found = shown.judge()
            assert (found.state, kind) == ("blocked", kind)
            assert reason in found.reasons[0]
    shown.show("writer")
    shown.marker().write_text("")
    os.utime(shown.marker(), (time.time() + 1,) * 2)
    assert shown.judge().state == "open"  # a missing optional file does not block


def test_a_waiver_opens_only_with_a_reason_for_everything_that_is_wrong(shown: Run) -> None:
    shown.validate(("plan.md", "none.md"), checks=(check("bad", "false"),))
    shown.show("writer")
    reasons = {"artifact:none.md": "not needed", "check:bad": "known"}

    def waived(given: dict[str, str], named: str | None = None) -> verdict.Verdict:
        approval = approvals.Approval(named or digest(shown), "me", "", "", "demo/plan", tuple(given.items()))
        shown.marker().write_bytes(approvals.statement("demo", "plan", approval))
        return shown.judge()

    assert waived(reasons).state == "open"
    assert set(waived(reasons).waived) == set(reasons.items())
    assert waived({"check:bad": "known"}).state == "blocked"
    assert waived(reasons | {"check:bad": "  "}).state == "blocked"
    assert waived(reasons, "0" * 64).state == "blocked"
    assert shown.judge(policy="marker").state == "blocked"


def test_feedback_keeps_the_gate_closed_until_it_is_answered(shown: Run) -> None:
    shown.marker().write_text(statement(shown))
    (shown.folder / "plan" / feedback.MARKER).write_text("- say why\n")
    assert shown.judge().state == "changes_requested"
    (shown.folder / "plan" / feedback.MARKER).unlink()
    assert shown.judge().state == "open"


def test_a_tampered_manifest_or_digest_blocks(shown: Run) -> None:
    shown.marker().write_text(statement(shown))
    assert shown.judge().is_open
    whole = (shown.folder / "plan/manifest.json").read_bytes()
    for change in (
        lambda value: value["subject"]["files"][0].update(sha256="0" * 64),
        lambda value: value["subject"]["agents"].clear(),
        lambda value: value["subject"].update(more="x"),
    ):
        shown.rewrite("plan/manifest.json", change)
        assert shown.judge().state == "blocked"
        assert "is not what" in shown.judge().reasons[0]
        (shown.folder / "plan/manifest.json").write_bytes(whole)
    for text in ("0" * 64, "", "é", digest(shown).upper()):
        before = (shown.folder / "plan/digest").read_bytes()
        (shown.folder / "plan/digest").write_text(text)
        assert shown.judge().state == "blocked"
        (shown.folder / "plan/digest").write_bytes(before)
    assert shown.judge().is_open


def test_what_was_approved_elsewhere_is_not_approved_here(shown: Run) -> None:
    """The files of an approved phase or run, copied to another name, open nothing."""
    shown.marker().write_text(statement(shown))
    shutil.copytree(shown.folder / "plan", shown.folder / "other")
    shutil.copytree(shown.folder, shown.folder.parent / "copy")
    assert shown.judge("other").state == "blocked"
    assert verdict.judge(shown.folder.parent / "copy", "plan", "required", "digest").state == "blocked"


def test_unreadable_files_never_raise_and_never_open(shown: Run) -> None:
    shown.marker().touch()
    assert shown.judge().is_open
    for name in ("plan/manifest.json", "plan/digest", "history/gates/plan.json"):
        path = shown.folder / name
        whole = path.read_bytes()
        for content in (b"", b"{", b"[]", b"null", b"3", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"subject": 3}', b'{"shown": 3}'):
            path.write_bytes(content)
            assert not shown.judge().is_open, (name, content[:20])
        path.unlink()
        assert not shown.judge().is_open, name
        path.mkdir()
        assert not shown.judge().is_open, name
        path.rmdir()
        path.write_bytes(whole)
    assert shown.judge().is_open
    assert verdict.judge(shown.folder, "no-such-phase", "none", "digest").state == "blocked"


def test_content_that_changed_closes_the_gate_and_the_old_content_opens_it_again(shown: Run) -> None:
    shown.marker().write_text(statement(shown))
    first = digest(shown)
    shown.shown("another plan")
    assert (shown.judge().state, shown.judge().digest != first) == ("stale", True)
    shown.shown()
    assert shown.judge().is_open


def test_history_says_what_was_shown_when(shown: Run) -> None:
    record = files.read_json(history.path(shown.folder, "plan"))
    assert [entry["digest"] for entry in record["shown"]] == [digest(shown)]
    assert shown.judge().since == record["shown"][0]["at"]
