"""When a bare marker counts: newer than what is shown, in this folder, and recorded once it has opened."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from runs import Run

from workflow import files
from workflow.gate import history, verdict


@pytest.fixture
def shown(run: Run) -> Run:
    """A phase that is ready for review."""
    run.shown()
    return run


def touch(run: Run) -> None:
    time.sleep(0.02)  # a kernel's file times are as coarse as a tick
    run.marker().touch()


def record(run: Run) -> dict:
    return files.read_json(history.path(run.folder, "plan"))


def noted(run: Run) -> verdict.Verdict:
    """The verdict, with what the writer of a folder does after it."""
    found = run.judge()
    if found.by_bare_marker and found.digest:
        history.record_opening(run.folder, "plan", found.digest, run.marker())
    return found


def test_showing_the_same_content_again_is_one_entry_and_keeps_the_gate_open(shown: Run) -> None:
    touch(shown)
    assert noted(shown).is_open
    before = record(shown)
    time.sleep(0.02)
    shown.show("writer")  # a replay rewrites REQUEST.md and digest
    assert record(shown) == before
    assert shown.judge().is_open


def test_one_two_one_are_three_entries_and_an_old_marker_opens_none_of_them(shown: Run) -> None:
    touch(shown)
    first = record(shown)["shown"][0]["digest"]
    shown.shown("another plan")
    assert shown.judge().state == "stale"
    shown.shown()
    assert [entry["digest"] == first for entry in record(shown)["shown"]] == [True, False, True]
    assert shown.judge().state == "stale"  # nobody had seen it open the first time
    touch(shown)
    assert shown.judge().is_open


def test_a_marker_that_has_opened_is_recorded_with_what_it_opened(shown: Run) -> None:
    touch(shown)
    assert noted(shown).is_open
    shown.shown("another plan")
    assert shown.judge().state == "stale"
    shown.shown()
    assert shown.judge().is_open
    shown.shown("another plan")
    touch(shown)
    assert noted(shown).is_open
    shown.shown()
    assert shown.judge().state == "stale"


def copied(run: Run, to: Path, preserving: bool) -> Run:
    """A copy of the working directory's run, as `cp -r` (new times) or `cp -a` (the same times) makes it."""
    shutil.copytree(run.folder, to / "runs/demo", copy_function=shutil.copy2 if preserving else shutil.copy, symlinks=True)
    if not preserving:
        for path in (to / "runs/demo").rglob("*"):
            os.utime(path, follow_symlinks=False)
    return Run(to / "runs/demo")


@pytest.mark.parametrize("preserving", [True, False], ids=["cp -a", "cp -r"])
def test_a_copy_of_the_folder_opens_and_closes_nothing(shown: Run, tmp_path: Path, preserving: bool) -> None:
    assert copied(shown, tmp_path / "waiting", preserving).judge().state == "waiting"
    touch(shown)
    unseen = copied(shown, tmp_path / "unseen", preserving)
    assert unseen.judge().state == "stale"  # touched, but never judged in the folder that it was made in
    assert noted(shown).is_open
    opened = copied(shown, tmp_path / "opened", preserving)
    shown.shown("another plan")
    stale = copied(shown, tmp_path / "stale", preserving)
    for run, state in ((opened, "open"), (stale, "stale"), (unseen, "stale")):
        assert run.judge().state == state
        history.settle_place(run.folder, ["plan"])
        history.settle_place(run.folder, ["plan"])
        assert run.judge().state == state
        time.sleep(0.02)
        run.marker().touch()
        assert run.judge().is_open


def test_a_copy_whose_marker_was_deleted_waits_for_a_new_one(shown: Run, tmp_path: Path) -> None:
    touch(shown)
    noted(shown)
    copy = copied(shown, tmp_path / "copy", True)
    copy.marker().unlink()
    assert copy.judge().state == "waiting"
    history.settle_place(copy.folder, ["plan"])
    touch(copy)
    assert copy.judge().is_open


def test_in_its_own_place_settling_writes_nothing(shown: Run) -> None:
    touch(shown)
    noted(shown)
    before = history.path(shown.folder, "plan").stat().st_mtime_ns
    history.settle_place(shown.folder, ["plan", "never-reached"])
    assert history.path(shown.folder, "plan").stat().st_mtime_ns == before
    assert not history.path(shown.folder, "never-reached").exists()
