"""The journal: one folder per attempt, found again by what it was about."""

from __future__ import annotations

from pathlib import Path

from workflow import files
from workflow.work import journal


def test_attempts_are_numbered_folders_in_their_order(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        made = journal.begin(tmp_path, {"key": f"k{number}"})
        assert (made.number, made.folder.name) == (number, f"{number:03d}")
    (tmp_path / "attempts/notes").mkdir()
    (tmp_path / "attempts/.tmp-1").write_text("")
    assert [attempt.begin["key"] for attempt in journal.attempts(tmp_path)] == ["k1", "k2", "k3"]
    assert journal.attempts(tmp_path / "nothing") == []


def test_attempts_go_on_after_the_thousandth(tmp_path: Path) -> None:
    for name in ("998", "999", "1000"):
        (tmp_path / "attempts" / name).mkdir(parents=True)
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


def test_a_record_that_was_cut_off_counts_as_not_there(tmp_path: Path) -> None:
    made = journal.begin(tmp_path, {"key": "k"})
    (made.folder / "exit.json").write_text('{"exit_code": ')
    assert made.exit is None
    assert journal.finished(tmp_path, "k") is None
    journal.settled(made, {"status": "succeeded"})
    assert files.read_json(made.folder / "result.json") == made.result == {"status": "succeeded"}
