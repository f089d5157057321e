"""Inspection: whatever an agent leaves in its tree is taken, told, or refused in one line; never followed, never a hang."""

from __future__ import annotations

import os
import socket
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from runs import tree_of
from test_trees import HOSTILE, as_plain_user, own_git, work_tree

from workflow.errors import GitError
from workflow.work import inspection, naming, trees

LIMITS = {"max_files": 10, "max_file_bytes": 1000, "max_total_bytes": 3000}


class Desk:
    """A repository with one commit, and an agent's tree of it."""

    def __init__(self, folder: Path, content: dict[str, str | bytes] | None = None) -> None:
        self.repo = folder / "project.git"
        trees.create(self.repo)
        self.base = tree_of(self.repo, content if content is not None else {"kept.txt": "k"})
        self.tree = work_tree(self.repo, self.base, folder / "tree")

    def take(self, **limits: int) -> inspection.Taken:
        """What becomes of the tree."""
        return inspection.take(self.repo, self.base.commit, self.tree, limits)

    def refused(self, **limits: int) -> str:
        """Why it is refused, which is one line."""
        taken = self.take(**limits)
        assert taken.tree is None
        assert taken.refused.startswith("the agent's tree is refused: ")
        assert taken.refused.isprintable()
        return taken.refused.removeprefix("the agent's tree is refused: ")

    def paths(self, **limits: int) -> list[str]:
        """The files that come in."""
        taken = self.take(**limits)
        assert taken.tree is not None, taken.refused
        return trees.files(self.repo, taken.tree)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def make_socket(path: Path) -> None:
    """A socket with a name longer than the kernel takes at once."""
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(here)


SPECIAL = {
    "a FIFO": os.mkfifo,
    "a socket": make_socket,
    "a device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 3)),
}


@pytest.mark.parametrize("place", ["pipe", "a folder/pipe", "kept.txt", ".gitignore", "sub/.gitignore", ".gitattributes", ".gitmodules"])
@pytest.mark.parametrize("kind", SPECIAL)
def test_special_file_is_refused_at_any_place_without_being_opened(desk: Desk, place: str, kind: str) -> None:
    path = desk.tree / place
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        SPECIAL[kind](path)
    except PermissionError:
        pytest.skip("only root makes devices")
    assert desk.refused() == f"`{place}` is {kind}"


def test_special_file_that_is_ignored_is_no_part_of_the_result(desk: Desk) -> None:
    (desk.tree / ".gitignore").write_text("*.sock\ncache/\n")
    (desk.tree / "cache").mkdir()
    make_socket(desk.tree / "x.sock")
    os.mkfifo(desk.tree / "cache/pipe")
    assert desk.paths() == [".gitignore", "kept.txt"]
    os.mkfifo(desk.tree / "pipe")
    assert desk.refused() == "`pipe` is a FIFO"


def test_special_git_of_the_tree_itself_is_not_looked_at(desk: Desk) -> None:
    trees.remove(desk.tree / ".git")
    os.mkfifo(desk.tree / ".git")
    assert desk.paths() == ["kept.txt"]


@pytest.mark.parametrize(
    ("where", "target", "why"),
    [
        ("out", "/etc/passwd", "is a link to an absolute path (/etc/passwd)"),
        ("out", "..", "is a link that leads out of the project (..)"),
        ("out", "../tree/kept.txt", "is a link that leads out of the project (../tree/kept.txt)"),
        ("a/b/out", "../../../x", "is a link that leads out of the project (../../../x)"),
        ("a/out", "./.././../x", "is a link that leads out of the project (./.././../x)"),
        ("out", "a/../../x", "is a link that goes up again after it has gone down (a/../../x)"),
        ("out", ".git/config", "is a link into git's own files (.git/config)"),
        ("out", ".GIT/hooks", "is a link into git's own files (.GIT/hooks)"),
        ("out", "..\\..\\x", "is a link that leads out of the project (..\\..\\x)"),
        ("out", "C:/x", "is a link to an absolute path (C:/x)"),
        ("out", "/new\nline\x1b[31m", "is a link to an absolute path (/new\\nline\\x1b[31m)"),
        ("out", "/" + "x" * 900, f"is a link to an absolute path (/{'x' * 79}...)"),
    ],
)
def test_link_that_leads_out_is_refused(desk: Desk, where: str, target: str, why: str) -> None:
    path = desk.tree / where
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
    assert desk.refused() == f"`{where}` {why}"


def test_links_within_the_project_and_ignored_ones_stay(desk: Desk) -> None:
    (desk.tree / "a/b").mkdir(parents=True)
    for where, target in {
        "same": "kept.txt",
        "a/b/up": "../../kept.txt",
        "a/dir": "b",
        "gone": "nowhere",
        "loop": "loop",
        "top": ".",
    }.items():
        (desk.tree / where).symlink_to(target)
    (desk.tree / ".gitignore").write_text(".venv/\n")
    (desk.tree / ".venv").mkdir()
    (desk.tree / ".venv/python").symlink_to("/usr/bin/python3")
    assert desk.paths() == [".gitignore", "a/b/up", "a/dir", "gone", "kept.txt", "loop", "same", "top"]


def test_no_merge_of_links_that_are_taken_leads_out(tmp_path: Path) -> None:
    """Two links that are harmless alone, and would lead out one through the other, are not both taken."""
    desk = Desk(tmp_path, {"d/e/f": "x"})
    (desk.tree / "up").symlink_to("d/e")
    assert "up" in desk.paths()
    (desk.tree / "out").symlink_to("up/../../..")  # lexically in the folder above, really two further up
    assert "goes up again" in desk.refused()


def test_repository_inside_the_tree_is_refused_whatever_it_looks_like(desk: Desk) -> None:
    for name, words in {"full": ["init"], "bare.git": ["init", "--bare"], "deep/one": ["init"]}.items():
        own_git(desk.tree, *words, name)
        assert desk.refused() == f"`{name}` is a git repository inside the tree"
        trees.remove(desk.tree / name)
    (desk.tree / "linked").mkdir()
    (desk.tree / "linked/.git").write_text("gitdir: /elsewhere\n")
    assert desk.refused() == "`linked` is a git repository inside the tree"
    (desk.tree / ".gitignore").write_text("linked\n")
    assert desk.paths() == [".gitignore", "kept.txt"]


@pytest.mark.parametrize("name", [".GIT/config", ".git /x", "git~1/x"])
def test_name_that_is_git_on_another_system_is_refused(desk: Desk, name: str) -> None:
    (desk.tree / name).parent.mkdir()
    (desk.tree / name).write_text("x")
    with pytest.raises(GitError, match=f"invalid path '{name}'"):
        desk.take()


def test_name_that_leads_out_on_windows_is_refused(desk: Desk) -> None:
    (desk.tree / "..\\..\\evil.txt").write_text("x")
    assert "leads out of the project on Windows" in desk.refused()


def test_files_that_an_agent_leaves_in_the_folder_of_a_submodule_are_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    listed = f"160000 commit {'1' * 40}\tlib\n{trees.git('ls-tree', desk.base.tree, repo=desk.repo)}"
    tree = trees.git("mktree", "--missing", repo=desk.repo, data=listed.encode()).strip()
    desk.base = trees.commit_tree(desk.repo, tree, [], "m", "2000-01-01T00:00:00Z")
    work_tree(desk.repo, desk.base, desk.tree)
    (desk.tree / "new.txt").write_text("n")
    assert desk.paths() == ["kept.txt", "lib", "new.txt"]
    (desk.tree / "lib/mine.txt").write_text("lost")
    assert desk.refused() == "`lib` is the folder of a submodule, whose files are no part of this project"


def test_limits_hold_for_one_file_for_their_number_and_for_all_together(desk: Desk) -> None:
    (desk.tree / "exact").write_bytes(b"x" * 1000)
    assert "exact" in desk.paths(**LIMITS)
    (desk.tree / "large").write_bytes(b"x" * 1001)
    assert desk.refused(**LIMITS) == "`large` has 1001 bytes; tree.max_file_bytes allows 1000; raise it, then retry"
    (desk.tree / "large").unlink()
    for number in range(3):
        (desk.tree / f"f{number}").write_bytes(b"x" * 900)
    assert desk.refused(**LIMITS) == "`.` holds 3701 bytes in all; tree.max_total_bytes allows 3000; raise it, then retry"
    for number in range(9):
        (desk.tree / f"f{number}").write_bytes(b"")
    assert desk.refused(**LIMITS) == "`.` holds 11 files; tree.max_files allows 10; raise it, then retry"
    (desk.tree / "f8").unlink()
    assert len(desk.paths(**LIMITS)) == 10


def test_what_is_ignored_does_not_count(desk: Desk) -> None:
    (desk.tree / ".gitignore").write_text("node_modules\n")
    (desk.tree / "node_modules").mkdir()
    for number in range(40):
        (desk.tree / f"node_modules/{number}").write_bytes(b"x" * 2000)
    assert desk.paths(**LIMITS) == [".gitignore", "kept.txt"]


def test_walk_gives_up_where_even_the_ignored_files_are_far_too_many(desk: Desk) -> None:
    (desk.tree / ".gitignore").write_text("*\n")
    (desk.tree / "many").mkdir()
    for number in range(1100):
        (desk.tree / f"many/{number}").touch()
    assert "more than 1040 files and folders, ignored ones included; tree.max_files allows 10" in desk.refused(**LIMITS)


def test_rules_for_git_that_would_take_for_ever_are_refused(desk: Desk) -> None:
    (desk.tree / "sub").mkdir()
    (desk.tree / "sub/.gitignore").write_text("a*b*c*d\n" * 40_000)
    assert desk.refused() == "`sub/.gitignore` has 320000 bytes of rules for git; 262144 are allowed"


def test_path_that_is_far_too_deep_is_refused_and_removed_again(desk: Desk) -> None:
    here = os.getcwd()
    os.chdir(desk.tree)
    try:
        for _ in range(1500):
            os.mkdir("deep")
            os.chdir("deep")
        Path("end").touch()
    finally:
        os.chdir(here)
    assert "has a path longer than 2000 bytes" in desk.refused()
    trees.remove(desk.tree)
    assert not desk.tree.exists()


def test_hostile_names_come_in_as_they_are_and_are_told(desk: Desk) -> None:
    for name in HOSTILE:
        goal = os.path.join(os.fsencode(desk.tree), name)
        os.makedirs(os.path.dirname(goal), exist_ok=True)
        Path(os.fsdecode(goal)).write_bytes(b"x")
    taken = desk.take()
    assert taken.tree is not None
    assert set(trees.files(desk.repo, taken.tree)) == {"kept.txt", *map(os.fsdecode, HOSTILE)}
    told = {item.path: item.reason for item in taken.findings}
    assert told[os.fsdecode(b"caf\xe9.txt")] == "has a name that is not UTF-8"
    assert told["new\nline.txt"] == told["tab\there"] == "has control or invisible characters in its name"
    assert told["-rf"] == "has a name that begins with a dash, which programs take for an option"
    assert told[" blank "].startswith("has a name that begins or ends with a blank")
    assert told["deep/" + "d" * 200 + "/" + "f" * 250] == "has a name of 200 bytes"
    assert told["*"] == "has a name that Windows does not allow"
    assert "ü/日本.txt" not in told
    assert all(item.text.isprintable() for item in taken.findings)


def test_names_that_differ_only_in_case_or_form_are_told_for_each_other(tmp_path: Path) -> None:
    desk = Desk(tmp_path, {"README.md": "r", "old/a": "1", "OLD/a": "2"})
    for name in ("readme.MD", "Docs/x.md", "docs/y.md", "caf\u00e9", "cafe\u0301", "plain"):
        (desk.tree / name).parent.mkdir(exist_ok=True)
        (desk.tree / name).write_text("x")
    found = {item.path: item.reason for item in desk.take().findings if item.kind == "case"}
    assert found == {
        "readme.MD": "is the same as `README.md` where upper and lower case do not count",
        "Docs/x.md": "is the same as `docs` where upper and lower case do not count",
        "docs/y.md": "is the same as `Docs` where upper and lower case do not count",
        "caf\u00e9": "is the same as `cafe\u0301` where upper and lower case do not count",
        "cafe\u0301": "is the same as `caf\u00e9` where upper and lower case do not count",
    }


def test_hard_links_are_copied_and_told(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("theirs")
    os.link(tmp_path / "outside", desk.tree / "linked")
    (desk.tree / "one").write_text("1")
    os.link(desk.tree / "one", desk.tree / "two")
    taken = desk.take()
    assert {item.path: item.reason for item in taken.findings} == {
        "linked": "has 2 names (hard links), 1 of them outside of the tree; it was copied",
        "one": "has 2 names (hard links)",
        "two": "has 2 names (hard links)",
    }
    assert taken.tree is not None
    trees.check_out(desk.repo, trees.commit_tree(desk.repo, taken.tree, [], "m", "2000-01-01T00:00:00Z").commit, tmp_path / "next")
    assert (tmp_path / "next/linked").stat().st_nlink == 1


def test_what_cannot_be_read_is_refused_and_not_taken_for_deleted(tmp_path: Path) -> None:
    made = """
import sys
from pathlib import Path
from runs import tree_of
from workflow.work import inspection, trees
top = Path(sys.argv[1])
repo = top / "project.git"
trees.create(repo)
base = tree_of(repo, {"kept.txt": "k", "dir/a": "a", "open": "o"})
tree = top / "tree"
for place in ("dir", "open", "."):
    trees.check_out(repo, base.commit, tree)
    (tree / place).chmod(0)
    print(inspection.take(repo, base.commit, tree, {}).refused)
    trees.remove(tree)
    assert not tree.exists()
"""
    tmp_path.chmod(0o777)
    done = as_plain_user(made, str(tmp_path))
    assert done.stdout.splitlines() == [
        "the agent's tree is refused: `dir` cannot be read: Permission denied",
        "the agent's tree is refused: `open` cannot be read: its owner took the permission away",
        "the agent's tree is refused: `.` cannot be read: Permission denied",
    ], done.stderr


def test_many_refusals_are_summed_up_and_counted(desk: Desk) -> None:
    for number in range(70):
        os.mkfifo(desk.tree / f"pipe{number:02d}")
    taken = desk.take()
    assert taken.refused.endswith("`pipe00` is a FIFO; `pipe01` is a FIFO; `pipe02` is a FIFO; and 67 more")
    assert (len(taken.findings), len(naming.rows(taken.findings))) == (70, 50)


def test_snapshot_is_stopped_where_git_hangs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the inspection to miss something that git waits for."""
    monkeypatch.setattr(trees, "READING_S", 0.5)
    os.mkfifo(desk.tree / ".gitignore")
    with pytest.raises(GitError, match=r"^git add was stopped after 0\.5 s$"):
        trees.snapshot(desk.repo, desk.base.commit, desk.tree)


def judged(desk: Desk, content: dict[str, Any], **limits: int) -> list[str]:
    commit = tree_of(desk.repo, content)
    changes = trees.changes(desk.repo, trees.empty(desk.repo), commit.commit)
    return [item.text for item in inspection.judge_changes(desk.repo, changes, limits)]


def test_commits_are_held_against_the_same_limits(desk: Desk) -> None:
    assert judged(desk, {"a": "x"}) == []
    assert judged(desk, {"a": "x" * 9}, max_file_bytes=8) == ["`a` has 9 bytes; tree.max_file_bytes allows 8; raise it, then retry"]
    assert judged(desk, {"a": "x", "b": "x"}, max_files=1) == ["`.` holds 2 files; tree.max_files allows 1; raise it, then retry"]
    assert judged(desk, {"a": "xx", "b": "xx"}, max_total_bytes=3) == [
        "`.` holds 4 bytes in all; tree.max_total_bytes allows 3; raise it, then retry"
    ]


@pytest.mark.long
def test_a_hundred_thousand_files_are_taken_and_one_more_is_refused(desk: Desk) -> None:
    for folder in range(100):
        (desk.tree / f"d{folder}").mkdir()
        for number in range(1000):
            (desk.tree / f"d{folder}/{number}").touch()
    begin = time.monotonic()
    assert "holds 100001 files; tree.max_files allows 100000" in desk.refused()
    refused_s = time.monotonic() - begin
    (desk.tree / "kept.txt").unlink()
    begin = time.monotonic()
    assert len(desk.paths()) == 100_000
    print(f"100,000 files: refused in {refused_s:.1f} s, taken in {time.monotonic() - begin:.1f} s")


@pytest.mark.long
def test_a_file_of_a_gigabyte_is_refused_without_being_read(desk: Desk) -> None:
    with (desk.tree / "huge").open("wb") as file:
        file.truncate(1 << 30)
    begin = time.process_time()
    assert "`huge` has 1073741824 bytes; tree.max_file_bytes allows 104857600" in desk.refused()
    assert time.process_time() - begin < 5
