"""Many starts at once in one folder: one works, the others are told which."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import fit, starts


@pytest.mark.parametrize("count", [6, pytest.param(50, marks=pytest.mark.long)])
def test_one_of_many_simultaneous_starts_works_and_the_others_name_it(tmp_path: Path, count: int) -> None:
    fit.require_linux()
    found = starts.rush(tmp_path, count)
    assert found.good, found
