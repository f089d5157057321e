"""The roles of the embedded runner that measure: qa runs the project's tests, security its linter's security rules.

Both run what the project itself declares, in the environment that was made from its dependencies. A bad result is a
finding, not a failure of the agent: the report says it, and Phasegate's own checks decide.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from workflow import files
from workflow.errors import RunError
from workflow.markup import markdown_text

REPORTS = "reports"
JUNIT, COVERAGE, SECURITY = (f"{REPORTS}/{name}" for name in ("junit.xml", "coverage.json", "security.json"))


def test_project(tree: Path, brief: dict[str, Any]) -> list[str]:
    """Run the test suite; writes JUnit XML, measured coverage and a summary. RunError where it could not run."""
    (tree / REPORTS).mkdir(exist_ok=True)
    command = ["python", "-m", "pytest", "-q", f"--junitxml={JUNIT}", "-o", "junit_family=xunit2"]
    code = _run([*command, "--cov", "--cov-report=", f"--cov-report=json:{COVERAGE}", "--cov-fail-under=0"], tree)
    if code > 1 or not (tree / JUNIT).is_file() or not (tree / COVERAGE).is_file():
        raise RunError(f"the test suite could not run (pytest ended with {code}); its dependencies must name pytest and pytest-cov")
    suite = ElementTree.parse(tree / JUNIT).getroot()  # noqa: S314 - written by pytest a moment ago
    totals = json.loads((tree / COVERAGE).read_text(encoding="utf-8"))["totals"]
    page = _testing_page(suite, totals, brief["intake"]["testing"])
    files.write_text(tree / REPORTS / "testing.md", page)
    return [JUNIT, COVERAGE, f"{REPORTS}/testing.md"]


def _testing_page(suite: ElementTree.Element, totals: dict[str, Any], wanted: dict[str, Any]) -> str:
    cases = list(suite.iter("testcase"))
    bad = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = sum(1 for case in cases if case.find("skipped") is not None)
    percent, target = totals["percent_covered"], wanted["coverage_target"]
    rows = [
        "# Test report",
        "",
        "| | |",
        "|---|---|",
        f"| Tests | {len(cases)} |",
        f"| Passed | {len(cases) - len(bad) - skipped} |",
        f"| Failed | {len(bad)} |",
        f"| Skipped | {skipped} |",
        f"| Line coverage | {percent:.1f} % of {totals['num_statements']} statements |",
        f"| Coverage target | {target} %, {'reached' if percent >= target else 'missed'} |",
        f"| Kinds wanted | {', '.join(wanted['kinds'])} |",
        "",
        "Evidence: [junit.xml](junit.xml), [coverage.json](coverage.json).",
    ]
    if bad:
        rows += [
            "",
            "## Failed tests",
            "",
            *(f"- {markdown_text(case.get('classname', ''))}: {markdown_text(case.get('name', ''))}" for case in bad),
        ]
    return "\n".join(rows) + "\n"


def scan_project(tree: Path, brief: dict[str, Any]) -> list[str]:
    """Run ruff's security rules (flake8-bandit, `S`) over the code; writes findings as JSON and as a page."""
    (tree / REPORTS).mkdir(exist_ok=True)
    command = ["ruff", "check", "--select", "S", "--no-cache", "--exit-zero", "--output-format", "json"]
    done = _capture([*command, "src"], tree)
    version = _capture(["ruff", "--version"], tree).stdout.strip()
    try:
        raw = json.loads(done.stdout)
    except ValueError as error:
        raise RunError(f"the linter could not run: {done.stderr.strip() or error}") from error
    findings = [_finding(item, tree) for item in raw]
    record = {"tool": version, "rules": "S (flake8-bandit)", "scanned": "src", "findings": findings}
    files.write_json(tree / SECURITY, record)
    files.write_text(tree / REPORTS / "security.md", _security_page(record))
    return [SECURITY, f"{REPORTS}/security.md"]


def _finding(item: dict[str, Any], tree: Path) -> dict[str, Any]:
    path = Path(item["filename"])
    inside = path.relative_to(tree).as_posix() if path.is_relative_to(tree) else path.name
    return {"rule": item["code"], "path": inside, "line": item["location"]["row"], "reason": item["message"]}


def _security_page(record: dict[str, Any]) -> str:
    rows = ["# Security findings", "", f"{record['tool']}, rules {record['rules']}, over `{record['scanned']}/`.", ""]
    if not record["findings"]:
        return "\n".join([*rows, "Nothing was found.", "", "Evidence: [security.json](security.json)."]) + "\n"
    rows += ["| Rule | Place | Reason |", "|---|---|---|"]
    for item in record["findings"]:
        rows.append(f"| {item['rule']} | {markdown_text(item['path'])}:{item['line']} | {markdown_text(item['reason'])} |")
    return "\n".join([*rows, "", "Evidence: [security.json](security.json)."]) + "\n"


def _run(command: list[str], tree: Path) -> int:
    """Run a command of the project's environment, its output to ours."""
    print(f"$ {' '.join(command)}", flush=True)
    try:
        return subprocess.run(command, cwd=tree, check=False).returncode
    except FileNotFoundError as error:
        raise RunError(f"there is no program `{command[0]}`; give the agent `environment: python`") from error


def _capture(command: list[str], tree: Path) -> subprocess.CompletedProcess[str]:
    print(f"$ {' '.join(command)}", flush=True)
    try:
        return subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RunError(f"there is no program `{command[0]}`; the project's dependencies must name it") from error
