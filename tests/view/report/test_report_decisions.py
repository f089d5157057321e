"""What people decided: who, how far that can be believed, and whether it verifies."""

from __future__ import annotations

from typing import Any

import pytest
from pages import plan_of, subject_of
from runs import check

from workflow import files
from workflow.gate.decisions import approve
from workflow.view.report import decisions

PLAN = plan_of({"plan": {"writer": ()}})


def row_of(run: Any) -> dict[str, Any]:
    """The row of the only phase."""
    subject = subject_of(run.folder, PLAN)
    (row,) = decisions.rows(subject.record, subject.verified)
    return row


def test_nobody_has_approved(run: Any) -> None:
    assert decisions.rows(subject_of(run.folder, PLAN).record, {}) == []
    run.shown()
    row = row_of(run)
    assert (row["state"], row["trust"], row["by"], row["at"], row["note"], row["verified"]) == ("waiting", "none", "", "", "", True)


def test_a_touched_marker_and_a_recorded_approval_differ_in_trust(run: Any) -> None:
    run.shown()
    run.marker().touch()
    row = row_of(run)
    assert (row["trust"], row["by"]) == ("unsigned", "")
    approve(run.folder, "plan", [], "Ada", "well done", "")
    row = row_of(run)
    assert (row["trust"], row["by"], row["note"]) == ("recorded", "Ada", "well done")
    assert row["trust_words"] == decisions.TRUST["recorded"]
    assert row["at"]


def test_waivers_are_told(run: Any) -> None:
    run.agent("writer", "echo x > plan.md")
    run.merge("writer")
    run.validate(checks=(check("tests", "false"),))
    run.show("writer")
    approve(run.folder, "plan", [], "Ada", "", "check:tests=ticket 12")
    row = row_of(run)
    assert row["state"] == "open"
    assert row["waived"] == (("check:tests", "ticket 12"),)


@pytest.mark.parametrize("name", ["plan/manifest.json", "plan/REQUEST.md", "bundles/plan.zip"])
def test_what_was_changed_afterwards_does_not_verify(run: Any, name: str) -> None:
    run.shown()
    approve(run.folder, "plan", [], "Ada", "", "")
    if name.endswith("manifest.json"):
        run.rewrite(name, lambda manifest: manifest["subject"].update(tree="0" * 40))
    else:
        (run.folder / name).write_bytes(b"changed")
    row = row_of(run)
    assert row["verified"] is False
    assert row["problems"]


def test_a_note_for_other_content_is_not_shown(run: Any) -> None:
    run.shown("one")
    approve(run.folder, "plan", [], "Ada", "well done", "")
    run.shown("two")
    row = row_of(run)
    assert row["state"] == "stale"
    assert row["note"] == ""


def test_a_rollback_without_its_archive_says_what_it_can(run: Any) -> None:
    files.write_text(run.folder / "ROLLBACK_20260101T000000000Z.md", "# gone\n")
    (row,) = decisions.rollbacks(run.folder)
    assert (row["name"], row["at"], row["to"], row["phases"], row["paths"]) == ("ROLLBACK_20260101T000000000Z.md", None, None, None, 0)
    assert not row["restored"]
