"""An agent that prints without end takes little space and little memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from faults import fit, output


@pytest.mark.parametrize(
    ("size", "program"),
    [(100_000_000, output.BULK), (1_000_000, output.DRIP), pytest.param(1 << 30, output.BULK, marks=pytest.mark.long)],
    ids=["bulk", "byte by byte", "1 GB"],
)
def test_an_agent_that_prints_much_costs_little(tmp_path: Path, size: int, program: str) -> None:
    fit.require_linux()
    found = output.flood(tmp_path, size, program)
    assert found.good, found
