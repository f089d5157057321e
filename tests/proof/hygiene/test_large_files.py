"""Large files: the size that the configuration names, and what ten and a hundred times of it cost."""

from __future__ import annotations

import pytest
from runs import Run


@pytest.mark.parametrize(("size", "points"), [(99, 25), (100, 20), (999, 20), (1000, 15), (9999, 15), (10_000, 0)])
def test_larger_files_cost_more(run: Run, size: int, points: int) -> None:
    record = run.scored({"data.bin": b"x" * size}, hygiene={"large_file_bytes": 100})
    assert record["components"]["large_files"]["points"] == points
    rows = [(row["path"], row["reason"]) for row in record["findings"] if row["component"] == "large_files"]
    assert rows == ([("data.bin", f"has {size} bytes; large is from 100 on")] if size >= 100 else [])


def test_all_of_the_merged_tree_counts_and_not_only_what_changed(run: Run) -> None:
    record = run.scored({"old.bin": b"x" * 200}, "echo new > new.txt", hygiene={"large_file_bytes": 100})
    assert record["components"]["large_files"]["found"] == 1
