"""Bills of materials: what a project depends on and what made it, in CycloneDX, the same each time."""

from __future__ import annotations

import json
import platform
import zipfile
from pathlib import Path
from typing import Any

import pytest
from runs import Run, check
from test_provenance import forge

from workflow import files
from workflow.proof import attestation, materials, verification

PYPROJECT = """[project]
name = "demo"
dependencies = ["six>=1.16", "Typing_Extensions"]
[project.optional-dependencies]
test = ["attrs"]
"""


def made(run: Run, script: str, *checks: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Both bills of materials in the bundle of a phase that this script and these checks make."""
    run.agent("writer", script)
    run.merge("writer")
    run.validate(checks=checks)
    run.show("writer")
    path = run.folder / "bundles/plan.zip"
    assert verification.verify_bundle(path)[1] == []
    with zipfile.ZipFile(path) as archive:
        project, environment = (json.loads(archive.read(name)) for name in attestation.SBOMS)
    return project, environment


def facts(bill: dict[str, Any], name: str) -> list[str]:
    return [row["value"] for row in bill["metadata"]["properties"] if row["name"] == f"phasegate:{name}"]


def test_what_a_project_declares_is_listed_and_said_not_to_be_resolved(run: Run) -> None:
    project, environment = made(
        run, f"printf '%s' '{PYPROJECT}' > pyproject.toml; echo '{{}}' > package.json; echo flask > requirements.txt"
    )
    assert (project["bomFormat"], project["specVersion"]) == ("CycloneDX", "1.6")
    assert [row["purl"] for row in project["components"]] == [f"pkg:pypi/{name}" for name in ("attrs", "flask", "six", "typing-extensions")]
    assert not any("version" in row for row in project["components"])
    assert facts(project, "resolved") == ["no: only what is declared is listed"]
    assert facts(project, "not read") == ["package.json"]
    assert facts(project, "tree") == [files.read_json(run.folder / "plan/manifest.json")["subject"]["tree"]]
    found = {row["name"]: row.get("version") for row in environment["components"]}
    assert (found["python"], "snakemake" in found, "runner shell" in found) == (platform.python_version(), True, True)
    assert all(found[name] for name in ("git", "phasegate", "snakemake"))


def test_with_an_environment_what_is_installed_is_listed_with_versions(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Path("env/abc/lib/python3.12/site-packages")
    for name in ("six-1.17.0", "Typing_Extensions-4.12.2", "zope.interface-7.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
    run.agent("writer", "echo 'six' > requirements.txt")
    tree = run.merge("writer")["tree"]
    about, found, known = materials.of_project(run.folder, run.repo, tree, Path("env/abc"))
    bill = json.loads(materials.document(about, found, known))
    assert [row["purl"] for row in bill["components"]] == [
        "pkg:pypi/six@1.17.0",
        "pkg:pypi/typing-extensions@4.12.2",
        "pkg:pypi/zope-interface@7.0",
    ]
    assert (facts(bill, "resolved"), facts(bill, "declared")) == (["yes"], ["six"])


def test_the_same_content_gives_the_same_bytes_and_another_one_another_serial_number(run: Run) -> None:
    project, environment = made(run, "echo six > requirements.txt", check("ok", "true"))
    assert made(run, "echo six > requirements.txt", check("ok", "true")) == (project, environment)
    assert "timestamp" not in project["metadata"]
    other, _ = made(run, "echo attrs > requirements.txt", check("ok", "true"))
    assert len({project["serialNumber"], environment["serialNumber"], other["serialNumber"]}) == 3


@pytest.mark.parametrize("content", ["[project", "[project]\ndependencies = 3\n", "project = 7\n"])
def test_what_cannot_be_read_is_said(run: Run, content: str) -> None:
    project, _ = made(run, f"printf '{content}' > pyproject.toml")
    assert (facts(project, "problem")[0].startswith("what it declares cannot be read"), project.get("components", [])) == (True, [])


def test_bill_of_materials_that_is_not_the_one_of_the_provenance_is_refused(run: Run) -> None:
    made(run, "echo six > requirements.txt")
    path = run.folder / "bundles/plan.zip"
    kept = path.read_bytes()
    forge(path, b"{}", "SBOM.project.cdx.json")
    assert verification.verify_bundle(path)[1] == ["PROVENANCE.json: the bills of materials that it names are not those of the bundle"]
    path.write_bytes(kept)
    forge(path, None, "SBOM.environment.cdx.json")
    assert "the bundle holds no SBOM.environment.cdx.json" in verification.verify_bundle(path)[1]
