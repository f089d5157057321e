"""The change of a phase in colours: every line at its number, nothing faked, nothing cut in silence."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from runs import tree_of

from workflow.view.report import differences
from workflow.view.report.differences import Difference
from workflow.view.report.room import Room
from workflow.view.report.texts import Guard
from workflow.work.redaction import Values


def between(run: Any, old: dict[str, Any], new: dict[str, Any], space: int = 10**7) -> Difference:
    """The difference between two trees."""
    room = Room(space, 1)
    room.next_phase()
    commits = [tree_of(run.repo, content).commit for content in (old, new)]
    return differences.between(run.repo, *commits, Guard(Values({"KEY": "secret-word"})), room)


def lines_of(html: str) -> list[tuple[str, str, str]]:
    """(class, number, text) of each line."""
    found = re.findall(r'<span class="(\w+)"(?: data-n="(\d+)")?>(.*?)</span>', html)
    return [(kind, number, unescape(re.sub(r"<[^>]*>", "", text))) for kind, number, text in found]


def test_lines_have_their_sign_number_and_colour(run: Any) -> None:
    made = between(run, {"a.py": "x = 1\ny = 2\nz = 3\ngone = 4\n"}, {"a.py": "x = 1\ny = '<b>'\nmore = 0\nz = 3\n"})
    (item,) = made.files
    assert (item.added, item.deleted, made.added, made.deleted, made.in_all, made.not_shown) == (2, 2, 2, 2, 1, 0)
    assert lines_of(item.body)[1:] == [
        ("same", "1", " x = 1"),
        ("minus", "2", "-y = 2"),
        ("plus", "2", "+y = '<b>'"),
        ("plus", "3", "+more = 0"),
        ("same", "4", " z = 3"),
        ("minus", "4", "-gone = 4"),
    ]
    assert '<i class="s">' in item.body
    assert "<b>" not in item.body


def test_new_deleted_and_binary_files(run: Any) -> None:
    made = between(run, {"gone.txt": "x\n", "b.bin": b"\0\1"}, {"new.txt": "y", "b.bin": b"\0\2"})
    words = {item.path: (item.word, item.added) for item in made.files}
    assert words == {"b.bin": ("", None), "gone.txt": ("deleted", 0), "new.txt": ("new", 1)}
    assert made.not_shown == 1
    assert "No newline at end of file" in next(item for item in made.files if item.path == "new.txt").body


def test_content_cannot_pose_as_another_file_or_hunk(run: Any) -> None:
    trick = "a\rdiff --git a/fake b/fake\r--- a/fake\r+++ b/fake\r@@ -1 +1 @@\n\u2028diff --git a/x b/x\n@@ -5 +5 @@\n"
    made = between(run, {"a.txt": "a\n"}, {"a.txt": trick})
    assert [item.path for item in made.files] == ["a.txt"]
    kinds = [kind for kind, _, _ in lines_of(made.files[0].body)]
    assert kinds == ["hunk", "minus", "plus", "plus", "plus"]


def test_secrets_are_replaced(run: Any) -> None:
    made = between(run, {}, {"a.txt": "secret-word\n"})
    assert "secret-word" not in made.files[0].body


def test_what_is_left_out_is_counted(run: Any) -> None:
    many = between(run, {}, {f"f{number:03d}.txt": "x\n" for number in range(differences.MOST_ROWS + 30)})
    assert many.in_all == differences.MOST_ROWS + 30
    assert len(many.files) == differences.MOST_ROWS
    long = between(run, {}, {"long.txt": "x\n" * (differences.FILE_LINES + 50)})
    assert long.files[0].left_out == 51
    tight = between(run, {}, {"a.txt": "x\n", "b.txt": "y\n" * 500}, space=500)
    assert [bool(item.body) for item in tight.files] == [True, False]
    assert tight.not_shown == 1
    huge = between(run, {}, {"a.txt": "a\n", "z.txt": "word\n" * 200_000})
    assert [bool(item.body) for item in huge.files] == [True, False]


def test_largest_changes_come_first(run: Any) -> None:
    made = between(run, {"c.txt": "x\n" * 9}, {"a.txt": "x\n", "b.txt": "x\n" * 5, "d.bin": b"\0" * 99})
    assert [item.path for item in differences.largest(made, 2)] == ["c.txt", "b.txt"]


def test_a_repository_that_cannot_be_read_is_said(run: Any) -> None:
    room = Room(1000, 1)
    made = differences.between(run.repo, "0" * 40, "1" * 40, Guard(Values({})), room)
    assert made.problem.startswith("the change cannot be read")
