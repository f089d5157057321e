"""Publishing: a line of commits whose trees are those that were approved, the same ones each time, and what they cannot carry."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from runs import tree_of

from workflow import files
from workflow.errors import GitError, RunError, UsageError
from workflow.work import publishing, trees

GOAL = "Mend it,\nFrom: nobody"


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """A run that starts from a source with the file `a`."""
    folder = tmp_path / "runs/demo"
    trees.create(folder / "project.git")
    begin(folder, {"a": "1\n"})
    files.write_json(folder / "run.json", {"started_at": "2026-01-01T00:00:00.000Z"})
    return folder


def begin(run_dir: Path, content: dict[str, str | bytes], source: str | None = "/source") -> trees.Commit:
    start = tree_of(run_dir / "project.git", content)
    files.write_json(run_dir / "start.json", {"commit": start.commit, "tree": start.tree, "source": source})
    return start


def phase(run_dir: Path, name: str, content: dict[str, str | bytes], *parents: str, **more: Any) -> str:
    """What a phase leaves behind when it was merged and shown; its commit."""
    made = tree_of(run_dir / "project.git", content, list(parents) or [files.read_json(run_dir / "start.json")["commit"]])
    rows = {"status": "succeeded", "exit_code": 0, "tree": made.tree}
    subject = {
        "tree": made.tree, "files": [{"path": "a"}], "deleted": [], "agents": [{"name": "fixer", **rows}], "adoptions": [],
        "validation": {"checks": [{"name": "tests", "status": "pass"}]},
    }  # fmt: skip
    manifest = {"phase": name, "run_id": "demo", "created_at": "2026-01-02T00:00:00.000Z", "digest": "d" * 64, "subject": subject | more}
    files.write_json(run_dir / name / "manifest.json", manifest)
    files.write_json(run_dir / name / "merge.json", {"commit": made.commit, "tree": made.tree})
    return made.commit


def show(run_dir: Path, *words: str) -> str:
    return trees.git(*words, repo=run_dir / "project.git").strip()


def test_line_has_the_approved_trees_on_top_of_the_source_and_is_the_same_each_time(run_dir: Path) -> None:
    one = phase(run_dir, "one", {"a": "2\n"})
    same = phase(run_dir, "same", {"a": "2\n"}, one)
    two = phase(run_dir, "two", {"a": "2\n", "b": "new\n"}, same, adoptions=[{"by": "Ann <ann@localhost>"}, {"by": "bob"}])
    made = publishing.line(run_dir, ["one", "same", "two"], GOAL)
    assert list(made.commits) == ["one", "two"]
    start = files.read_json(run_dir / "start.json")["commit"]
    assert show(run_dir, "log", "--format=%H", made.tip).split() == [made.commits["two"], made.commits["one"], start]
    assert trees.resolve(run_dir / "project.git", made.tip).tree == trees.resolve(run_dir / "project.git", two).tree == made.tree
    assert show(run_dir, "log", "-1", "--format=%B", made.tip).splitlines() == [
        "two: 1 file changed by fixer",
        "",
        "Asked for: Mend it, From: nobody",
        "Checks: tests pass",
        "",
        "Phasegate-Run: demo",
        f"Phasegate-Digest: {'d' * 64}",
        "Co-authored-by: Ann <ann@localhost>",
    ]
    manifest = files.read_json(run_dir / "two/manifest.json")
    files.write_json(run_dir / "two/manifest.json", manifest | {"created_at": "2026-03-03T00:00:00.000Z"})  # made again, the same
    assert publishing.line(run_dir, ["one", "same", "two"], GOAL) == made


def test_phases_side_by_side_become_one_line(run_dir: Path) -> None:
    left = phase(run_dir, "left", {"a": "1\n", "left": "l\n"})
    right = phase(run_dir, "right", {"a": "1\n", "right": "r\n"})
    made = publishing.line(run_dir, ["left", "right"], GOAL)
    assert trees.files(run_dir / "project.git", made.commits["left"]) == ["a", "left"]
    assert trees.files(run_dir / "project.git", made.tip) == ["a", "left", "right"]
    assert publishing.notes(run_dir / "project.git", made) == [
        "right was approved side by side with another phase; nobody has reviewed their merge"
    ]
    base = tree_of(run_dir / "project.git", {"a": "1\n", "left": "l\n", "right": "r\n"}, [left, right]).commit
    phase(run_dir, "after", {"a": "1\n", "left": "changed\n", "right": "too\n"}, base)  # made on a merge of its own
    last = publishing.line(run_dir, ["left", "right", "after"], GOAL)
    assert (last.commits["right"], last.joined) == (made.tip, ())
    assert trees.read_file(run_dir / "project.git", last.tip, "right") == b"too\n"


def test_phases_that_do_not_merge_are_named(run_dir: Path) -> None:
    phase(run_dir, "left", {"a": "l\n"})
    phase(run_dir, "right", {"a": "r\n"})
    with pytest.raises(UsageError, match="^right does not merge with the phases before it in a; publish one side with --config phase="):
        publishing.line(run_dir, ["left", "right"], GOAL)
    assert list(publishing.line(run_dir, ["right"], GOAL).commits) == ["right"]


def test_nothing_that_changed_is_nothing_to_publish(run_dir: Path) -> None:
    phase(run_dir, "one", {"a": "1\n"})
    with pytest.raises(UsageError, match="^there is nothing to publish: one changed no file"):
        publishing.line(run_dir, ["one"], GOAL)


def test_merge_that_is_not_what_was_approved_is_not_published(run_dir: Path) -> None:
    phase(run_dir, "one", {"a": "2\n"})
    other = tree_of(run_dir / "project.git", {"a": "evil\n"})
    files.write_json(run_dir / "one/merge.json", {"commit": other.commit, "tree": other.tree})
    with pytest.raises(RunError, match="merge.json is not what one's manifest shows"):
        publishing.line(run_dir, ["one"], GOAL)


def test_run_from_nothing_begins_with_its_first_phase(run_dir: Path) -> None:
    begin(run_dir, {}, source=None)
    phase(run_dir, "one", {"a": "2\n"})
    made = publishing.line(run_dir, ["one"], GOAL)
    assert (made.start, show(run_dir, "rev-list", "--count", made.tip)) == (None, "1")


def test_lfs_pointers_and_submodules_stay_as_they_are_and_it_is_said(run_dir: Path) -> None:
    repo = run_dir / "project.git"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 5\n"
    start = begin(run_dir, {"a": "1\n", "data/.gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n", "data/x.bin": pointer})
    listed = trees.git("ls-tree", "-z", start.tree, repo=repo).encode() + f"160000 commit {start.commit}\tlib\0".encode()
    tree = trees.git("mktree", "-z", repo=repo, data=listed).strip()
    assert publishing.notes(repo, publishing.Line(None, {}, tree)) == [
        "git LFS: pointers are published as they are; the objects behind them are not moved (git lfs push)",
        "submodules: 1, published as the commits that they name; their own repositories are not touched",
    ]
    assert trees.read_file(repo, tree, "data/x.bin").decode() == pointer
    assert publishing.notes(repo, publishing.Line(None, {}, tree_of(repo, {"a": "filter=lfs"}).tree)) == []


def test_history_of_20_000_commits_is_imported_in_reasonable_time(tmp_path: Path) -> None:
    source, repo = tmp_path / "source.git", tmp_path / "own.git"
    trees.create(source)
    head = "commit refs/heads/main\ncommitter x <x@localhost> 1600000000 +0000\ndata 1\nx\n"
    stream = "".join(f"{head}M 100644 inline f{n % 100}\ndata {len(str(n))}\n{n}\n" for n in range(20_000))
    subprocess.run(["git", "--git-dir", source, "fast-import", "--quiet"], input=stream.encode(), check=True)
    trees.create(repo)
    begun = time.monotonic()
    found = trees.import_source(repo, str(source), None)
    assert time.monotonic() - begun < 60
    assert trees.git("rev-list", "--count", found.commit, repo=repo).strip() == "20000"
    print(f"imported in {time.monotonic() - begun:.1f} s")


@pytest.mark.parametrize("ref", [None, "main"])
def test_shallow_source_is_refused_in_one_line(tmp_path: Path, ref: str | None) -> None:
    full = tmp_path / "full.git"
    trees.create(full)
    older = tree_of(full, {"a": "1"})
    trees.git("update-ref", "refs/heads/main", tree_of(full, {"a": "2"}, [older.commit]).commit, repo=full)
    subprocess.run(["git", "clone", "-q", "--depth", "1", full.as_uri(), tmp_path / "shallow"], check=True)
    trees.create(tmp_path / "own.git")
    with pytest.raises(
        GitError, match="shallow is a shallow clone; name the repository it comes from, or complete it: git fetch --unshallow"
    ):
        trees.import_source(tmp_path / "own.git", str(tmp_path / "shallow"), ref)
