"""Environments for generated projects: made by the real uv from what a project declares, once for the same content."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import ROOT
from faults.fit import unfit

from workflow.work import environments, sandbox

PYPROJECT = """
[project]
name = "p"
version = "1"
dependencies = ["flask>=3"]
[project.optional-dependencies]
test = ["pytest"]
tests = ["pytest-cov"]
dev = ["ruff"]
docs = ["sphinx"]
[dependency-groups]
test = ["hypothesis", {include-group = "dev"}]
dev = ["mypy"]
docs = ["mkdocs"]
"""


def test_what_counts_are_dependencies_test_extras_groups_and_requirement_files(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "requirements.txt").write_text("# needed\npandas>=2  # tables\n\nflask>=3\n")
    (tmp_path / "requirements-dev.txt").write_text("black\n")
    (tmp_path / "requirements-test.txt").write_text("httpx\n")
    (tmp_path / "requirements-docs.txt").write_text("furo\n")
    assert environments.requirements(tmp_path) == [
        "flask>=3", "hypothesis", "mypy", "pytest", "pytest-cov", "ruff", "pandas>=2", "black", "httpx"]  # fmt: skip


def test_requirement_files_keep_their_order_and_their_includes_and_leave_out_the_project(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "requirements.txt").write_text("-e .\n-r more/base.txt\nb==1 \\\n  --hash=sha256:00\n.\n-r ../outside.txt\na\n")
    (tmp_path / "more/base.txt").write_text("z  # last in the alphabet\n-r base.txt\n")
    assert environments.requirements(tmp_path) == ["z", "b==1    --hash=sha256:00", "a"]


def test_a_project_that_declares_nothing_needs_nothing_and_links_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("secret-package\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    assert environments.requirements(tree) == []
    (tree / "requirements.txt").symlink_to(tmp_path / "elsewhere")
    (tree / "pyproject.toml").mkdir()
    assert environments.requirements(tree) == []


@pytest.mark.parametrize(
    "content",
    [
        "[project",
        "project = 3",
        "[project]\ndependencies = 3",
        "[project]\ndependencies = ['a', 3]",
        "[project]\noptional-dependencies = []",
    ],
)
def test_a_broken_pyproject_is_an_error_text_and_nothing_is_made(tmp_path: Path, content: str) -> None:
    (tmp_path / "pyproject.toml").write_text(content)
    made = environments.prepare(tmp_path, str(tmp_path / "env"), tmp_path / "log")
    assert made.error.startswith("the project's dependencies cannot be read")
    assert not (tmp_path / "env").exists()


def test_an_unreadable_encoding_is_an_error_text(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_bytes(b"pytest\xff\n")
    assert "cannot be read" in environments.prepare(tmp_path, str(tmp_path / "env"), tmp_path / "log").error


def project(folder: Path, text: str = '[project]\nname = "tiny"\nversion = "1"\ndependencies = []\n') -> Path:
    folder.mkdir()
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_the_same_requirements_are_made_once_and_others_anew(tmp_path: Path) -> None:
    first = environments.prepare(project(tmp_path / "a"), str(tmp_path / "env"), tmp_path / "log")
    assert first.error == ""
    assert first.setup_s > 0
    again = environments.prepare(
        project(tmp_path / "b", "[project]\nname = 'other'\nversion = '2'\n"), str(tmp_path / "env"), tmp_path / "log"
    )
    assert (again.folder, again.setup_s, again.error) == (first.folder, 0.0, "")
    env = {"PATH": os.environ["PATH"]} | first.variables(os.environ)
    said = subprocess.run(["python", "-c", "import sys; print(sys.prefix)"], env=env, capture_output=True, text=True, check=True).stdout
    assert said.strip() == str(first.folder)


def test_an_environment_that_was_left_half_made_is_made_again(tmp_path: Path) -> None:
    first = environments.prepare(project(tmp_path / "a"), str(tmp_path / "env"), tmp_path / "log")
    (first.folder / "made.json").unlink()
    (first.folder / "bin/python").unlink()
    again = environments.prepare(tmp_path / "a", str(tmp_path / "env"), tmp_path / "log")
    assert (again.folder, again.error) == (first.folder, "")
    assert again.setup_s > 0
    assert (again.folder / "bin/python").exists()


def test_what_cannot_be_installed_is_an_error_text_and_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    tree = project(tmp_path / "a", '[project]\nname = "p"\nversion = "1"\ndependencies = ["no-such-package-here==9.9.9"]\n')
    for _ in range(2):
        made = environments.prepare(tree, str(tmp_path / "env"), tmp_path / "log")
        assert made.error.startswith("the environment could not be set up (exit code 1)")
    assert "no-such-package-here" in (tmp_path / "log").read_text()
    assert not (made.folder / "made.json").exists()


def test_a_store_that_cannot_be_written_is_an_error_text(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = environments.prepare(project(tmp_path / "a"), str(tmp_path / "file/env"), tmp_path / "log")
    assert "environments cannot be kept in" in made.error


def test_two_processes_at_once_make_it_once(tmp_path: Path) -> None:
    project(tmp_path / "a")
    code = (
        "import json, sys; from pathlib import Path; from workflow.work import environments, sandbox\n"
        "made = environments.prepare(Path('a'), 'env', Path(sys.argv[1]))\n"
        "print(json.dumps([str(made.folder), made.setup_s, made.error]))"
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", code, f"log{n}"], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True)
        for n in range(2)
    ]
    found = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert found[0][0] == found[1][0]
    assert [error for _, _, error in found] == ["", ""]
    assert sorted(setup_s > 0 for _, setup_s, _ in found) == [False, True]


def test_store_is_the_configured_folder_or_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert environments.store("~/kept") == tmp_path / "kept"
    assert environments.store(None) == tmp_path / ".cache/phasegate/environments"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert environments.store(None) == tmp_path / "cache/phasegate/environments"


BACKEND = """
import pathlib, zipfile
def build_wheel(folder, settings=None, metadata=None):
    for name in ("uv-cache/poison", "other/poison", "poison"):
        try:
            pathlib.Path({store!r}, name).write_text("x")
        except OSError as error:
            print(error)
    with zipfile.ZipFile(pathlib.Path(folder, "hostile-1-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("hostile.py", "")
        wheel.writestr("hostile-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: hostile\\nVersion: 1\\n")
        wheel.writestr("hostile-1.dist-info/WHEEL", "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr("hostile-1.dist-info/RECORD", "")
    return "hostile-1-py3-none-any.whl"
"""


@pytest.mark.parametrize("kind", ["none", *sandbox.KINDS])
def test_a_build_script_cannot_touch_what_other_projects_get(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind != "none" and not sandbox.works(kind):
        unfit(f"{kind} does not work here")
    monkeypatch.setenv(sandbox.TRIED, kind)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "links"))
    store, source = tmp_path / "env", tmp_path / "source"
    for folder in (store / "other", store / "uv-cache", source, tmp_path / "links"):
        folder.mkdir(parents=True)
    (source / "backend.py").write_text(BACKEND.format(store=str(store)))
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "hostile"\nversion = "1"\n'
    )
    with tarfile.open(tmp_path / "links/hostile-1.tar.gz", "w:gz") as packed:
        packed.add(source, "hostile-1")
    tree = project(tmp_path / "a", '[project]\nname = "p"\nversion = "1"\ndependencies = ["hostile"]\n')
    made = environments.prepare(tree, str(store), tmp_path / "log")
    assert made.error == "", (tmp_path / "log").read_text()
    assert list(made.folder.rglob("hostile.py"))
    assert len(list(store.rglob("poison"))) == (3 if kind == "none" else 0)
