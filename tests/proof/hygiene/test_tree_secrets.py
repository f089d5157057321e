"""Secrets of the merged tree: found wherever they came from, named by place and kind, never shown."""

from __future__ import annotations

import pytest
from planted import TOKENS
from runs import Run

TOKEN = TOKENS["GitHub Token"]


def test_secret_from_before_the_phase_counts_and_is_not_shown(run: Run) -> None:
    record = run.scored({"src/old.py": f"# one\nkey = '{TOKEN}'\n"}, "echo new > new.txt")
    rows = [row for row in record["findings"] if row["component"] == "secrets"]
    assert rows == [{"component": "secrets", "path": "src/old.py", "line": 2, "reason": "holds a secret: GitHub Token", "points": 10}]
    assert record["components"]["secrets"]["points"] == 0
    assert TOKEN not in (run.folder / "plan/hygiene.json").read_text()


def test_what_the_configuration_allows_does_not_count_and_is_told(run: Run) -> None:
    row = run.scored({"tests/key.py": f"key = '{TOKEN}'\n"}, allow=("tests/**",))["components"]["secrets"]
    assert (row["points"], row["found"], row["reason"]) == (10, 0, "1 allowed by the configuration")


def test_value_of_a_declared_variable_is_found_and_shown_nowhere(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "correct_horse_battery")
    code = "def correct_horse_battery():\n    return 1\n"
    record = run.scored({"correct_horse_battery.py": code, "readme.txt": "x"}, declared=("MY_KEY",))
    kinds = {(row["component"], row["path"], row["line"]) for row in record["findings"]}
    assert {("secrets", "[redacted: value of MY_KEY].py", 1), ("secrets", "[redacted: value of MY_KEY].py", None)} <= kinds
    assert "dead_code" in {component for component, _, _ in kinds}
    assert "correct_horse" not in (run.folder / "plan/hygiene.json").read_text()


def test_token_in_a_name_of_python_code_is_not_shown(run: Run) -> None:
    run.scored({"app.py": f"def {TOKEN}():\n    return 1\n"})
    assert TOKEN not in (run.folder / "plan/hygiene.json").read_text()
