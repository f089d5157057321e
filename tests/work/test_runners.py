"""The embedded runner's roles that measure and release: they report what tools found, and tick only what was proved."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from runs import Run, check, full_intake

from workflow import files, markup
from workflow.errors import RunError
from workflow.plan import briefs, documents
from workflow.plan.phases import Agent, Check, Phase, Plan
from workflow.plan.settings import Settings
from workflow.work import environments
from workflow.work.runners import from_brief, measuring, releasing
from workflow.work.runners.scaffold import scaffold

PYPROJECT = """
[project]
name = "demo"
version = "1"
dependencies = []
[project.optional-dependencies]
test = ["pytest>=8,<10", "pytest-cov>=5,<8", "ruff>=0.6,<1"]
[tool.pytest.ini_options]
pythonpath = ["src"]
[tool.coverage.run]
source = ["src"]
"""
CODE = "def half(x):\n    if x < 0:\n        return None\n    return x / 2\n"
TEST = "from half import half\n\ndef test_half():\n    assert half(4) == 2\n"


def brief(role: str = "agent", upstream: list[dict[str, Any]] | None = None, target: int = 80, **project: Any) -> dict[str, Any]:
    intake = full_intake(**project)
    intake["testing"]["coverage_target"] = target
    return {"role": role, "intake": intake, "upstream": upstream or [], "feedback": []}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny project, and on PATH the environment that Phasegate makes from what it declares."""
    for path, text in {"pyproject.toml": PYPROJECT, "src/half.py": CODE, "tests/test_half.py": TEST}.items():
        goal = tmp_path / "tree" / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_text(text)
    made = environments.prepare(tmp_path / "tree", None, tmp_path / "log")
    assert made.error == ""
    for name, value in made.variables(os.environ).items():
        monkeypatch.setenv(name, value)
    for name in [name for name in os.environ if name.startswith(("PYTEST", "COV_", "COVERAGE"))]:
        monkeypatch.delenv(name)
    return tmp_path / "tree"


def test_a_type_or_role_without_scaffold_is_refused_in_one_line(tmp_path: Path) -> None:
    for role, kind in (("astronaut", "webapp"), ("developer", "other")):
        with pytest.raises(RunError, match=f"role `{role}` of a project of type `{kind}`") as error:
            scaffold(tmp_path, brief(role, type=kind))
        assert "types: analytics, ml, webapp" in str(error.value)
        assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_agent_with_a_role_that_scaffold_does_not_know_fails_with_that_line(run: Run) -> None:
    outcome = run.agent("astronaut", "", runner={"name": "scaffold"})
    assert outcome["status"] == "failed"
    log = (run.agent_dir("astronaut") / outcome["log"]).read_text()
    assert log.startswith("phasegate: the scaffold runner has nothing for role")
    assert "Traceback" not in log


def test_every_template_renders_for_hostile_texts_and_leaves_no_placeholder(tmp_path: Path) -> None:
    for kind in ("webapp", "analytics", "ml"):
        for role in ("analyst", "architect", "data_engineer", "developer", "tester", "documentarian"):
            if kind == "webapp" and role == "data_engineer":
                continue
            told = brief(role, type=kind, description="A \"quoted\" 'text' | with <b>`ticks`</b>, {{ braces }} and \\ back", name="class")
            written = scaffold(tmp_path / kind, told)
            assert written
            for path in written:
                assert re.search(r"\{\{ ?\w+[^}]*\}\}|\{% ", (tmp_path / kind / path).read_text().replace("{{ braces }}", "")) is None or (
                    path.endswith(".html")
                ), path
        for path in (tmp_path / kind).rglob("*.py"):
            compile(path.read_text(), str(path), "exec")


def test_qa_reports_the_suite_and_the_coverage_that_were_measured(tree: Path) -> None:
    assert measuring.test_project(tree, brief()) == ["reports/junit.xml", "reports/coverage.json", "reports/testing.md"]
    suite = ElementTree.parse(tree / "reports/junit.xml").getroot()
    assert [case.get("name") for case in suite.iter("testcase")] == ["test_half"]
    totals = json.loads((tree / "reports/coverage.json").read_text())["totals"]
    assert (totals["num_statements"], totals["covered_lines"]) == (4, 3)
    page = (tree / "reports/testing.md").read_text()
    assert "| Tests | 1 |\n| Passed | 1 |\n| Failed | 0 |" in page
    assert "| Line coverage | 75.0 % of 4 statements |\n| Coverage target | 80 %, missed |" in page


def test_qa_reports_a_failing_suite_as_a_finding_with_its_tests(tree: Path) -> None:
    (tree / "src/half.py").write_text(CODE.replace("x / 2", "x / 3"))
    (tree / "tests/test_more.py").write_text(
        "import pytest\n\n@pytest.mark.skip\ndef test_skipped(): ...\n\n"
        "@pytest.mark.parametrize('x', ['](http:x)<details>'])\ndef test_bad(x): assert False\n\n"
        "def test_half_of_less(): \n    from half import half\n    assert half(-1) is None\n"
    )
    measuring.test_project(tree, brief(target=100))
    page = (tree / "reports/testing.md").read_text()
    assert "| Tests | 4 |\n| Passed | 1 |\n| Failed | 2 |\n| Skipped | 1 |" in page
    assert "| Coverage target | 100 %, reached |" in page
    assert "## Failed tests" in page
    assert "test\\_half\n" in page
    assert "<details>" not in page


@pytest.mark.parametrize("breaks", ["tests/test_half.py", "pyproject.toml"])
def test_qa_fails_where_the_suite_cannot_run(tree: Path, breaks: str) -> None:
    (tree / breaks).write_text("def broken(:\n" if breaks.endswith(".py") else "[tool.pytest")
    with pytest.raises(RunError, match="could not run"):
        measuring.test_project(tree, brief())
    assert not (tree / "reports/testing.md").exists()


def test_qa_fails_where_the_environment_has_no_pytest(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for role in (measuring.test_project, measuring.scan_project):
        with pytest.raises(RunError, match="there is no program"):
            role(tree, brief())


def test_security_reports_nothing_for_clean_code_and_each_planted_weakness_with_its_place(tree: Path) -> None:
    measuring.scan_project(tree, brief())
    assert files.read_json(tree / "reports/security.json")["findings"] == []
    assert "Nothing was found." in (tree / "reports/security.md").read_text()
    (tree / "src/weak.py").write_text(
        "import subprocess\n\n\ndef run(text):\n    subprocess.run(text, shell=True)\n    return eval(text)\n"
    )
    measuring.scan_project(tree, brief())
    record = files.read_json(tree / "reports/security.json")
    assert {(item["rule"], item["path"], item["line"]) for item in record["findings"]} >= {
        ("S602", "src/weak.py", 5),
        ("S307", "src/weak.py", 6),
    }
    assert record["tool"].startswith("ruff ")
    page = (tree / "reports/security.md").read_text()
    assert "| S307 | src/weak.py:6 |" in page


def passed(phase: str, name: str, status: str = "pass") -> dict[str, Any]:
    return {"phase": phase, "checks": [{"name": name, "command": ["true"], "status": status, "exit_code": 0 if status == "pass" else 1}]}


def boxes(tree: Path) -> dict[str, str]:
    """The boxes of the checklist's proved part: the text's first words, and `x` or a blank."""
    page = (tree / "release/CHECKLIST.md").read_text().split("## For a person")[0]
    return {text: mark for mark, text in re.findall(r"^- \[(.)\] (.*?)\.? \(", page, re.M)}


def test_a_box_is_ticked_only_where_a_check_passed_and_links_the_result(tmp_path: Path) -> None:
    upstream = [passed("development", "tests"), passed("testing", "security", "fail"), passed("testing", "links")]
    written = releasing.prepare_release(tmp_path, brief(upstream=upstream, type="webapp"))
    assert boxes(tmp_path) == {
        "The project's own tests pass": "x",
        "The tests reach the coverage target of 80 %": " ",
        "The linter's security rules find nothing in the code": " ",
        "The check links passes": "x",
    }
    page = (tmp_path / "release/CHECKLIST.md").read_text()
    links = re.findall(r"\]\((evidence/[^)]*)\)", page)
    assert len(links) == 3
    for link in links:
        assert f"release/{link}" in written
        evidence = files.read_json(tmp_path / "release" / link)
        assert (evidence["status"] == "pass") == ("- [x] " in next(line for line in page.splitlines() if link in line))
    assert {"CHANGELOG.md", "VERSION", "Dockerfile", "release/CHECKLIST.md"} <= set(written)


def test_the_newest_result_of_a_check_decides(tmp_path: Path) -> None:
    upstream = [passed("development", "tests"), passed("testing", "tests", "fail")]
    releasing.prepare_release(tmp_path, brief(upstream=upstream, type="ml"))
    assert boxes(tmp_path)["The project's own tests pass"] == " "
    assert "evidence/testing.tests.json" in (tmp_path / "release/CHECKLIST.md").read_text()


def test_without_the_result_the_box_is_open_again(run: Run, tmp_path: Path) -> None:
    """What the release manager is told comes from validation.json: take the result away there, and it is told so."""
    testing = Phase("testing", (), "required", (), (), (), (Check("tests", ("true",), "", 20, "none"),))
    manager = Agent("deployment", "manager", "agent", "scaffold", (), "", 20, {}, False, "none")
    plan = Plan({"testing": testing, "deployment": Phase("deployment", ("testing",), "none", (manager,), (), (), ())})
    settings = Settings(documents.fill_defaults({}, documents.schema("config")))

    def released(folder: Path) -> str:
        told = briefs.make_brief(plan, manager, run.folder, full_intake(type="webapp"), settings)
        releasing.prepare_release(folder, told)
        return boxes(folder)["The project's own tests pass"]

    run.phase("testing")
    run.agent("writer", "echo x > x", "testing")
    run.merge("writer", phase="testing")
    run.validate(checks=(check("tests", "true"),), phase="testing")
    assert released(tmp_path / "a") == "x"
    run.validate(checks=(check("tests", "false"),), phase="testing")
    assert released(tmp_path / "b") == " "
    (run.folder / "testing/validation.json").unlink()
    assert released(tmp_path / "c") == " "


def test_a_runner_of_the_config_gets_its_placeholders_filled(tmp_path: Path) -> None:
    spec = {"name": "mine", "command": ["tool", "--in={prompt}", "{brief}", "{other}"], "prompt": "file", "env": ["KEY"]}
    runner = from_brief(spec)
    assert runner.argv("the text", tmp_path / "p.md", tmp_path / "b.json") == [
        "tool", f"--in={tmp_path}/p.md", f"{tmp_path}/b.json", "{other}"]  # fmt: skip
    told = from_brief(spec | {"prompt": "argument"}).argv("say {brief}", tmp_path / "p.md", tmp_path / "b.json")
    assert told[1] == "--in=say {brief}"


def test_an_entry_named_scaffold_replaces_the_embedded_runner() -> None:
    assert from_brief({"name": "scaffold", "command": ["mine"]}).command == ("mine",)


def test_filters_keep_texts_what_they_are() -> None:
    odd = 'a\n# `b` ``c`` | <d> \u2028 ü "q" \\'
    assert json.loads(markup.literal(odd)) == odd
    assert "\n" not in markup.markdown_text(odd)
    assert markup.fenced("x\n```\n# y").startswith("````\n")
    assert markup.code_span("a ``b`` c") == "``` a ``b`` c ```"
    assert markup.mermaid_label('say "no" [x] ' + "long " * 30).count("#34;") == 2
    assert len(markup.one_line("a  b\n\tc")) == 5
