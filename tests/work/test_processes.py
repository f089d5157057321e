"""Running a program to its end: whatever it does, nothing of it outlives it, and its log stays small."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from conftest import ROOT, wait_for

from workflow.work import keeper, logs, processes, redaction

DAEMON = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN if "deaf" in sys.argv else signal.SIG_DFL)
def note():
    with open("pids", "a") as file:
        file.write(f"{os.getpid()}\\n")
def forked(leave):
    if os.fork() == 0:
        if leave:
            os.setsid()
            if os.fork():
                os._exit(0)
            null = os.open(os.devnull, os.O_RDWR)
            for handle in range(3):
                os.dup2(null, handle)
        note()
        time.sleep(600)
note()
forked(leave=False)
forked(leave=True)
while len(open("pids").readlines()) < 3:
    time.sleep(0.01)
"""


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; afterwards this process adopts nobody's orphans any more."""
    yield tmp_path
    for pid in alive(pids(tmp_path)) if (tmp_path / "pids").is_file() else []:
        os.kill(pid, signal.SIGKILL)
    ctypes.CDLL(None).prctl(keeper.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def run(room: Path, *command: str, timeout_s: float = 20, stdin: Path | None = None, **more: Any) -> processes.Ended:
    return processes.run(command, room, os.environ, room / "log", timeout_s, stdin, **more)


def pids(room: Path) -> list[int]:
    return [int(line) for line in (room / "pids").read_text().split()]


def alive(numbers: list[int]) -> list[int]:
    return [pid for pid in numbers if lives(pid)]


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_exit_codes_and_signals_are_told_as_a_shell_tells_them(room: Path) -> None:
    scripts = ("exit 0", "exit 3", "exit 124", "kill -KILL $$", "kill -TERM $$", "kill -SEGV $$")
    found = [run(room, "sh", "-c", script) for script in scripts]
    assert [ended.exit_code for ended in found] == [0, 3, 124, 137, 143, 139]
    assert {(ended.timed_out, ended.killed) for ended in found} == {(False, ())}
    assert all(ended.duration_s >= 0 for ended in found)


def test_output_folder_environment_and_stdin_are_those_asked_for(room: Path) -> None:
    (room / "given").write_text("from a file\n")
    script = "cat; pwd; echo $WORD; echo error >&2; ps -o sid= -p $$"
    ended = processes.run(["sh", "-c", script], room, {"PATH": os.environ["PATH"], "WORD": "said"}, room / "log", 20, room / "given")
    lines = (room / "log").read_text().split("\n")
    assert ended.exit_code == 0
    assert lines[:4] == ["from a file", str(room), "said", "error"]
    assert int(lines[4]) != os.getsid(0)
    assert run(room, "cat").exit_code == 0  # no stdin: it is empty, not the terminal


def test_a_program_that_cannot_be_started_raises_what_the_system_says(room: Path) -> None:
    (room / "plain").write_text("not a program")
    with pytest.raises(FileNotFoundError):
        run(room, "no-such-program-here")
    with pytest.raises(PermissionError):
        run(room, str(room / "plain"))


def test_time_limit_ends_the_whole_tree_with_124(room: Path) -> None:
    ended = run(room, sys.executable, "-c", DAEMON + "time.sleep(600)", timeout_s=2)
    assert (ended.exit_code, ended.timed_out) == (124, True)
    assert [name.startswith("python") for name in ended.killed] == [True, True, True]
    assert len(pids(room)) == 3
    assert alive(pids(room)) == []


def test_what_a_program_leaves_behind_ends_with_it(room: Path) -> None:
    """A plain child and a daemon (own session, forked twice) are killed although the program itself ended well."""
    ended = run(room, sys.executable, "-c", DAEMON)
    assert (ended.exit_code, ended.timed_out, len(ended.killed)) == (0, False, 2)
    assert alive(pids(room)) == []


def test_processes_that_ignore_term_are_killed_after_the_grace(room: Path) -> None:
    ended = run(room, sys.executable, "-c", DAEMON, "deaf", grace_s=0.2)
    assert (ended.exit_code, len(ended.killed)) == (0, 2)
    assert alive(pids(room)) == []


def test_processes_get_the_time_to_clean_up(room: Path) -> None:
    script = "trap 'echo cleaned > cleaned; exit 0' TERM; echo $$ > pids; while :; do sleep 0.05; done"
    assert run(room, "sh", "-c", script, timeout_s=0.5).timed_out
    assert (room / "cleaned").read_text() == "cleaned\n"


SUPERVISOR = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from workflow.work import keeper, logs, processes, redaction
room = Path(sys.argv[1])
try:
    processes.run([sys.executable, "-c", (room / "program.py").read_text(), *sys.argv[2:]], room, os.environ, room / "log", 600)
except processes.Interrupted as stopped:
    print("interrupted by", signal.Signals(stopped.number).name)
    sys.exit(128 + stopped.number)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_supervisor_ends_the_tree_and_is_told(room: Path, number: signal.Signals) -> None:
    (room / "program.py").write_text(DAEMON + "time.sleep(600)")
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(room)], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (room / "pids").is_file() and len(pids(room)) == 3)
    supervisor.send_signal(number)
    out, _ = supervisor.communicate(timeout=30)
    assert (supervisor.returncode, out) == (128 + number, f"interrupted by {number.name}\n")
    assert alive(pids(room)) == []


def test_a_second_signal_does_not_save_what_ignores_the_first(room: Path) -> None:
    """Ctrl-C in a terminal: the process group gets INT, and then snakemake sends TERM."""
    (room / "program.py").write_text(DAEMON + "time.sleep(600)")
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(room), "deaf"], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (room / "pids").is_file() and len(pids(room)) == 3)
    supervisor.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        supervisor.wait(0.4)  # it gives its grace to the deaf ones
    supervisor.send_signal(signal.SIGTERM)
    supervisor.communicate(timeout=30)
    assert supervisor.returncode == 128 + signal.SIGINT
    assert alive(pids(room)) == []


def test_signals_mean_again_afterwards_what_they_meant_before(room: Path) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    run(room, "true")
    assert [signal.getsignal(number) for number in numbers] == before


def test_of_a_long_output_head_and_tail_are_kept_in_constant_memory(room: Path) -> None:
    (room / "program.py").write_text(
        textwrap.dedent("""
        import sys
        print("the beginning")
        for _ in range(120):
            sys.stdout.write("x" * 1_000_000)
        print("\\nthe end")
        """)
    )
    code = SUPERVISOR + "print([line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')][0])"
    done = subprocess.run([sys.executable, "-c", code, str(room)], capture_output=True, text=True, check=True)
    log = (room / "log").read_bytes()
    assert log.startswith(b"the beginning\n")
    assert log.endswith(b"\nthe end\n")
    assert logs.HEAD_BYTES + logs.KEPT_BYTES < len(log) <= logs.HEAD_BYTES + logs.TAIL_BYTES + logs.NOTE_BYTES
    note = log[logs.HEAD_BYTES :].split(b"\n")[1].split()
    assert note[2:] == b"bytes left out ...]".split()
    assert int(note[1]) == 120_000_000 + len("the beginning\n\nthe end\n") - (len(log) - logs.NOTE_BYTES)
    assert int(done.stdout) < 50_000  # kB


def test_of_an_output_within_the_limit_nothing_is_left_out(room: Path) -> None:
    size = logs.HEAD_BYTES + logs.TAIL_BYTES
    run(room, sys.executable, "-c", f"import sys; sys.stdout.write('y' * {size})")
    assert (room / "log").read_bytes() == b"y" * size


def test_end_of_a_log_cannot_act_on_a_terminal(room: Path) -> None:
    log = room / "log"
    log.write_bytes(b"begin " + b"a" * 5000 + b"\x1b[31mred\x07\r\x00\xff\xe2\x80\xae end\tof it\n")
    shown = logs.log_end(log, 60)
    assert shown.endswith("\ufffd[31mred\ufffd\ufffd\ufffd\ufffd\ufffd end\tof it\n")
    assert len(shown) <= 60
    assert logs.log_end(room / "nothing") == ""


def test_a_program_cannot_change_its_prompt_through_its_standard_input(room: Path) -> None:
    """/proc/self/fd/0 can be opened for writing by whoever owns the file, also where a sandbox hides the file itself."""
    prompt = room / "prompt.md"
    prompt.write_text("the prompt")
    env, change = dict(os.environ), ["sh", "-c", "cat; echo forged > /proc/self/fd/0"]
    assert processes.run(change, room, env, room / "log", 20, stdin=prompt).exit_code == 0
    assert (prompt.read_text(), (room / "log").read_text()) == ("the prompt", "the prompt")
    with prompt.open("rb") as given:
        subprocess.run(change, stdin=given, stdout=subprocess.DEVNULL, check=True)
    assert prompt.read_text() == "forged\n"


def test_a_secret_never_stands_in_the_log_not_even_while_the_program_works(room: Path) -> None:
    code = "import sys, time\nfor part in sys.argv[1:]:\n print(part, end='', flush=True); time.sleep(0.5)"
    secret = redaction.Values({"MY_KEY": "s3cr3t-value-of-yours"})
    seen: list[bytes] = []

    class Looker:
        def hear(self, stream: str, data: bytes) -> None:
            seen.append((room / "log").read_bytes())

        def enough(self) -> bool:
            seen.append((room / "log").read_bytes())
            return False

    parts = ("key=s3cr3t-", "value-of-yours done ", "s3cr3t-")
    run(room, sys.executable, "-c", code, *parts, secret=secret, listener=Looker())
    assert (room / "log").read_bytes() == b"key=[redacted: value of MY_KEY] done s3cr3t-"
    assert b"key=" in seen
    assert not any(b"s3cr3t-v" in content for content in seen)
