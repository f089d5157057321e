"""The screen, without Snakemake: it listens, shows what is said, and leaves nothing behind, whatever happens in between."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from pages import plan_of
from rich.live import Live

from workflow.view import screen as screens
from workflow.view.screen import SOCKET, Screen
from workflow.work.saying import ADDRESS, send

LONG_S = 120.0
PLAN = plan_of({"plan": {"writer": ()}})


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Screen]:
    """One that is not shown yet, in a working directory with a path that is too long for the address of a socket."""
    folder = tmp_path / ("long-name-" * 12)
    (folder / "runs").mkdir(parents=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv(ADDRESS, "")
    monkeypatch.setattr(screens, "PATIENCE_S", LONG_S)
    made = Screen(None, None)  # type: ignore[arg-type]
    yield made
    made.hide()


def show(screen: Screen) -> Path:
    """Begin; the socket's file."""
    assert screen.show(Path("runs/demo"), PLAN, 3)
    assert SOCKET.is_socket()
    return SOCKET.absolute()


def gone(screen: Screen, voice: Path) -> bool:
    """Whether nothing is left."""
    assert screen.drawing is not None
    return not screen.drawing.is_alive() and not voice.exists()


def test_end_from_another_folder_is_quick_and_leaves_nothing(screen: Screen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    voice = show(screen)
    monkeypatch.chdir(tmp_path)
    began = time.monotonic()
    screen.hide()
    assert time.monotonic() - began < LONG_S / 2, "nobody had to wait for anything"
    assert gone(screen, voice)


def test_end_does_not_depend_on_the_socket(screen: Screen) -> None:
    voice = show(screen)
    voice.unlink()
    began = time.monotonic()
    screen.hide()
    assert time.monotonic() - began < LONG_S / 2, "nobody had to wait for anything"
    assert gone(screen, voice)


def test_lines_from_this_process_and_from_jobs_are_shown_in_their_order(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    show(screen)
    screen.say("one\ntwo")
    assert send("three", os.environ[ADDRESS])
    screen.hide()
    screen.say("four")
    assert [line for line in capsys.readouterr().err.splitlines() if line.strip()][-4:] == ["one", "two", "three", "four"]


def test_error_while_drawing_ends_nothing(screen: Screen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(_: Live) -> None:
        raise ValueError("no")

    monkeypatch.setattr(Live, "refresh", fail)
    monkeypatch.setattr(Live, "stop", fail)
    voice = show(screen)
    time.sleep(0.7)  # longer than its pause
    screen.say("still here")
    screen.hide()
    assert gone(screen, voice)
    assert "still here" in capsys.readouterr().err


def test_error_while_a_line_is_shown_does_not_cost_the_next_one(
    screen: Screen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    voice = show(screen)
    assert screen.live is not None
    console = screen.live.console

    def show_line(text: object, show: object = console.print) -> None:
        if "bad" in str(text):
            raise UnicodeEncodeError("ascii", "bad", 0, 1, "no")
        show(text)  # type: ignore[operator]

    monkeypatch.setattr(console, "print", show_line)
    screen.say("bad")
    screen.say("good")
    screen.hide()
    assert gone(screen, voice)
    assert "good" in capsys.readouterr().err


def test_where_nobody_can_listen_nothing_is_drawn(screen: Screen) -> None:
    SOCKET.mkdir()
    assert not screen.show(Path("runs/demo"), PLAN, 3)
    assert not os.environ[ADDRESS]
