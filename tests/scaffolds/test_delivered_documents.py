"""What a delivered project says about itself: plan, measurements, release. Every claim is held against its evidence."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from conftest import ROOT
from deliveries import NAMES, Delivery, in_environment, project_copy

from workflow.plan import tasks
from workflow.work.runners import measuring
from workflow.work.runners.scaffold import scaffold


@pytest.fixture(params=["webapp", "analytics", "ml"])
def made(request: pytest.FixtureRequest, delivered: Callable[[str], Delivery]) -> Delivery:
    """A delivered run of each type."""
    return delivered(request.param)


def template(kind: str) -> dict[str, Any]:
    """The intake that quickstart starts from."""
    return yaml.safe_load((ROOT / "config" / "intakes" / f"{kind}.yaml").read_text())


def shown(text: str) -> str:
    """Markdown as a reader sees it: no escapes, one line."""
    return " ".join(re.sub(r"\\([\\`*_{}\[\]|#~@])", r"\1", text).split())


def test_requirements_and_risks_hold_what_the_brief_says(made: Delivery) -> None:
    intake = template(made.kind)
    requirements = shown((made.project / "docs/requirements.md").read_text())
    wanted = [intake["project"]["description"], intake["goals"]["primary"], *intake["goals"]["secondary"]]
    wanted += [*intake["goals"]["success_criteria"], *intake["constraints"], *(person["needs"] for person in intake["stakeholders"])]
    assert [text for text in wanted if text not in requirements] == []
    assert f"Coverage target: {intake['testing']['coverage_target']} %" in requirements
    numbers = re.findall(r"\| ((?:FR|NFR)-\d+) \|", requirements)
    assert len(numbers) == len(set(numbers)) > 12
    risks = shown((made.project / "docs/risks.md").read_text())
    assert [risk for risk in intake["risks"] if f"| {risk['description']} | {risk['likelihood']} | {risk['impact']} |" not in risks] == []
    assert risks.count("| R-") > len(intake["risks"])


def test_architecture_has_a_mermaid_picture_of_things_that_exist(made: Delivery) -> None:
    page = (made.project / "docs/architecture.md").read_text()
    (picture,) = re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)
    kind, *lines = picture.splitlines()
    assert kind == "flowchart LR"
    assert sum(line.strip().startswith("subgraph ") for line in lines) == sum(line.strip() == "end" for line in lines) == 1
    declared = set(re.findall(r"(\w+)[\[({]+\"", picture)) | {"project"}
    edges = re.findall(r"^\s*(\w+)(?:[\[({]+\".*?\"[\])}]+)? [-.=]+>?(?:\|\"[^\"|]*\"\|)? (\w+)", picture, re.MULTILINE)
    assert len(edges) > 8
    assert {end for edge in edges for end in edge} <= declared
    named = re.findall(r"`([\w/]+\.(?:py|sql))`", page)
    source = made.project / "src" / made.package
    assert [name for name in named if not (source / name).is_file() and not (made.project / name).is_file()] == []
    assert len(named) > 5


def test_each_task_of_the_plan_passes_its_commands_as_soon_as_it_is_done(made: Delivery, tmp_path: Path) -> None:
    """In a clean checkout of what the tasks that it needs have made, though the project was delivered role by role."""
    listed, problems = tasks.parse((made.project / "plan/tasks.yaml").read_text(), "plan/tasks.yaml")
    assert problems == []
    missing = [pattern for task in listed for pattern in task.touches if not any(made.project.glob(pattern))]
    assert missing == []
    brief = {"role": "data_engineer", "intake": yaml.safe_load((made.folder / "intake.yaml").read_text()), "feedback": []}
    trees: dict[str, Path] = {"": tmp_path / "base"}
    trees[""].mkdir()
    if made.kind != "webapp":
        scaffold(trees[""], brief)
    for task in tasks.in_order(listed):
        trees[task.id] = tmp_path / task.id
        for other in task.builds_on or ("",):
            shutil.copytree(trees[other], trees[task.id], dirs_exist_ok=True)
        scaffold(trees[task.id], brief | {"task": task.as_json()})
        used = shutil.copytree(trees[task.id], tmp_path / "checkout" / task.id)
        ended = [in_environment(made, used, *words) for words in task.accept]
        assert [done.returncode for done in ended] == [0] * len(task.accept), (task.id, [done.stdout + done.stderr for done in ended])


def test_test_reports_agree_with_what_the_checks_measured(made: Delivery) -> None:
    checks = {row["name"]: row for row in made.desk.json(f"runs/{made.run}/testing/validation.json")["checks"]}
    suite = ElementTree.parse(made.project / "reports/junit.xml").getroot()
    cases = list(suite.iter("testcase"))
    assert len(cases) > 30
    assert [case for case in cases if case.find("failure") is not None or case.find("error") is not None] == []
    assert checks["tests"]["summary"].startswith(f"{len(cases)} passed")
    measured = json.loads((made.project / "reports/coverage.json").read_text())["totals"]
    target = template(made.kind)["testing"]["coverage_target"]
    assert target <= measured["percent_covered"] <= 100
    assert re.findall(r"\d+", checks["coverage"]["summary"])[0] == str(measured["num_statements"])
    page = (made.project / "reports/testing.md").read_text()
    assert f"| Line coverage | {measured['percent_covered']:.1f} % of {measured['num_statements']} statements |" in page
    assert f"| Tests | {len(cases)} |" in page
    security = json.loads((made.project / "reports/security.json").read_text())
    assert security["tool"].startswith("ruff ")
    assert (security["scanned"], security["findings"]) == ("src", [])


def test_security_findings_come_from_the_linter(
    delivered: Callable[[str], Delivery], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    made = delivered("webapp")
    folder = project_copy(made, tmp_path / "project")
    planted = f"src/{made.package}/health.py"
    text = (folder / planted).read_text()
    (folder / planted).write_text(f"{text}\nSECRET = eval(input())\n")
    monkeypatch.setenv("PATH", str(made.environment / "bin"), prepend=":")
    measuring.scan_project(folder, {})
    (finding,) = json.loads((folder / "reports/security.json").read_text())["findings"]
    assert (finding["rule"], finding["path"], finding["line"]) == ("S307", planted, text.count("\n") + 2)
    assert f"| S307 | {planted.replace('_', chr(92) + '_')}:{finding['line']} |" in (folder / "reports/security.md").read_text()
    command = made.desk.json(f"runs/{made.run}/testing/manifest.json")["subject"]["validation"]["checks"][-1]["command"]
    assert in_environment(made, folder, *command).returncode == 1, "the check of the phase sees it, too"


def test_the_release_is_complete_and_ticks_only_what_was_proved(made: Delivery) -> None:
    project, intake = made.project, template(made.kind)
    assert (project / "VERSION").read_text() == f"{intake['project']['version']}\n"
    changes = shown((project / "CHANGELOG.md").read_text())
    assert f"## {intake['project']['version']}" in changes
    assert [text for text in [intake["goals"]["primary"], *intake["goals"]["secondary"]] if text not in changes] == []
    recipe = (project / "Dockerfile").read_text().splitlines()
    assert recipe[0].startswith("FROM python:3.")
    assert [line for line in recipe if line.startswith("USER ")] == ["USER app"]
    copied = [word for line in recipe if line.startswith("COPY ") for word in line.split()[1:-1]]
    ignored = (project / ".dockerignore").read_text().splitlines()
    assert copied
    assert [path for path in copied if not (project / path).exists() or path in ignored] == []
    assert f'"{made.package}"' in recipe[-1]

    boxes = re.findall(r"^- \[(.)\] (.*)$", (project / "release/CHECKLIST.md").read_text(), re.MULTILINE)
    ticked = {text: re.findall(r"\]\((\S+?)\)", text) for mark, text in boxes if mark == "x"}
    assert len(ticked) == 3
    for text, (link,) in ticked.items():
        proof = json.loads((project / "release" / link).read_text())
        row = next(
            row for row in made.desk.json(f"runs/{made.run}/{proof['phase']}/validation.json")["checks"] if row["name"] == proof["name"]
        )
        assert (proof["status"], proof["exit_code"], proof["command"]) == ("pass", 0, row["command"]), text
    waiting = [shown(text) for mark, text in boxes if mark == " "]
    assert set(intake["goals"]["success_criteria"]) < set(waiting), "what no check proves is left for a person"


def test_a_box_is_open_again_when_its_result_is_deleted(delivered: Callable[[str], Delivery], tmp_path: Path) -> None:
    made = delivered("webapp").copy(tmp_path / "copy")
    name, run = f"runs/{made.run}/testing/validation.json", made.run
    record = made.desk.json(name)
    record["checks"] = [row for row in record["checks"] if row["name"] != "tests"]
    made.desk.write(name, json.dumps(record))
    stop = made.desk.run(check=1)
    assert stop.last[-5].startswith(f"{run}: testing is blocked (NEEDS ATTENTION): check tests could not run")
    made.desk.run("approve", "--config", "phase=testing", "by=Ann", "waive=check:tests=its result was deleted")
    last = made.desk.run()
    assert last.last[-5] == f"{run}: delivered: all 4 phases are done"
    checklist = made.desk.read(f"runs/{run}/project/release/CHECKLIST.md")
    assert "- [ ] The project's own tests pass. (no result)" in checklist
    assert checklist.count("- [x] ") == 2
    assert sorted(path.name for path in (made.project / "release/evidence").iterdir()) == ["testing.coverage.json", "testing.security.json"]
    assert made.desk.attempts("deployment", "release_manager", run) == 2
    assert made.desk.attempts("testing", "qa", run) == made.desk.attempts("development", "developer", run) == 1


def test_every_type_has_its_own_words_on_the_first_page(delivered: Callable[[str], Delivery]) -> None:
    pages = {kind: (delivered(kind).project / "README.md").read_text() for kind in NAMES}
    for kind, page in pages.items():
        assert "./run.sh" in page
        links = [link for link in re.findall(r"\]\(([^)#]+)\)", page) if "://" not in link]
        assert links
        assert [link for link in links if not (delivered(kind).project / link).exists()] == [], kind
    assert len({page.split("##")[0].split("**Goal:**")[1] for page in pages.values()}) == 3
