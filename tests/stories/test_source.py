"""The story of a run that starts from an existing repository, which is only ever read."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import INTAKE, Desk, sh, snapshot

from workflow.errors import GitError
from workflow.work import trees

CHECK = {"name": "sums", "command": ["sh", "-c", '[ "$(sh add.sh 2 3)" = 5 ]'], "environment": "none"}
PHASES = {"repair": {"agents": {"fixer": {"runner": "fix"}}, "artifacts": {"required": ["add.sh"]}, "checks": [CHECK]}}
RUNNERS = {"fix": sh("sed -i 's/\\$1 - \\$2/$1 + $2/' add.sh")}


def git(folder: Path, *words: str) -> str:
    """Run git as the owner of the source does."""
    who = ("-c", "user.name=Owner", "-c", "user.email=owner@localhost", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A repository with a bug on both branches, a tag, and work that is not committed."""
    folder = tmp_path / "their project"
    folder.mkdir()
    git(folder, "init", "--quiet")
    for branch, text in (("main", "first"), ("next", "second")):
        git(folder, "checkout", "--quiet", "-B", branch)
        (folder / "add.sh").write_text("echo $(($1 - $2))\n")
        (folder / "branch.txt").write_text(f"{text}\n")
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "-m", text)
        if branch == "main":
            git(folder, "tag", "-a", "v1", "-m", "the first")
            (folder / "README.md").write_text("About sums.\n")
            git(folder, "add", "--all")
            git(folder, "commit", "--quiet", "-m", "readme")
    git(folder, "checkout", "--quiet", "main")
    (folder / "branch.txt").write_text("not committed\n")
    return folder


def start_from(desk: Desk, source: str, ref: str | None = None) -> None:
    """Write an intake that starts from a repository."""
    desk.configure(PHASES, RUNNERS)
    desk.brief(project=INTAKE["project"] | {"source": source, "ref": ref})


def test_agent_repairs_an_existing_project_and_the_source_is_untouched(desk: Desk, source: Path) -> None:
    before = snapshot(source)
    start_from(desk, "../../their project")  # relative to the intake
    done = desk.run()
    assert "repair waits for your review (READY FOR REVIEW)" in done.last[-5]
    assert "sums pass" in done.last[-3]
    assert desk.read("runs/demo/project/add.sh") == "echo $(($1 + $2))\n"
    assert desk.read("runs/demo/project/README.md") == "About sums.\n"
    assert desk.read("runs/demo/project/branch.txt") == "first\n"
    manifest = desk.json("runs/demo/repair/manifest.json")
    assert [item["path"] for item in manifest["artifacts"]] == ["add.sh"]
    assert desk.json("runs/demo/start.json")["commit"] == git(source, "rev-parse", "main")
    assert snapshot(source) == before


def test_bug_that_is_not_repaired_keeps_the_gate_closed(desk: Desk, source: Path) -> None:
    before = snapshot(source)
    start_from(desk, source.as_uri(), "next")
    desk.configure(PHASES, {"fix": sh("echo '# looked at' >> add.sh")})
    assert "check sums failed" in desk.run(check=1).last[-5]
    assert desk.read("runs/demo/project/branch.txt") == "second\n"
    assert snapshot(source) == before


@pytest.mark.parametrize("ref", [None, "main", "next", "v1", "commit", "short commit"])
@pytest.mark.parametrize("form", ["path", "url"])
def test_branch_tag_and_commit_are_found_by_path_and_by_url(source: Path, tmp_path: Path, form: str, ref: str | None) -> None:
    before = snapshot(source)
    wanted = {"commit": git(source, "rev-parse", "main~1"), "short commit": git(source, "rev-parse", "--short", "main~1")}.get(
        ref or "", ref
    )
    trees.create(tmp_path / "own.git")
    found = trees.import_source(tmp_path / "own.git", str(source) if form == "path" else source.as_uri(), wanted)
    assert found.commit == git(source, "rev-parse", f"{wanted or 'HEAD'}^{{commit}}")
    assert snapshot(source) == before


@pytest.mark.parametrize("ref", ["nowhere", "abcdef1", "0" * 40])
def test_unknown_ref_is_an_error_that_names_it(source: Path, tmp_path: Path, ref: str) -> None:
    trees.create(tmp_path / "own.git")
    with pytest.raises(GitError, match=ref):
        trees.import_source(tmp_path / "own.git", str(source), ref)


@pytest.mark.parametrize(("folder", "ref", "named"), [("missing", None, "missing"), ("their project", "nowhere", "nowhere")])
def test_source_that_is_not_there_is_told_in_one_clear_line(desk: Desk, source: Path, folder: str, ref: str | None, named: str) -> None:
    start_from(desk, str(source.parent / folder), ref)
    for _ in range(2):
        done = desk.run(check=1)
        said = [line for line in done.last if line.startswith("phasegate: ")]
        assert len(said) == 1, done.err
        assert named in said[0]
        assert "Traceback" not in done.err + done.out
    assert desk.json("runs/demo/status.json")["state"] == "failed"
