"""Ctrl-C and hang-up: back at the prompt soon, nothing left, one clear line, and the same command goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import fit, terminal
from workflow.work import sandbox


def check(found: terminal.Stopped) -> None:
    assert found.left == ()
    assert found.seconds <= terminal.STILL.grace_s + terminal.MARGIN_S
    assert found.resumed, found.said
    assert found.clear, found.said


@pytest.mark.parametrize("way", [pytest.param("Ctrl-C"), pytest.param("Ctrl-C twice", marks=pytest.mark.long), pytest.param("hang-up")])
def test_agents_that_ignore_every_signal_end_with_the_call(tmp_path: Path, way: str) -> None:
    fit.require_linux()
    check(terminal.stop(tmp_path, way))


@pytest.mark.long
@pytest.mark.parametrize("way", terminal.WAYS)
def test_agents_in_a_sandbox_that_ignore_every_signal_end_with_the_call(tmp_path: Path, way: str) -> None:
    fit.require_linux()
    if not sandbox.works():
        fit.unfit("bubblewrap does not work here")
    check(terminal.stop(tmp_path, way, "require"))
