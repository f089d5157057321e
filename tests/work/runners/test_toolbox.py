"""What the API runner's model may do in a tree, and that nothing leads out of it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from workflow.work.runners import toolbox
from workflow.work.runners.toolbox import Refused, Toolbox


@pytest.fixture
def box(tmp_path: Path) -> Toolbox:
    tree = tmp_path / "tree"
    for name, text in {"src/half.py": "def half(x):\n    return x / 3\n", "README.md": "# Half\n", ".git/config": "[core]\n"}.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (tmp_path / "secret.txt").write_text("a secret\n")
    (tree / "out").symlink_to(tmp_path)
    (tree / "leak.txt").symlink_to(tmp_path / "secret.txt")
    return Toolbox(tree, (*toolbox.PROGRAMS, sys.executable))


def test_it_lists_reads_and_searches(box: Toolbox) -> None:
    assert [line.split("\t")[0] for line in box.list_files().splitlines()] == ["README.md", "leak.txt", "src/half.py"]
    assert box.list_files("src") == "src/half.py\t30"
    assert box.read_file("src/half.py", 2) == "    return x / 3\n"
    assert box.search(r"x / \d") == "src/half.py:2:     return x / 3"
    assert box.search("secret") == "(no match)"


def test_it_writes_and_edits(box: Toolbox) -> None:
    box.write_file("docs/new/page.md", "one\n")
    assert box.edit_file("src/half.py", "x / 3", "x / 2").startswith("wrote src/half.py")
    assert (box.tree / "docs/new/page.md").read_text() == "one\n"
    assert (box.tree / "src/half.py").read_text() == "def half(x):\n    return x / 2\n"


@pytest.mark.parametrize(
    "path",
    ["../secret.txt", "/etc/passwd", "out/secret.txt", "leak.txt", "src/../../secret.txt", ".git/config", "src/../.git/hooks/x", "a\0b"],
)
def test_paths_that_lead_out_of_the_tree_are_refused(box: Toolbox, path: str) -> None:
    before = (box.tree.parent / "secret.txt").read_text()
    for use in (box.read_file, lambda path: box.write_file(path, "mine"), lambda path: box.edit_file(path, "a", "b"), box.list_files):
        with pytest.raises(Refused):
            use(path)
    assert (box.tree.parent / "secret.txt").read_text() == before
    assert not (box.tree / ".git/hooks").exists()


@pytest.mark.parametrize(("old", "said"), [("nothing such", "stands 0 times"), ("", "stands 0 times"), ("x", "stands 2 times")])
def test_an_edit_that_is_not_clear_is_refused_with_the_reason(box: Toolbox, old: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        box.edit_file("src/half.py", old, "y")


def test_only_allowed_programs_run_without_a_shell(box: Toolbox) -> None:
    assert box.run([sys.executable, "-c", "import os; print(os.path.basename(os.getcwd()))"]) == "exit code 0\ntree\n"
    assert box.run([sys.executable, "-c", "import sys; sys.exit(3)"]).startswith("exit code 3")
    for command in (["sh", "-c", "true"], ["./script"], [], ["curl", "http://127.0.0.1"]):
        with pytest.raises(Refused, match="only these programs"):
            box.run(command)


def test_a_program_that_does_not_end_is_stopped_with_its_children(box: Toolbox) -> None:
    slow = Toolbox(box.tree, (sys.executable,), timeout_s=0.5)
    script = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); time.sleep(60)"
    assert slow.run([sys.executable, "-c", script]) == "stopped after 0.5 s"


def test_long_texts_are_cut(box: Toolbox) -> None:
    (box.tree / "long.txt").write_text("line\n" * 50_000)
    assert len(box.read_file("long.txt")) < toolbox.TEXT_LIMIT + 100
    assert len(box.search("line").splitlines()) == toolbox.MATCHES + 1
    assert len(box.run([sys.executable, "-c", "print('x' * 1000000)"])) < toolbox.TEXT_LIMIT


def test_programs_of_the_phases_checks_may_be_run() -> None:
    named = toolbox.programs_of([{"command": ["tox", "-q"]}, {"command": ["./run"]}, {"command": "x"}, {}])
    assert named == (*toolbox.PROGRAMS, "tox")
