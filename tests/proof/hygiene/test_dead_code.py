"""Dead code: vulture's findings, without what frameworks and other files use, and whatever the tree's own files say."""

from __future__ import annotations

from typing import Any

import pytest
from runs import Run

from workflow.proof.hygiene import scanners


def dead(record: dict[str, Any]) -> list[tuple[str, int | None, str, int]]:
    return [(row["path"], row["line"], row["reason"], row["points"]) for row in record["findings"] if row["component"] == "dead_code"]


CODE = """import os
import sys


class Used:
    def never(self):
        return sys.argv


def idle():
    return Used()
    print("never")
"""
FOUND = [
    ("app.py", 1, "unused import os", 1),
    ("app.py", 6, "unused method never", 2),
    ("app.py", 10, "unused function idle", 2),
    ("app.py", 12, "unreachable code after 'return'", 2),
]


def test_unused_and_unreachable_code_is_found_with_its_line(run: Run) -> None:
    record = run.scored({"app.py": CODE})
    assert dead(record) == FOUND
    row = record["components"]["dead_code"]
    assert (row["status"], row["points"], row["found"], row["scanner"]["name"]) == ("measured", 13, 4, "vulture")
    assert row["scanner"]["version"]


def test_what_another_file_uses_is_not_dead(run: Run) -> None:
    assert dead(run.scored({"app.py": "def idle():\n    return 1\n", "run.py": "from app import idle\nidle()\n"})) == []


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pyproject.toml", "[project.scripts]\napp = 'app:idle'\n"),
        ("Dockerfile", "CMD gunicorn app:idle\n"),
        ("templates/page.html", "{{ idle }}"),
    ],
)
def test_what_an_entry_point_or_a_template_names_is_not_dead(run: Run, path: str, text: str) -> None:
    code = {"app.py": "def idle():\n    return 1\n"}
    assert dead(run.scored(code | {path: text})) == []
    assert dead(run.scored(code | {path: text.replace("idle", "idler")})) != []


def test_text_for_people_makes_nothing_used(run: Run) -> None:
    assert dead(run.scored({"app.py": "def idle():\n    return 1\n", "README.md": "idle is great", "t.csv": "idle"})) != []


def test_what_a_framework_calls_is_not_dead(run: Run) -> None:
    code = """import flask, pytest
app = flask.Flask(__name__)
@app.route("/")
def home(): return ""
@pytest.fixture
def thing(): return 1
def pytest_configure(config): pass
"""
    assert dead(run.scored({"app.py": code, "tests/test_app.py": "def test_it(): pass\n"})) == []


def test_neither_configuration_nor_comments_of_the_tree_switch_it_off(run: Run) -> None:
    quiet = "\n".join(f"{line}  # noqa" if line.strip() else line for line in CODE.splitlines())
    config = "[tool.vulture]\nexclude = ['*.py']\nignore_names = ['*']\nmin_confidence = 100\n"
    record = run.scored(
        {"app.py": quiet, "pyproject.toml": config, "vulture/__init__.py": "", "sitecustomize.py": "import sys; sys.exit(0)"}
    )
    assert [row for row in dead(record) if row[0] == "app.py"] == FOUND


def test_tree_without_python_is_not_applicable_and_keeps_the_points(run: Run) -> None:
    row = run.scored({"main.go": "package main"})["components"]["dead_code"]
    assert (row["status"], row["reason"], row["points"]) == ("not applicable", "no Python files", 20)


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("def f(:\n", 1, "cannot be parsed as Python"),
        ("x = 1\n\0", None, "cannot be parsed as Python"),
        (b"\xff\xfe x", 1, "cannot be parsed as Python"),
        ("x = a" + ".b" * 100_000, None, "is nested too deeply to be searched for dead code"),
        ("x = " + "(" * 5000 + ")" * 5000, 1, "cannot be parsed as Python"),
        ("#" + "x" * (4 << 20), None, "is too large to be searched for dead code"),
    ],
    ids=["syntax", "nul", "binary", "deep", "brackets", "large"],
)  # fmt: skip
def test_file_that_cannot_be_read_is_a_finding_and_hides_nothing(run: Run, content: str | bytes, line: int | None, reason: str) -> None:
    found = dead(run.scored({"bad.py": content, "good.py": "import os\n"}))
    assert found == [("bad.py", line, reason, 2), ("good.py", 1, "unused import os", 1)]


def test_scanner_that_takes_too_long_is_stopped(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanners.run, "__defaults__", (0.01,))
    record = run.scored({"app.py": CODE})
    row = record["components"]["dead_code"]
    assert (row["status"], row["points"], row["reason"]) == ("unknown", None, "vulture was stopped after 0.01 s")
    assert (record["score"], record["grade"], record["unknown"]) == (None, "unknown", ["vulture"])


def test_scanner_that_takes_all_memory_is_stopped(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim/vulture.py").write_text("hog = bytearray(6 << 30)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shim"))
    row = run.scored({"app.py": CODE})["components"]["dead_code"]
    assert (row["status"], row["reason"]) == ("unknown", "vulture crashed (exit code 1): MemoryError")
