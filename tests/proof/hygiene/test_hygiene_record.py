"""The record: deterministic, of the whole tree, unknown where a scanner is missing, read back with doubt, harmless to show."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from runs import Run
from test_notebooks import notebook

from workflow import files
from workflow.proof.hygiene import record

TREE: dict[str, str | bytes] = {
    "README.md": "See app.py and book.ipynb.",
    "app.py": "import os\n",
    "book.ipynb": notebook([]),
    "odd.txt": "x",
}


def as_program(run: Run, **env: str) -> dict[str, Any]:
    """The record as the rule's program writes it."""
    program = [sys.executable, str(ROOT / "scripts/score_hygiene.py"), str(run.folder), "plan", "--options", '{"declared": []}']
    subprocess.run(program, check=True, env=os.environ | env, stdin=subprocess.DEVNULL)
    return dict(files.read_json(run.folder / "plan/hygiene.json"))


def test_same_tree_gives_the_same_bytes_again(run: Run) -> None:
    made = run.scored(TREE)
    before = (run.folder / "plan/hygiene.json").read_bytes()
    assert as_program(run) == made
    assert (run.folder / "plan/hygiene.json").read_bytes() == before
    assert (made["score"], made["grade"], made["files"], made["unknown"]) == (97, "A+", 4, [])


SCANNERS = {
    "dead_code": ("vulture", "vulture"),
    "notebook_outputs": ("nbformat", "nbformat"),
    "secrets": ("detect-secrets", "detect_secrets"),
}


@pytest.mark.parametrize("component", SCANNERS)
def test_missing_scanner_makes_its_component_and_the_score_unknown(run: Run, tmp_path: Path, component: str) -> None:
    name, module = SCANNERS[component]
    shim = tmp_path / "shim" / module
    shim.mkdir(parents=True)
    (shim / "__init__.py").write_text(f"raise ImportError('gone', name='{module}')\n")
    before = run.scored(TREE)
    found = as_program(run, PYTHONPATH=str(shim.parent))
    assert (found["score"], found["grade"], found["unknown"]) == (None, "unknown", [name])
    row = found["components"][component]
    assert (row["status"], row["points"], row["found"]) == ("unknown", None, None)
    assert f"not installed ({module})" in row["reason"]
    others = set(before["components"]) - {component}
    assert {key: found["components"][key] for key in others} == {key: before["components"][key] for key in others}


@pytest.mark.parametrize("module", ["vulture", "nbformat"])
def test_scanner_that_crashes_is_unknown_and_says_how(run: Run, tmp_path: Path, module: str) -> None:
    shim = tmp_path / "shim" / module
    shim.mkdir(parents=True)
    (shim / "__init__.py").write_text("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)\n")
    run.scored(TREE)
    found = as_program(run, PYTHONPATH=str(shim.parent))
    assert (found["score"], found["unknown"]) == (None, [module])
    assert f"{module} crashed (signal SIGSEGV)" in json.dumps(found)


def test_without_git_everything_is_unknown(run: Run, tmp_path: Path) -> None:
    run.scored(TREE)
    found = as_program(run, PATH=str(tmp_path))
    assert (found["score"], found["unknown"]) == (None, ["git"])
    assert {row["status"] for row in found["components"].values()} == {"unknown"}


def test_record_of_another_tree_or_none_is_unknown(run: Run) -> None:
    run.scored(TREE)
    assert record.read(run.folder, "plan")["score"] == 97
    run.rewrite("plan/hygiene.json", lambda value: value.update(tree="0" * 40))
    assert (record.read(run.folder, "plan")["score"], record.read(run.folder, "plan")["unknown"]) == (None, ["score_hygiene"])
    tree = files.read_json(run.folder / "plan/merge.json")["tree"]
    for text in ("{", "[]", f'{{"tree": "{tree}"}}', f'{{"tree": "{tree}", "components": {{"secrets": {{"points": 10}}}}}}'):
        (run.folder / "plan/hygiene.json").write_text(text)
        assert record.read(run.folder, "plan")["grade"] == "unknown"
    (run.folder / "plan/hygiene.json").unlink()
    assert record.read(run.folder, "plan")["components"]["orphans"]["found"] is None


def test_score_is_worked_out_again_and_not_believed(run: Run) -> None:
    run.scored(TREE)
    run.rewrite("plan/hygiene.json", lambda value: value.update(score=100, grade="A+"))
    assert record.read(run.folder, "plan")["score"] == 97
    run.rewrite("plan/hygiene.json", lambda value: value["components"]["secrets"].update(points=None))
    assert record.read(run.folder, "plan")["grade"] == "unknown"


def test_hostile_names_cannot_act_on_the_page_or_the_record(run: Run) -> None:
    script = r"""printf x > "$(printf 'we\nird\377 \033[31m.txt')"; printf x > '<script>alert(1)|`x`.csv'"""
    found = run.scored({"README.md": "x"}, script)
    paths = [row["path"] for row in found["findings"]]
    assert paths == ["<script>alert(1)|`x`.csv", r"we\nird\xff \x1b[31m.txt"]
    assert all(path.isprintable() for path in paths)
    run.show("writer")
    page = (run.folder / "plan/REQUEST.md").read_text()
    assert "<script>" not in page
    assert r"&lt;script&gt;alert(1)\|\`x\`.csv" in page


def test_page_shows_score_grade_points_and_findings(run: Run) -> None:
    run.scored(TREE, "true")
    run.show("writer")
    page = (run.folder / "plan/REQUEST.md").read_text()
    assert (
        "| Cleanliness | 97 of 100, grade A+: orphans 28 of 30, large files 25 of 25, dead code 19 of 20, notebook outputs 15 of 15" in page
    )
    assert "- <code>app.py:1</code> unused import os (dead code, −1)" in page
    assert "- <code>odd.txt</code> is named by no other file, no convention and no artifact pattern (orphans, −2)" in page


def test_page_says_unknown_and_names_the_scanner(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shim").mkdir()
    (tmp_path / "shim/vulture.py").write_text("raise ImportError('gone', name='vulture')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "shim"))
    run.scored(TREE, "true")
    run.show("writer")
    said = "dead code unknown (vulture is not installed (vulture); install Phasegate's dependencies), notebook outputs 15 of 15"
    row = next(line for line in (run.folder / "plan/REQUEST.md").read_text().splitlines() if line.startswith("| Cleanliness"))
    assert row.startswith("| Cleanliness | unknown (orphans 28 of 30")
    assert said in row
    (run.folder / "plan/hygiene.json").unlink()
    run.show("writer")
    assert "| Cleanliness | unknown (not measured) |" in (run.folder / "plan/REQUEST.md").read_text()


def test_page_lists_the_costliest_findings_first_and_counts_the_others(run: Run) -> None:
    run.scored({f"{n:02}.txt": "x" for n in range(60)} | {"zz.bak": "x"}, "true")
    run.show("writer")
    page = (run.folder / "plan/REQUEST.md").read_text()
    assert "... and 51 more, in <code>runs/demo/plan/hygiene.json</code>" in page
    assert run.score()["components"]["orphans"]["found"] == 61
