"""What a program can see and change while it runs, with the real bubblewrap and Landlock; ways out are in test_escapes.py."""

from __future__ import annotations

import os
import shutil
import sys
import venv
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT
from faults.fit import unfit
from runs import OPEN_AIR, Run, check

from workflow.errors import RunError
from workflow.work import places, processes, runners, sandbox, trees

needs_bubblewrap = pytest.mark.skipif(not sandbox.works(), reason="bubblewrap does not work here")


@pytest.fixture(params=sandbox.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of sandbox; in CI both have to be there."""
    if not sandbox.works(request.param):
        unfit(f"{request.param} does not work here")
    return str(request.param)


@pytest.fixture
def without_bubblewrap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on whose PATH there is no bwrap."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("git", "sh", "true", "mkdir"):
        found = shutil.which(name)
        assert found
        (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))


@pytest.fixture
def without_sandboxes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which nothing can protect."""
    monkeypatch.setenv(sandbox.TRIED, "")


def lines(room: sandbox.Room, script: str, workdir: Path, reads: tuple[Path, ...] = (), kind: str = "bubblewrap") -> list[str]:
    """What a shell script says inside the sandbox."""
    env = sandbox.environment(room, (), {})
    log = room.tree.parent / "log"
    command = sandbox.wrap(kind, ["sh", "-c", script], room, workdir, reads, env["PATH"])
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


def test_what_it_must_read_is_there_to_read_only(room: sandbox.Room, tmp_path: Path, kind: str) -> None:
    prompt = tmp_path / "runs/demo/plan/prompt.md"
    prompt.write_text("the prompt")
    assert lines(room, f"cat '{prompt}'; (echo >> '{prompt}') 2>/dev/null || echo ' kept'", tmp_path, (prompt,), kind) == [
        "the prompt kept"
    ]
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


def test_python_of_the_virtual_environment_works(room: sandbox.Room, tmp_path: Path, kind: str) -> None:
    assert lines(room, f"'{sys.executable}' -c 'import yaml, sys; print(sys.prefix)'", tmp_path, kind=kind) == [sys.prefix]


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
    outcome = here.agent(
        "analyst", "", runner={"name": "scaffold"}, role="analyst", prompt_template_sha256=None, policy=replace(OPEN_AIR, sandbox="require")
    )
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


def test_without_bubblewrap_landlock_protects_and_the_outcome_and_the_checks_say_so(run: Run, without_bubblewrap: None) -> None:
    if not sandbox.works("landlock"):
        unfit("landlock does not work here")
    assert sandbox.choose("auto") == sandbox.choose("require") == "landlock"
    marker = run.marker().absolute()
    script = f"git status --short; git log --oneline; touch '{marker}' 2>/dev/null; mkdir a; echo x > a/x"
    outcome = run.agent("writer", script, policy=replace(OPEN_AIR, sandbox="require"))
    assert (outcome["status"], outcome["sandbox"], outcome["errors"]) == ("succeeded", "landlock", [])
    run.merge("writer")
    found = run.validate(checks=(check("reads", "sh", "-c", f"! touch '{marker}' && test -f a/x"),), sandbox="auto")
    assert (found["sandbox"], found["checks"][0]["status"]) == ("landlock", "pass")
    assert not marker.exists()


def test_off_is_off_and_an_unknown_machine_is_told_as_none(run: Run, without_sandboxes: None) -> None:
    assert sandbox.choose("off") == sandbox.choose("auto") == "none"
    outcome = run.agent("writer", "mkdir a; echo x > a/x", policy=replace(OPEN_AIR, sandbox="auto"))
    assert (outcome["status"], outcome["sandbox"]) == ("succeeded", "none")


def test_require_without_any_sandbox_is_refused_in_one_line_and_runs_nothing(run: Run, without_sandboxes: None) -> None:
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


def test_tree_home_and_temporary_folder_can_be_used_in_every_way(room: sandbox.Room, tmp_path: Path, kind: str) -> None:
    script = (
        "mkdir a b; echo x > a/x; mv a/x b/y; ln b/y a/z; ln -s b c; truncate -s 1 b/y; chmod 700 b; rm a/z; "
        "mkfifo p; echo h > $HOME/h; mv $HOME/h $TMPDIR/h; echo gone > /dev/null; echo end > /dev/stdout; head -c 4 /dev/urandom | wc -c"
    )
    assert lines(room, script, tmp_path, kind=kind) == ["end", "4"]
    assert [(room.tree / "b/y").stat().st_size, (room.tmp / "h").read_text()] == [1, "h\n"]


def test_git_python_with_processes_and_node_work(room: sandbox.Room, tmp_path: Path, kind: str) -> None:
    parallel = "from concurrent.futures import ProcessPoolExecutor as P; print(sum(P(2).map(abs, [-1, -2])))"
    script = "git init -q . && touch f && git add f && git -c user.name=a -c user.email=b commit -qm made && git log --format=%s"
    script += f"; '{sys.executable}' -c '{parallel}'"
    assert lines(room, script, tmp_path, kind=kind) == ["made", "3"]
    if shutil.which("node"):
        code = 'console.log(require("child_process").execSync("echo child").toString() + require("os").userInfo().username.length)'
        assert lines(room, f"node -e '{code}'", tmp_path, kind=kind)[-2] == "child"


def test_a_tool_that_npm_or_pipx_put_into_the_home_folder_works(
    room: sandbox.Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Only a link to it lies on PATH; its modules, and its environment, lie elsewhere in the hidden home folder."""
    home = tmp_path / "home"
    modules, environment = home / ".node/lib/node_modules/tool", home / ".local/share/pipx/venvs/other"
    for place in (modules, environment / "bin", home / ".node/bin", home / ".local/bin", home / ".local/share/keys"):
        place.mkdir(parents=True)
    (modules / "text").write_text("read by the tool\n")
    (environment / "pyvenv.cfg").write_text("read by the other\n")
    for program, beside in ((modules / "cli.sh", "text"), (environment / "bin/other", "../pyvenv.cfg")):
        program.write_text(f'#!/bin/sh\ncat "$(dirname "$(readlink -f "$0")")/{beside}"; ls "{home}/.local/share/keys" 2>/dev/null\n')
        program.chmod(0o755)
    (home / ".node/bin/tool").symlink_to("../lib/node_modules/tool/cli.sh")
    (home / ".local/bin/other").symlink_to(environment / "bin/other")
    monkeypatch.setenv("HOME", str(home))
    env = sandbox.environment(room, (), {"PATH": f"{home}/.node/bin:{home}/.local/bin:{os.environ['PATH']}"})
    for name in ("tool", "other"):
        command = sandbox.wrap(kind, [name], room, tmp_path / "runs", (), env["PATH"])
        processes.run(command, room.tree, env, tmp_path / "log", 20)
    assert (tmp_path / "log").read_text() == "read by the tool\nread by the other\n"


@needs_bubblewrap
def test_a_sandbox_of_its_own_works_inside(room: sandbox.Room, tmp_path: Path) -> None:
    """As codex has one, also where this is started by root."""
    inner = 'bwrap --unshare-user --unshare-pid --ro-bind / / --dev /dev --bind /proc /proc --bind "$PWD" "$PWD"'
    assert lines(room, f"{inner} sh -c 'echo x > made; ! touch /etc/x 2>/dev/null' && cat made", tmp_path) == ["x"]


@needs_bubblewrap
def test_nothing_of_root_is_left_inside(room: sandbox.Room, tmp_path: Path, kind: str) -> None:
    said = lines(room, "grep -h -E 'Cap(Prm|Eff|Bnd)|NoNewPrivs' /proc/self/status | cut -f2", tmp_path, kind=kind)
    assert said[-1] == "1"
    assert {int(word, 16) for word in said[:-1]} == {0} or os.getuid()


def test_variables_with_which_programs_are_subverted_are_not_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = (
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "PYTHONSTARTUP",
        "NODE_OPTIONS",
        "BASH_ENV",
        "SSH_AUTH_SOCK",
        "DBUS_SESSION_BUS_ADDRESS",
        "DISPLAY",
    )
    for name in names:
        monkeypatch.setenv(name, "x")
    assert not set(names) & set(sandbox.environment(sandbox.Room.inside(tmp_path), (), {}))


def test_what_is_hidden_inside_of_what_is_shown_is_cut_out(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A working directory below a folder of the system, such as /opt."""
    opt = tmp_path / "opt"
    for name in ("tool/data", "work/runs/other/secret", "work/config"):
        (opt / name).parent.mkdir(parents=True, exist_ok=True)
        (opt / name).write_text(name)
    monkeypatch.setattr(places, "SYSTEM", (*places.SYSTEM, str(opt)))
    here = sandbox.Room.inside(opt / "work/runs/demo/x")
    here.tree.mkdir()
    said = lines(here, f"cat {opt}/tool/data; cat {opt}/work/config {opt}/work/runs/other/secret 2>/dev/null", opt / "work", kind=kind)
    assert said == ["tool/data"]
