"""Notebook outputs: a notebook that keeps them, or that cannot be read, is found."""

from __future__ import annotations

import json
from typing import Any

import pytest
from runs import Run


def notebook(*outputs: list[dict[str, Any]], minor: int = 4) -> str:
    cells = [{"cell_type": "code", "source": "1", "metadata": {}, "execution_count": None, "outputs": out} for out in outputs]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor}, indent=1)


PRINTED: list[dict[str, Any]] = [{"output_type": "stream", "name": "stdout", "text": "1"}]


def found(record: dict[str, Any]) -> list[tuple[str, int | None, str, int]]:
    rows = [row for row in record["findings"] if row["component"] == "notebook_outputs"]
    return [(row["path"], row["line"], row["reason"], row["points"]) for row in rows]


def test_notebook_that_keeps_outputs_is_found_with_the_line_of_the_first(run: Run) -> None:
    text = notebook([], PRINTED, PRINTED)
    record = run.scored({"a.ipynb": text, "clean.ipynb": notebook([], [])})
    line = text.split('"outputs": [\n')[0].count("\n") + 1
    assert found(record) == [("a.ipynb", line, "keeps the outputs of 2 of 3 code cells", 5)]
    assert text.splitlines()[line - 1].strip() == '"outputs": ['
    row = record["components"]["notebook_outputs"]
    assert (row["status"], row["points"], row["scanner"]["name"]) == ("measured", 10, "nbformat")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "cannot be read as a notebook (NotJSONError)"),
        ("{", "cannot be read as a notebook (NotJSONError)"),
        (b"\xff\xfe{}", "cannot be read as a notebook (UnicodeDecodeError)"),
        ("[" * 200_000, "is nested too deeply to be read as a notebook"),
        (
            notebook([{"output_type": "odd"}]),
            "cannot be read as a notebook (NotebookValidationError)",
        ),
    ],
    ids=["empty", "broken", "binary", "deep", "invalid"],
)
def test_notebook_that_cannot_be_read_is_a_finding_and_hides_nothing(run: Run, content: str | bytes, reason: str) -> None:
    record = run.scored({"bad.ipynb": content, "good.ipynb": notebook(PRINTED)})
    assert [(row[0], row[2]) for row in found(record)] == [("bad.ipynb", reason), ("good.ipynb", "keeps the outputs of 1 of 1 code cells")]


def test_tree_without_notebooks_is_not_applicable_and_keeps_the_points(run: Run) -> None:
    row = run.scored({"a.py": "x"})["components"]["notebook_outputs"]
    assert (row["status"], row["reason"], row["points"]) == ("not applicable", "no notebooks", 15)
