"""What lets texts onto the page: without secrets, without what acts, and cut with a word about it."""

from __future__ import annotations

import math
import os
from pathlib import Path

import pandas as pd
import pytest
from planted import TOKENS

from workflow.view.report.texts import MARGIN, Guard, is_unknown
from workflow.work.redaction import Values

TOKEN = TOKENS["GitHub Token"]


@pytest.fixture
def guard() -> Guard:
    """One that knows a declared secret."""
    return Guard(Values({"MY_KEY": "correct horse battery"}))


def test_declared_values_and_tokens_by_shape_are_replaced(guard: Guard) -> None:
    shown = guard.text(f"a correct horse battery b {TOKEN} c")
    assert "horse" not in shown
    assert TOKEN not in shown
    assert shown.startswith("a [redacted: value of MY_KEY] b [redacted: ")


def test_characters_that_act_or_turn_the_writing_are_made_visible(guard: Guard) -> None:
    assert guard.text("a\x1b[2Jb\u202ec\u2066d\x00") == "a\ufffd[2Jb\ufffdc\ufffdd\ufffd"
    assert guard.text("odd \udcff name") == "odd \\udcff name"


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, math.nan])
def test_nothing_reads_unknown_and_zero_does_not(guard: Guard, value: object) -> None:
    assert is_unknown(value)
    assert guard.shown(value) == "unknown"
    assert guard.shown(0) == 0
    assert guard.shown("") == ""


@pytest.mark.parametrize("place", range(-len(TOKEN), 2))
def test_a_secret_across_the_cut_of_a_beginning_does_not_show(guard: Guard, place: int) -> None:
    content = "x" * (100 + place) + " " + TOKEN + " end\n"
    cut = guard.head(content.encode(), 101)
    assert not any(TOKEN[start : start + 8] in cut.text for start in range(len(TOKEN) - 7))
    assert cut.left_out > 0


@pytest.mark.parametrize("place", range(0, 60, 7))
def test_a_secret_across_the_cut_of_an_end_does_not_show(guard: Guard, tmp_path: Path, place: int) -> None:
    log = tmp_path / "log"
    log.write_text("first\n" * MARGIN + f"word {TOKEN} " + "y" * (100 - place) + "\n")
    cut = guard.tail(log, 120)
    assert not any(TOKEN[start : start + 8] in cut.text for start in range(len(TOKEN) - 7))


@pytest.mark.parametrize("pad", [50, 150, 250])
def test_what_is_replaced_does_not_let_half_a_secret_in(guard: Guard, tmp_path: Path, pad: int) -> None:
    """A text that shrinks would otherwise reach to where it was cut before it was searched."""
    key, log = TOKENS["Private Key"], tmp_path / "log"
    body = key.splitlines()[1:-1]
    content = (f"{key}\n" * 200 + "z" * pad).encode()
    log.write_bytes(content)
    for text in (guard.tail(log, 4000).text, guard.head(content, 4000).text):
        assert not any(line[8:40] in text for line in body)


def test_the_end_of_a_log_is_whole_lines_without_colours(guard: Guard, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"one\r\ntwo 10%\rtwo 100%\n\x1b[31mthree\x1b[0m\n")
    assert guard.tail(log, 1000).text == "one\ntwo 10%\ntwo 100%\nthree"
    cut = guard.tail(log, 12)
    assert cut.text == "three"
    assert cut.left_out == log.stat().st_size - 5
    assert guard.tail(tmp_path / "none", 10).text == ""


def test_a_log_that_is_a_link_or_a_pipe_is_not_read(guard: Guard, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("not yours")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    assert guard.tail(tmp_path / "link", 10).text == ""
    assert guard.tail(tmp_path / "pipe", 10).text == ""


def test_the_beginning_of_a_file_says_how_much_is_left_out(guard: Guard) -> None:
    content = b"line\n" * 100
    cut = guard.head(content, 52)
    assert cut.text == "line\n" * 10
    assert cut.left_out == 450
    assert guard.head(content, 500).left_out == 0
    assert "\x1b" not in guard.head(b"\x1b[31mred", 50).text
    assert "[31m" in guard.head(b"\x1b[31mred", 50).text
