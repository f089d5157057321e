"""The story of a read-only installation: Phasegate lies in one place, the work in another, and the user stands in a third."""

from __future__ import annotations

import compileall
import shutil
from pathlib import Path

import pytest
from conftest import ROOT, Desk, sh, snapshot

PHASES = {
    "plan": {
        "agents": {"writer": {"runner": "write"}},
        "checks": [{"name": "there", "command": ["test", "-s", "plan.md"], "environment": "none"}],
    },
    "build": {"agents": {"maker": {"runner": "make"}}},
}
RUNNERS = {"write": sh("echo plan > plan.md"), "make": sh("exit 4")}
PARTS = ("Snakefile", "rules", "scripts", "workflow", "config", "profiles", "pyproject.toml")


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """A copy of what makes Phasegate run, compiled and without any permission to write, as a package manager leaves it."""
    folder = tmp_path / "opt" / "phase gate's"
    folder.mkdir(parents=True)
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(ROOT / part, folder / part)
    for part in ("workflow", "scripts"):
        compileall.compile_dir(folder / part, quiet=2)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return folder


@pytest.fixture
def work(tmp_path: Path) -> Desk:
    """A working directory with blanks and quotes in its name."""
    desk = Desk(tmp_path / """my "big" project's work""")
    desk.path.mkdir()
    desk.brief()
    desk.configure(PHASES, RUNNERS)
    return desk


def test_read_only_installation_works_from_anywhere_and_its_commands_can_be_pasted(installation: Path, work: Desk, tmp_path: Path) -> None:
    before = snapshot(installation)
    user = Desk(tmp_path / "home of the user", installation)
    user.path.mkdir()
    user.env = {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}

    waits = user.run("-d", str(work.path))
    assert "plan waits for your review (READY FOR REVIEW)" in waits.last[-5]
    assert "there pass" in waits.last[-3]
    page = waits.last[-2].split("read:")[1]
    assert user.shell(f"cat {page}").out == work.read("runs/demo/plan/REQUEST.md")

    blocked = user.shell(waits.next_command, check=1)
    assert "build is blocked (NEEDS ATTENTION): agent maker: failed" in blocked.last[-5]
    commands = [
        line
        for line in work.read("runs/demo/build/REQUEST.md").splitlines()
        if "--forcerun build_maker" in line and not line.startswith("Run")
    ]
    user.shell(commands[0], check=1)
    assert work.attempts("build", "maker") == 2
    user.shell(blocked.next_command, check=1)
    assert work.attempts("build", "maker") == 3

    assert snapshot(installation) == before
    assert snapshot(user.path) == {}
