"""The journal: one folder per attempt, found again by what it was about."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from workflow import files
from workflow.errors import RunError
from workflow.work import journal


def test_attempts_are_numbered_folders_in_their_order(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        made = journal.begin(tmp_path, {"key": f"k{number}"})
        assert (made.number, made.folder.name) == (number, f"{number:03d}")
    (tmp_path / "attempts/notes").mkdir()
    (tmp_path / "attempts/.tmp-1").write_text("")
    assert [attempt.begin["key"] for attempt in journal.attempts(tmp_path)] == ["k1", "k2", "k3"]
    assert journal.attempts(tmp_path / "nothing") == []


def test_a_folder_in_which_an_attempt_gets_ready_is_none_before_it_begins(tmp_path: Path) -> None:
    journal.begin(tmp_path, {"key": "k"})
    upcoming = journal.upcoming(tmp_path)
    files.write_text(upcoming.folder / "prompt.md", "Do it.")
    assert [attempt.number for attempt in journal.attempts(tmp_path)] == [1]
    assert journal.begin(tmp_path, {"key": "k"}) == upcoming
    assert [attempt.number for attempt in journal.attempts(tmp_path)] == [1, 2]


def test_attempts_go_on_after_the_thousandth(tmp_path: Path) -> None:
    for name in ("998", "999", "1000"):
        files.write_json(tmp_path / "attempts" / name / "begin.json", {})
    assert [attempt.number for attempt in journal.attempts(tmp_path)] == [998, 999, 1000]
    assert journal.begin(tmp_path, {}).folder.name == "1001"


def test_only_an_attempt_that_ended_with_the_same_key_is_found_and_the_newest_first(tmp_path: Path) -> None:
    first, other, interrupted = (journal.begin(tmp_path, {"key": key, "invocation": ""}) for key in ("k", "other", "k"))
    journal.ended(first, {"exit_code": 0})
    journal.ended(other, {"exit_code": 0})
    assert journal.finished(tmp_path, "k") == first
    journal.ended(interrupted, {"exit_code": 1})
    assert journal.finished(tmp_path, "k") == interrupted
    assert journal.finished(tmp_path, "nothing") is None


def test_what_a_person_asked_for_and_was_interrupted_is_still_to_do(tmp_path: Path) -> None:
    journal.ended(journal.begin(tmp_path, {"key": "k", "invocation": ""}), {"exit_code": 1})
    asked = journal.begin(tmp_path, {"key": "k", "invocation": "two"})
    assert journal.finished(tmp_path, "k") is None
    journal.ended(asked, {"exit_code": 1})
    assert journal.finished(tmp_path, "k") == asked


def test_a_forced_attempt_is_found_only_by_the_call_that_made_it(tmp_path: Path) -> None:
    made = journal.begin(tmp_path, {"key": "k", "invocation": "one"})
    journal.ended(made, {"exit_code": 0})
    assert journal.finished(tmp_path, "k", "one") == journal.finished(tmp_path, "k") == made
    assert journal.finished(tmp_path, "k", "two") is None


def test_an_attempt_is_alive_until_its_keeper_has_ended_although_the_supervisor_was_killed(tmp_path: Path) -> None:
    attempt = journal.begin(tmp_path, {"key": "k"})
    journal.await_end(tmp_path)
    reading, writing = os.pipe()
    supervisor = os.fork()
    if supervisor == 0:
        with journal.alive(attempt):
            if os.fork() == 0:  # the keeper
                os.write(writing, b"begun")
                time.sleep(0.5)
                (attempt.folder / "kept").touch()
                os._exit(0)
            signal.pause()
    os.read(reading, 5)
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    journal.await_end(tmp_path)
    assert (attempt.folder / "kept").exists()
    for handle in (reading, writing):
        os.close(handle)


def test_an_attempt_that_does_not_end_is_an_error_that_says_how_to_find_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "PATIENCE_S", 0.1)
    attempt = journal.begin(tmp_path, {"key": "k"})
    with journal.alive(attempt), pytest.raises(RunError, match=r"attempts/001: is alive still; .*lsof .*begin.json"):
        journal.await_end(tmp_path)
    journal.settled(attempt, {"status": "succeeded"})
    with journal.alive(attempt):
        journal.await_end(tmp_path)  # what has its result is not waited for


def test_a_record_that_was_cut_off_counts_as_not_there(tmp_path: Path) -> None:
    made = journal.begin(tmp_path, {"key": "k"})
    (made.folder / "exit.json").write_text('{"exit_code": ')
    assert made.exit is None
    assert journal.finished(tmp_path, "k") is None
    journal.settled(made, {"status": "succeeded"})
    assert files.read_json(made.folder / "result.json") == made.result == {"status": "succeeded"}
