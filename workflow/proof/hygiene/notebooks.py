"""Notebook outputs: notebooks that were committed with the results of their last execution, or that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from workflow.proof.hygiene import conventions, scanners
from workflow.proof.hygiene.inventory import File
from workflow.proof.hygiene.scoring import MEASURED, NOTEBOOKS, NOTHING, Finding, Result, in_order

SCANNER = "nbformat"
COST = 5


def judge(repo: Path, files: Sequence[File]) -> Result:
    """The component `notebook_outputs` of a tree. Raises Unmeasured where nbformat is missing or failed."""
    wanted = [item for item in files if item.is_plain and item.suffix == ".ipynb" and not conventions.cache_folder(item.path)]
    if not wanted:
        return Result(NOTEBOOKS, NOTHING, reason="no notebooks", scanner=SCANNER)
    answer = scanners.run("outputs", SCANNER, repo, wanted)
    found = in_order(Finding(row["path"], row["line"], row["text"], COST) for row in answer["rows"])
    return Result(NOTEBOOKS, MEASURED, found, scanner=SCANNER, version=answer["version"])
