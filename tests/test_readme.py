"""The README is true: every command block of it is typed, in order, in a fresh copy of the repository.

`snakemake` and `python` stand for those of the virtual environment, as the README says. The set-up line is run for
real by `.ci/run`; here the environment that runs the tests is put in the place of `.venv`.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Desk

from workflow.call import acts

LEFT_OUT = shutil.ignore_patterns(".git", ".venv", "runs", ".snakemake", "__pycache__", ".*_cache", ".hypothesis", "build", "*.egg-info")


def blocks() -> list[str]:
    """The shell blocks of the README, in order."""
    return re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def as_here(block: str) -> str:
    """A block with the set-up taken out: the environment is there already."""
    return re.sub(r"python3 -m venv \.venv && \.venv/bin/pip install \S+ \S+ && ", "", block)


@pytest.fixture
def clone(tmp_path: Path) -> Desk:
    """A copy of the repository as a clone would be, whose .venv is the environment of the tests."""
    folder = tmp_path / "phasegate"
    shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    return Desk(folder, root=folder, env={"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"})


@pytest.mark.long
def test_every_command_block_of_the_readme_works(clone: Desk) -> None:
    ran = 0
    for block in blocks():
        if "pytest" in block:
            continue  # this very suite
        done = clone.shell(f"set -e\n{as_here(block)}", timeout=600)
        assert "Traceback" not in done.out + done.err, block
        ran += 1
    assert ran >= 8
    assert clone.json("runs/todo-app/status.json")["state"] == "delivered"
    assert (clone.path / "runs/todo-app/project/run.sh").is_file()
    assert clone.read("news.txt").startswith("development is waiting: ")
    assert "Backups" in (clone.path / "runs/my-notes/project/docs/risks.md").read_text()


def test_every_command_of_a_person_is_typed_in_a_block_of_the_readme() -> None:
    typed = "\n".join(blocks())
    for name in (*acts.ACTS, *acts.WORKING):
        assert f"snakemake {name}" in typed, name
    for text in ("touch runs/", "--cores 2 --config 'notify=", "scripts/watch.py", "scripts/verify_bundle.py", "scripts/show_manifest.py"):
        assert text in typed, text


def test_every_key_of_both_schemas_is_explained() -> None:
    from workflow.plan import documents

    page = (ROOT / "config/README.md").read_text()
    for name in ("config", "intake"):
        for key in leaves(documents.schema(name)):
            assert f"`{key}`" in page or key in page, f"config/README.md does not explain {key}"


def leaves(schema: dict) -> set[str]:
    """The last part of every key of a schema."""
    found: set[str] = set()
    for key, part in schema.get("properties", {}).items():
        found |= {key} | leaves(part)
    for inner in ("items", "additionalProperties"):
        if isinstance(schema.get(inner), dict):
            found |= leaves(schema[inner])
    return found
