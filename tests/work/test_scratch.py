"""Scratch folders: gone when they were used, and swept when their maker was killed."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from conftest import ROOT, wait_for

from workflow.work import scratch


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place for temporary files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_a_scratch_folder_is_gone_afterwards_whatever_was_done_in_it(place: Path) -> None:
    with scratch.folder("test") as room:
        (room / "shut").mkdir()
        (room / "shut/file").write_text("x")
        (room / "shut").chmod(0)
    assert list(place.iterdir()) == []


def test_what_a_killed_process_leaves_is_swept_and_nothing_else(place: Path) -> None:
    code = f"import sys, time, tempfile; sys.path.insert(0, {str(ROOT)!r}); tempfile.tempdir = {str(place)!r}; "
    code += "from workflow.work import scratch\nwith scratch.folder('test'): time.sleep(60)"
    maker = subprocess.Popen([sys.executable, "-c", code])
    wait_for(lambda: len(list(place.glob("phasegate-test-*/room"))) == 1)
    (place / "phasegate-of-a-person").mkdir()
    (place / "other").mkdir()
    scratch.sweep()
    assert len(list(place.iterdir())) == 3
    maker.kill()
    maker.wait()
    scratch.sweep()
    assert sorted(path.name for path in place.iterdir()) == ["other", "phasegate-of-a-person"]
    assert list((place / "phasegate-of-a-person").iterdir()) == []


def test_one_for_the_whole_process_ends_with_it(place: Path) -> None:
    code = f"import sys, tempfile; sys.path.insert(0, {str(ROOT)!r}); tempfile.tempdir = {str(place)!r}; "
    code += "from workflow.work import scratch; room = scratch.until_the_end('test'); assert room.is_dir(); print(room)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.startswith(str(place / "phasegate-test-"))
    assert list(place.iterdir()) == []
