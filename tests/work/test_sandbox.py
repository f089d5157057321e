"""What a program can see and change while it runs, with the real bubblewrap."""

from __future__ import annotations

import os
import shutil
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from runs import OPEN_AIR, Run, check

from workflow.errors import RunError
from workflow.work import processes, runners, sandbox, trees

needs_bubblewrap = pytest.mark.skipif(not sandbox.works(), reason="bubblewrap does not work here")


@pytest.fixture
def without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """A machine on whose PATH there is no bwrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "true", "mkdir"):
        for place in os.environ["PATH"].split(os.pathsep):
            if (Path(place) / name).exists():
                (folder / name).symlink_to(Path(place) / name)
                break
    monkeypatch.setenv("PATH", str(folder))
    sandbox.works.cache_clear()
    yield
    monkeypatch.undo()
    sandbox.works.cache_clear()


def lines(room: sandbox.Room, script: str, workdir: Path, reads: tuple[Path, ...] = (), allowed: tuple[str, ...] = ()) -> list[str]:
    """What a shell script says inside the sandbox."""
    env = sandbox.environment(room, allowed, {})
    log = room.tree.parent / "log"
    command = sandbox.wrap("bubblewrap", ["sh", "-c", script], room, workdir, reads, env["PATH"])
    processes.run(command, room.tree, env, log, 20)
    return log.read_text().splitlines()


@pytest.fixture
def room(run: Run, tmp_path: Path) -> sandbox.Room:
    """An attempt's folders inside a working directory with a run, a marker and another run."""
    made = sandbox.Room.inside(tmp_path / "runs/demo/plan/agents/writer/attempts/001/work")
    made.tree.mkdir()
    run.marker().write_text("approved")
    (tmp_path / "runs/other").mkdir()
    (tmp_path / "runs/other/secret").write_text("secret")
    return made


@needs_bubblewrap
def test_only_tree_home_and_temporary_folder_are_writable_and_they_are_private(room: sandbox.Room, tmp_path: Path) -> None:
    outside = [tmp_path / "new", tmp_path / "runs/demo/plan/APPROVED", Path("/etc/new"), Path(sys.prefix) / "new", Path("/usr/new")]
    tries = "; ".join(f"touch '{path}' 2>/dev/null && echo wrote {path}" for path in outside)
    said = lines(
        room, f"{tries}; echo a > tree.txt; echo b > $HOME/h; echo c > $TMPDIR/t; ls -A /tmp | grep -v ^pytest; echo done", tmp_path
    )
    assert said[-1] == "done"
    assert [path for path in outside if path.exists() and "APPROVED" not in path.name] == []
    assert (tmp_path / "runs/demo/plan/APPROVED").read_text() == "approved"
    assert [path.read_text() for path in (room.tree / "tree.txt", room.home / "h", room.tmp / "t")] == ["a\n", "b\n", "c\n"]


@needs_bubblewrap
def test_other_runs_markers_and_the_rest_of_tmp_cannot_be_seen(room: sandbox.Room, tmp_path: Path) -> None:
    (tmp_path.parent / "neighbour").write_text("x")
    script = f"find '{tmp_path.parent}' -type f; ls -A /var/tmp; cat '{tmp_path}/runs/other/secret' 2>/dev/null; echo $HOME; pwd; pwd > f"
    said = lines(room, script, tmp_path)
    assert said == [str(room.home), str(room.tree)]
    assert (room.tree / "f").is_file()


@needs_bubblewrap
def test_what_it_must_read_is_there_to_read_only(room: sandbox.Room, tmp_path: Path) -> None:
    prompt = tmp_path / "runs/demo/plan/prompt.md"
    prompt.write_text("the prompt")
    assert lines(room, f"cat '{prompt}'; (echo >> '{prompt}') 2>/dev/null || echo ' kept'", tmp_path, (prompt,)) == ["the prompt kept"]
    assert prompt.read_text() == "the prompt"


@needs_bubblewrap
def test_users_home_is_hidden_but_for_the_programs_on_path(room: sandbox.Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh/id").write_text("private")
    (home / "bin").mkdir()
    (home / "bin/tool").write_text("#!/bin/sh\necho a tool of the user\n")
    (home / "bin/tool").chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
    assert lines(room, f"ls -A '{home}'; tool", tmp_path / "runs") == ["bin", "a tool of the user"]


@needs_bubblewrap
def test_python_of_the_virtual_environment_works(room: sandbox.Room, tmp_path: Path) -> None:
    assert lines(room, f"'{sys.executable}' -c 'import yaml, sys; print(sys.prefix)'", tmp_path) == [sys.prefix]


@needs_bubblewrap
def test_programs_and_links_inside_the_hidden_working_directory_work(room: sandbox.Room, tmp_path: Path) -> None:
    """The usual place of a virtual environment: `.venv` in the clone in which people work."""
    venv.create(tmp_path / ".venv", symlinks=True)
    python = tmp_path / ".venv/bin/python"
    env = sandbox.environment(room, (), {})
    command = sandbox.wrap(
        "bubblewrap", [str(python), "-c", "import sys; print(sys.prefix)"], room, tmp_path, (python.parents[1],), env["PATH"]
    )
    ended = processes.run(command, room.tree, env, tmp_path / "log", 20)
    assert (ended.exit_code, (tmp_path / "log").read_text().strip()) == (0, str(tmp_path / ".venv"))


@needs_bubblewrap
def test_the_embedded_runner_works_in_a_clone_and_sees_no_runs_in_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(ROOT / "workflow", clone / "workflow", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "scripts", clone / "scripts")
    monkeypatch.setattr(runners, "ROOT", clone)
    monkeypatch.chdir(clone)
    here = Run()
    here.start()
    here.phase()
    outcome = here.agent("analyst", "", runner={"name": "scaffold"}, role="analyst", policy=replace(OPEN_AIR, sandbox="require"))
    assert (outcome["status"], outcome["runner"]["name"]) == ("succeeded", "scaffold"), outcome
    spec = runners.from_brief({"name": "scaffold"})
    room = sandbox.Room.inside(clone / "runs/demo/x")
    room.tree.mkdir()
    assert lines(room, f"ls '{clone}/runs/demo' '{clone}'", clone, spec.reads) == [
        f"{clone}:",
        "runs",
        "scripts",
        "workflow",
        "",
        f"{clone}/runs/demo:",
        "x",
    ]


@needs_bubblewrap
def test_processes_of_the_machine_are_out_of_sight(room: sandbox.Room, tmp_path: Path) -> None:
    said = lines(room, f"[ -e /proc/{os.getpid()}/environ ] && cat /proc/{os.getpid()}/cmdline; ls /proc | grep -c '^[0-9]*$'", tmp_path)
    assert int(said[-1]) < 10
    assert "pytest" not in "".join(said)


@needs_bubblewrap
def test_exit_codes_signals_and_the_time_limit_come_through(room: sandbox.Room, tmp_path: Path) -> None:
    env = sandbox.environment(room, (), {})

    def ended(script: str, timeout_s: float = 20) -> int:
        command = sandbox.wrap("bubblewrap", ["sh", "-c", script], room, tmp_path, (), env["PATH"])
        return processes.run(command, room.tree, env, tmp_path / "log", timeout_s).exit_code

    assert [ended("exit 7"), ended("sh -c 'kill -KILL $$'"), ended("(setsid sleep 60 &) ; exit 0"), ended("sleep 60", 0.5)] == [
        7,
        137,
        0,
        124,
    ]


def test_environment_holds_what_is_allowed_by_name_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"SECRET_TOKEN": "s", "ALLOWED_KEY": "a", "LANG": "C.UTF-8", "PYTHONPATH": "/p", "GIT_DIR": "/g"}.items():
        monkeypatch.setenv(name, value)
    room = sandbox.Room.inside(tmp_path)
    made = sandbox.environment(room, ("ALLOWED_KEY", "NOT_SET"), {"MORE": "m"})
    assert set(made) <= {*sandbox.KEPT_VARIABLES, "HOME", "TMPDIR", "GIT_CONFIG_NOSYSTEM", "ALLOWED_KEY", "MORE"}
    assert (made["ALLOWED_KEY"], made["MORE"], made["LANG"]) == ("a", "m", "C.UTF-8")
    assert (made["HOME"], made["TMPDIR"]) == (str(tmp_path / "home"), str(tmp_path / "tmp"))


def test_an_agent_sees_only_the_variables_that_its_runner_names(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_TOKEN", "s")
    monkeypatch.setenv("AGENT_KEY", "k")
    runner = {"name": "shell", "command": ["sh", "-c", "env > seen"], "env": ["AGENT_KEY"]}
    outcome = run.agent("writer", "", runner=runner)
    seen = trees.read_file(run.repo, outcome["result"]["commit"], "seen").decode()
    assert "AGENT_KEY=k" in seen
    assert "SECRET_TOKEN" not in seen


@needs_bubblewrap
def test_an_agent_in_the_sandbox_works_and_cannot_approve_itself(run: Run) -> None:
    marker = run.marker().absolute()
    script = f"mkdir -p '{marker.parent}'; touch '{marker}' 2>/dev/null; cat $PHASEGATE_BRIEF > got; ls -A /tmp | wc -l > tmp"
    outcome = run.agent("writer", script, policy=replace(OPEN_AIR, sandbox="auto"))
    assert (outcome["status"], outcome["sandbox"]) == ("succeeded", "bubblewrap")
    assert not marker.exists()
    brief = (run.agent_dir("writer") / "brief.json").read_bytes()
    assert trees.read_file(run.repo, outcome["result"]["commit"], "got") == brief


def test_off_is_off_and_an_unknown_machine_is_told_as_none(run: Run, without_bubblewrap: None) -> None:
    assert sandbox.choose("off") == sandbox.choose("auto") == "none"
    outcome = run.agent("writer", "mkdir a; echo x > a/x", policy=replace(OPEN_AIR, sandbox="auto"))
    assert (outcome["status"], outcome["sandbox"]) == ("succeeded", "none")


def test_require_without_bubblewrap_is_refused_in_one_line_and_runs_nothing(run: Run, without_bubblewrap: None) -> None:
    with pytest.raises(RunError, match="sandbox: require") as error:
        run.agent("writer", "echo x > x", policy=replace(OPEN_AIR, sandbox="require"))
    assert "install bubblewrap" in str(error.value)
    assert "\n" not in str(error.value)
    assert run.attempts("writer") == []
    run.agent("other", "echo x > x")
    run.merge("other")
    result = run.validate(checks=(check("tests", "true"),), sandbox="require")["checks"][0]
    assert (result["status"], result["exit_code"]) == ("unknown", None)
    assert "sandbox: require" in result["reason"]
