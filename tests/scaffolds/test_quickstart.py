"""Quickstart and what stands around a delivered run: refusals, repeats, another folder, a target out of reach."""

from __future__ import annotations

import ast
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Desk, snapshot
from deliveries import Delivery, labelled

from workflow.plan import documents
from workflow.work.runners.scaffold import scaffold

BRIEF: dict[str, Any] = {
    "project": {"name": "chores", "type": "webapp", "description": 'Keeps "chores" & <b>errands</b> of {{ a }} house.', "version": "2.7.1"},
    "goals": {
        "primary": "Nobody asks twice who takes the bins out.",
        "secondary": ["It's done `quickly` \\o/"],
        "success_criteria": ["A week without '''quarrels''' | at all"],
    },
    "testing": {"coverage_target": 100},
}


def test_repeating_the_command_on_a_delivered_run_does_nothing(delivered: Callable[[str], Delivery], tmp_path: Path) -> None:
    made = delivered("webapp").copy(tmp_path / "copy")
    made.desk.run()
    before = snapshot(made.folder)
    again = made.desk.run()
    assert again.last[-5:] == made.stops[-1].last[-5:]
    assert again.out == ""
    after = snapshot(made.folder)
    assert {name: content for name, (content, _) in after.items()} == {name: content for name, (content, _) in before.items()}
    changed = {name for name in after if after[name] != before[name]}
    assert changed <= {"status.json"}, "written again"


def test_quickstart_of_an_existing_run_changes_nothing(delivered: Callable[[str], Delivery], tmp_path: Path) -> None:
    made = delivered("webapp").copy(tmp_path / "copy")
    before = snapshot(made.desk.path / "runs")
    refused = made.desk.run("quickstart", "--config", "type=ml", f"name={made.run}", check=1)
    assert snapshot(made.desk.path / "runs") == before
    (line,) = refused.said.splitlines()
    assert f"the run `{made.run}` exists and is left as it is" in line
    command = line.partition("go on with it (")[2].partition("),")[0]
    assert made.desk.shell(command).last[-5] == f"{made.run}: delivered: all 4 phases are done"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["type=webap", "name=x"], "--config type=webap: not known; allowed: analytics, ml, webapp"),
        (["name=x"], "--config type=... is missing; allowed: analytics, ml, webapp"),
        (["type=webapp", "name=../x"], "--config name=../x: not a good name; allowed: 1 to 64 letters, digits, `.`, `_`, `-`"),
        (["type=webapp", "name=all"], "--config name=all: not a good name; allowed: 1 to 64 letters, digits, `.`, `_`, `-`"),
        (["type=webapp", "name="], "--config name=: not a good name; allowed: 1 to 64 letters, digits, `.`, `_`, `-`"),
    ],
    ids=["unknown-type", "no-type", "a-path", "a-reserved-word", "an-empty-name"],
)
def test_quickstart_refuses_in_one_line_that_says_what_is_allowed(desk: Desk, words: list[str], said: str) -> None:
    refused = desk.run("quickstart", "--config", *words, check=1)
    (line,) = refused.said.splitlines()
    assert line.startswith(f"phasegate: {said}")
    assert not (desk.path / "runs").exists()


def test_a_dry_run_of_quickstart_writes_nothing(desk: Desk, tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    desk.env["TMPDIR"] = str(temporary)
    done = desk.run("-n", "quickstart", "--config", "type=ml", "name=tried")
    assert "planning_architect" in done.out + done.err
    assert {path.name for path in desk.path.iterdir()} == {"config", "home", ".snakemake"}
    assert list(temporary.iterdir()) == []


@pytest.mark.long
def test_a_coverage_target_out_of_reach_blocks_development(delivered: Callable[[str], Delivery], desk: Desk) -> None:
    first = delivered("webapp")
    made = (first.environment / "made.json").stat().st_mtime_ns
    desk.write("config/intake.yaml", yaml.safe_dump(BRIEF))
    stop = desk.shell(labelled(desk.run(), "approve"), check=1)
    assert stop.last[-5] == "chores: development is blocked (NEEDS ATTENTION): check coverage failed"
    assert stop.last[-3].endswith("1 of 2 checks passed (tests pass, coverage fail)")
    request = desk.read("runs/chores/development/REQUEST.md")
    assert request.startswith("# 🔴 NEEDS ATTENTION")
    assert "| tests | ✅ pass |" in request
    assert "| coverage | ❌ fail | 2 |" in request
    assert "is less than fail-under=100" in request
    desk.touch("development", "chores")
    assert desk.run(check=1).last[-5:] == stop.last[-5:]
    assert not (desk.path / "runs/chores/testing").exists()

    environment = desk.json("runs/chores/development/validation.json")["environment"]
    assert environment == {"name": first.environment.name, "setup_s": 0.0, "error": None}, "the environment of another folder is used again"
    assert (first.environment / "made.json").stat().st_mtime_ns == made
    project = desk.path / "runs/chores/project"
    settings = tomllib.loads((project / "pyproject.toml").read_text())
    assert (settings["project"]["name"], settings["project"]["version"]) == ("chores", "2.7.1")
    assert settings["project"]["description"] == BRIEF["project"]["description"]
    assert settings["tool"]["coverage"]["report"]["fail_under"] == 100
    assert "fail below 100 % line coverage" in (project / "README.md").read_text()


@pytest.mark.parametrize("kind", ["webapp", "analytics", "ml"])
def test_words_of_the_brief_reach_the_files_and_break_none(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {**BRIEF, "project": {**BRIEF["project"], "type": kind}, "testing": {"coverage_target": 93}}
    intake = documents.fill_defaults(asked, documents.schema("intake"))
    monkeypatch.chdir(tmp_path)
    data = [] if kind == "webapp" else ["data_engineer"]
    for role in ("analyst", "architect", *data, "developer", "tester", "documentarian", "release_manager"):
        scaffold(tmp_path, {"role": role, "intake": intake, "upstream": [], "feedback": []})
    for path in tmp_path.rglob("*.py"):
        ast.parse(path.read_text(), str(path))
    for path in tmp_path.rglob("*.sh"):
        subprocess.run(["sh", "-n", path], check=True)
    settings = tomllib.loads((tmp_path / "pyproject.toml").read_text())
    assert settings["project"]["description"] == BRIEF["project"]["description"]
    assert settings["tool"]["coverage"]["report"]["fail_under"] == 93
    assert len(yaml.safe_load((tmp_path / "plan/tasks.yaml").read_text())) > 8
    about = ast.parse((tmp_path / "src/chores/about.py").read_text())
    words = {node.value for node in ast.walk(about) if isinstance(node, ast.Constant)}
    assert {BRIEF["project"]["description"], BRIEF["goals"]["primary"], "2.7.1"} <= words
    for name in ("README.md", "docs/requirements.md", "CHANGELOG.md"):
        page = (tmp_path / name).read_text()
        assert BRIEF["goals"]["primary"] in page, name
        assert "<b>" not in page, name
    for name in ("README.md", "docs/requirements.md", "docs/architecture.md"):
        assert "93 %" in (tmp_path / name).read_text(), name
    assert "&lt;b&gt;errands&lt;/b&gt;" in (tmp_path / "README.md").read_text()
    assert (tmp_path / "VERSION").read_text() == "2.7.1\n"
    assert "- [x]" not in (tmp_path / "release/CHECKLIST.md").read_text()
