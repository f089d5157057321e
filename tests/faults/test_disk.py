"""A disk that becomes full: told in one clear line, overcome by the same command once there is space."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import disk, fit


@pytest.mark.parametrize(("points", "seed"), [(2, 2), pytest.param(10, 1, marks=pytest.mark.long)])
def test_a_full_disk_is_told_and_overcome(tmp_path: Path, points: int, seed: int) -> None:
    fit.require_linux()
    if disk.namespace() is None:
        fit.unfit("a small disk cannot be mounted here: neither root nor user namespaces")
    found = disk.campaign(tmp_path, points, seed)
    assert [(one.delay_s, one.code, one.lines, one.resumed, one.said) for one in found if not one.good] == []
    assert len(found) == points
