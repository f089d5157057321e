"""Folders, programs and clocks that are not as they should be."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import fit, places
from faults.places import Trouble

SHORT = {"read-only runs folder", "git too old", "moved folder"}


@pytest.mark.parametrize(
    "trouble",
    [pytest.param(one, id=one.name, marks=() if one.name in SHORT else pytest.mark.long) for one in places.TROUBLES],
)
def test_a_trouble_is_told_in_a_clear_line_and_the_same_command_completes_afterwards(tmp_path: Path, trouble: Trouble) -> None:
    fit.require_linux()
    try:
        found = places.overcome(tmp_path, trouble)
    except places.Unfit as reason:
        fit.unfit(str(reason))
    assert found.good, (
        f"{found.name}: {found.code}, {found.lines}, completed {found.completed}, paid twice {found.paid_twice}\n{found.said}"
    )
