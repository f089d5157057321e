"""The story of agents that leave hostile names and trees: told or refused in one line, nothing followed, nothing hangs."""

from __future__ import annotations

import os
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import INTAKE, Desk, sh

from workflow.work import trees

NAMES = ["with space.md", "quote'\".md", "-dash.md", "--help", "new\nline.md", "tab\t.md", "\x1b[31mred.md", "l" * 200 + ".md",
         "{braces}.md", "a;b$(touch sprung)`x`.md", "*.md", "[x](http:y).md", "ü.md", "README.md", "readme.md", "b\\slash.md"]  # fmt: skip
RAW = [os.fsencode(name) for name in NAMES] + [b"caf\xe9.md"]
LONGEST = "".join(f"{number:x}-" for number in range(80))[:240]
MAKE = """
import os
for name in {names!r}:
    for path in (name, os.path.join(b"sub dir", name)):
        os.makedirs(b"sub dir", exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"content of " + name.decode("utf-8", "replace").encode() + b"\\n")
os.symlink("README.md", "link.md")
os.link("README.md", "hard.md")
"""


def python(code: str) -> list[str]:
    """An agent that is a Python program."""
    return ["python3", "-c", code]


def lines_of_phasegate(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("phasegate: ")]


def test_hostile_names_go_through_the_whole_run_and_come_out_as_they_are(desk: Desk) -> None:
    phases = {
        "plan": {
            "agents": {"writer": {"runner": "make"}, "other": {"runner": "more"}},
            "artifacts": {"required": ["*.md", "sub dir/*.md"]},
        },
        "build": {"agents": {"reader": {"runner": "read"}}, "artifacts": {"required": ["listed.txt"]}},
    }
    check = {"name": "there", "command": ["sh", "-c", 'test "$(cat -- -dash.md)" = "content of -dash.md"'], "environment": "none"}
    phases["plan"]["checks"] = [check]
    runners = {
        "make": python(MAKE.format(names=RAW)),
        "more": sh("echo two > Other.MD; echo two > 'SUB DIR'"),
        "read": sh("find . -name .git -prune -o -type f -print0 | sort -z | xargs -0 cat > ../listed; mv ../listed listed.txt"),
    }
    desk.configure(phases, runners, sandbox="off")
    done = desk.run()
    assert "plan waits for your review (READY FOR REVIEW)" in done.last[-5], done.err
    assert all(line.isprintable() for line in done.last)
    folder = desk.path / "runs/demo"
    wanted = {name for raw in RAW for name in (raw, b"sub dir/" + raw)} | {b"link.md", b"hard.md", b"Other.MD", b"SUB DIR"}
    listed = {os.fsencode(item["path"]) for item in desk.json("runs/demo/plan/manifest.json")["artifacts"]}
    assert listed == wanted
    shown = os.fsencode(folder / "project")
    assert all(os.path.lexists(os.path.join(shown, name)) for name in wanted)
    assert desk.run("verify").code == 0
    with zipfile.ZipFile(folder / "bundles/plan.zip") as archive:
        assert sum(name.startswith("artifacts/") for name in archive.namelist()) == len(wanted)
        assert archive.testzip() is None
    found = {item["path"]: item["kind"] for item in desk.outcome("plan", "writer")["findings"]}
    assert (found["readme.md"], found["-dash.md"], found["hard.md"]) == ("case", "name", "hard link")
    assert desk.outcome("plan", "writer")["findings_count"] >= 20
    page = desk.read("runs/demo/plan/REQUEST.md")
    assert "<summary><b>Unusual files</b>" in page
    assert "is the same as" in page
    assert all(char.isprintable() or char == "\n" for char in page)
    for words in (["status"], ["bundles"], ["diff"]):
        looked = desk.run(*words)
        assert "\x1b" not in looked.out + looked.err
    desk.touch("plan")
    assert "build waits for your review" in desk.run().last[-5]
    assert "content of {braces}.md" in desk.read("runs/demo/project/listed.txt")
    assert not list(desk.path.rglob("sprung"))


@pytest.mark.parametrize(
    "name", ["with space.md", "-dash.md", "quote'\".md", "{braces}.md", "a;b$(touch sprung)`x`.md", "ü.md", LONGEST, "*.md"]
)
def test_file_with_an_odd_name_is_taken_out_of_a_bundle_by_its_path(made: Desk, name: str) -> None:
    target = f"runs/demo/plan/artifacts/{name}"
    made.run(target)
    assert (made.path / target).read_text() == f"content of {name}\n"
    assert not list(made.path.rglob("sprung"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A run whose bundle holds the odd names."""
    desk = Desk(tmp_path_factory.mktemp("made"))
    desk.brief()
    names = [*RAW, LONGEST.encode()]
    desk.configure({"plan": {"agents": {"writer": {"runner": "make"}}}}, {"make": python(MAKE.format(names=names))}, sandbox="off")
    desk.run()
    return desk


REFUSED = {
    "fifo": ("mkfifo pipe", "`pipe` is a FIFO"),
    "rules": ("mkdir sub; mkfifo sub/.gitignore", "`sub/.gitignore` is a FIFO"),
    "socket": ("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"sock\")'", "`sock` is a socket"),
    "absolute": ("ln -s /etc/passwd notes.md", "`notes.md` is a link to an absolute path (/etc/passwd)"),
    "upward": ("mkdir a; ln -s ../../../../../run.json a/x", "`a/x` is a link that leads out of the project (../../../../../run.json)"),
    "nested": ("git init -q inner; echo x > inner/x", "`inner` is a git repository inside the tree"),
    "submodule": ("mkdir lib; echo 'gitdir: ../../.git' > lib/.git", "`lib` is a git repository inside the tree"),
    "many": ("for n in $(seq 60); do : > f$n; done", "`.` holds 61 files; tree.max_files allows 50; raise it, then retry"),
    "large": ("truncate -s 2G huge", "`huge` has 2147483648 bytes; tree.max_file_bytes allows 100000; raise it, then retry"),
    "total": (
        "for n in 1 2 3 4; do truncate -s 90000 f$n; done",
        "`.` holds 360002 bytes in all; tree.max_total_bytes allows 300000; raise it, then retry",
    ),
    "escape": ("mkfifo \"$(printf 'x\\033[31m\\nphasegate: fine')\"", "`x\\x1b[31m\\nphasegate: fine` is a FIFO"),
}
LIMITS = {"max_files": 50, "max_file_bytes": 100_000, "max_total_bytes": 300_000}


def test_each_refused_tree_is_one_clear_line_and_its_neighbours_go_on(desk: Desk) -> None:
    agents = {name: {"runner": name} for name in REFUSED} | {"good": {"runner": "good"}}
    runners = {name: sh(f"echo x > {name}.txt; {script}") for name, (script, _) in REFUSED.items()} | {"good": sh("echo good > good.txt")}
    desk.configure({"plan": {"agents": agents}}, runners, tree=LIMITS)
    done = desk.run(check=1, timeout=240)
    for name, (_, said) in REFUSED.items():
        outcome = desk.outcome("plan", name)
        assert (outcome["status"], outcome["exit_code"]) == ("failed", 0), name
        assert outcome["errors"] == [f"the agent's tree is refused: {said}"], name
        assert outcome["result"]["tree"] == outcome["base"]["tree"]
        assert desk.attempts("plan", name) == 1
    assert [item["path"] for item in desk.json("runs/demo/plan/manifest.json")["artifacts"]] == ["good.txt"]
    assert "plan is blocked (NEEDS ATTENTION): agent fifo: failed" in done.last[-5]
    assert "Traceback" not in done.err
    assert not list((desk.path / "runs/demo/plan/agents").glob("*/attempts/*/work"))
    assert desk.run("verify").code == 0

    desk.configure({"plan": {"agents": agents}}, runners, tree=LIMITS | {"max_files": 70})
    desk.run(check=1)
    assert desk.outcome("plan", "many")["status"] == "failed"  # a limit is no part of what an agent is told
    desk.run("retry", "--config", "phase=plan", "agent=many", check=1)
    assert desk.outcome("plan", "many")["status"] == "succeeded"
    assert (desk.attempts("plan", "many"), desk.attempts("plan", "good")) == (2, 1)


def git(folder: Path, *words: str) -> None:
    """Run git as somebody does."""
    who = ("-c", "user.name=Owner", "-c", "user.email=owner@localhost", "-c", "protocol.file.allow=always")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Somebody's repository, with a submodule."""
    for name in ("library", "theirs"):
        folder = tmp_path / name
        folder.mkdir()
        git(folder, "init", "-q", "-b", "main")
        (folder / "file.txt").write_text("f\n")
        git(folder, "add", "--all")
        git(folder, "commit", "-qm", "first")
    git(tmp_path / "theirs", "submodule", "add", "-q", str(tmp_path / "library"), "lib")
    git(tmp_path / "theirs", "commit", "-qm", "with a submodule")
    return tmp_path / "theirs"


def test_submodules_of_a_source_stay_what_they_are_and_take_no_files(desk: Desk, source: Path) -> None:
    desk.brief(project=INTAKE["project"] | {"source": str(source)})
    phases = {"plan": {"agents": {"writer": {"runner": "write"}, "inside": {"runner": "inside"}}}}
    desk.configure(phases, {"write": sh("echo x > new.txt"), "inside": sh("echo lost > lib/mine.txt")})
    done = desk.run(check=1)
    assert desk.outcome("plan", "inside")["errors"] == [
        "the agent's tree is refused: `lib` is the folder of a submodule, whose files are no part of this project"
    ]
    assert "agent inside: failed" in done.last[-5]
    assert [item["path"] for item in desk.json("runs/demo/plan/manifest.json")["artifacts"]] == ["new.txt"]
    modes = dict(reversed(row) for row in trees.entries(desk.path / "runs/demo/project.git", "refs/phases/plan"))
    assert modes["lib"] == trees.SUBMODULE


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("ln -s /etc/passwd out", "`out` is a link to an absolute path (/etc/passwd)"),
        ("ln -s ../theirs/file.txt out", "`out` is a link that leads out of the project (../theirs/file.txt)"),
        ("head -c 5000 /dev/zero > big", "`big` has 5000 bytes; tree.max_file_bytes allows 4000; raise it, then retry"),
    ],
)
def test_source_that_holds_too_much_or_leads_out_is_refused_in_one_line(desk: Desk, source: Path, script: str, said: str) -> None:
    subprocess.run(["sh", "-c", script], cwd=source, check=True)
    git(source, "add", "--all")
    git(source, "commit", "-qm", "more")
    desk.brief(project=INTAKE["project"] | {"source": str(source)})
    desk.configure({"plan": {"agents": {"writer": {"runner": "write"}}}}, {"write": sh("echo x > new.txt")}, tree={"max_file_bytes": 4000})
    done = desk.run(check=1)
    assert lines_of_phasegate(done.err) == [f"phasegate: start_run: project.source {source} is refused: {said}"]


def test_commit_of_a_person_is_held_against_the_same_rules(desk: Desk) -> None:
    desk.configure({"plan": {"agents": {"writer": {"runner": "write"}}}}, {"write": sh("echo x > new.txt")})
    desk.run()
    project = desk.path / "runs/demo/project"
    (project / "out").symlink_to("/etc/passwd")
    git(project, "add", "--all")
    git(project, "commit", "-qm", "mine")
    done = desk.run("adopt", "--config", "by=Ann", check=1)
    assert lines_of_phasegate(done.err) == [
        "phasegate: runs/demo/project: your commit is refused: `out` is a link to an absolute path (/etc/passwd); "
        "mend it there, commit, then adopt"
    ]
    assert not (desk.path / "runs/demo/plan/adoptions").exists()
    (project / "out").unlink()
    (project / "fine.txt").write_text("fine\n")
    git(project, "add", "--all")
    git(project, "commit", "-qm", "mended")
    assert "plan waits for your review" in desk.run("adopt", "--config", "by=Ann").last[-5]
