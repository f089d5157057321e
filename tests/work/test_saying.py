"""What jobs say arrives whole, or says that it was cut."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflow.work.saying import CUT, LONGEST, say, send


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind("voice")
        made.setblocking(False)
        yield made


def heard(listener: socket.socket) -> str:
    """All that has arrived, in pieces that the screen takes."""
    text = b""
    while True:
        try:
            text += listener.recv(LONGEST)
        except BlockingIOError:
            return text.decode()


def test_short_text_arrives_in_one_piece(listener: socket.socket) -> None:
    assert send("one\ntwo", "voice")
    assert listener.recv(LONGEST) == b"one\ntwo\n"


def test_empty_text_is_a_message_too(listener: socket.socket) -> None:
    assert send("", "voice")
    assert listener.recv(LONGEST) == b""


def test_long_text_arrives_whole(listener: socket.socket) -> None:
    lines = [f"{number} " + "ü" * 1500 for number in range(9)]
    assert send("\n".join(lines), "voice")
    assert heard(listener).splitlines() == lines


@pytest.mark.parametrize(("length", "cut"), [(LONGEST - 1, False), (LONGEST, True), (3 * LONGEST, True)])
def test_line_that_is_too_long_says_that_it_is_cut(listener: socket.socket, length: int, cut: bool) -> None:
    assert send("x" * length + "\nnext", "voice")
    first, following = heard(listener).splitlines()
    assert first.endswith(CUT.decode()) == cut
    assert len(first) == min(length, LONGEST - 1)
    assert following == "next"


def test_cut_leaves_characters_whole(listener: socket.socket) -> None:
    assert send("x" + "ü" * LONGEST, "voice")
    assert set(heard(listener).removesuffix("\n").removesuffix(CUT.decode())) == {"x", "ü"}


def test_where_nobody_listens_it_goes_to_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PHASEGATE_VOICE", "voice")
    say("a line")
    assert capsys.readouterr().out.endswith(" a line\n")
