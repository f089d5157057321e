"""The tables of config/README.md#trust: each row names the tests that show it, and they are there."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT

from attacks.forgeries import FORGERIES

PAGE = (ROOT / "config/README.md").read_text()
SECTION = PAGE.split("\n## Trust\n", 1)[1].split("\n## ", 1)[0]
ROWS = [line for line in SECTION.splitlines() if line.startswith("|") and not set(line) <= set("|- ") and "its test" not in line]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip()[:50])
def test_each_row_names_tests_that_are_there(row: str) -> None:
    named = re.findall(r"\[`(\w+)(?:\[(\w+)\])?`\]\(\.\./(tests/[\w/]+\.py)\)", row)
    assert named, "this row names no test"
    for name, case, path in named:
        assert f"def {name}(" in (ROOT / path).read_text(), (name, path)
        assert not case or case in FORGERIES, case


def test_every_forgery_stands_in_a_row() -> None:
    assert [name for name in FORGERIES if f"[{name}]`" not in SECTION] == []
