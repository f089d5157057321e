"""The keeper: nothing of a program outlives it, its supervisor, or both, whichever of them is killed and when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar

import psutil
import pytest
from conftest import ROOT, wait_for
from test_processes import DAEMON, SUPERVISOR, alive, pids, room, run  # noqa: F401

from workflow.errors import RunError, StorageError
from workflow.work import keeper, processes

LONG = DAEMON + "time.sleep(600)"


def supervised(room: Path, program: str, *words: str) -> subprocess.Popen[str]:  # noqa: F811
    """A supervisor in a process of its own, its program's processes running."""
    (room / "program.py").write_text(program)
    started = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(room), *words], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (room / "pids").is_file() and len(pids(room)) == 3)
    return started


def test_the_end_is_noted_at_once_while_leftovers_still_live(room: Path) -> None:  # noqa: F811
    def note(ended: processes.Ended) -> None:
        (room / "noted").write_text(f"{ended.exit_code} {len(alive(pids(room)))}")

    ended = run(room, sys.executable, "-c", DAEMON, "deaf", grace_s=1.0, on_exit=note)
    assert (room / "noted").read_text() == "0 2"
    assert len(ended.killed) == 2
    assert alive(pids(room)) == []


def test_a_signal_after_the_program_has_ended_does_not_void_its_end(room: Path) -> None:  # noqa: F811
    """The supervisor is told to stop while it clears away what the program has left behind."""
    me = os.getpid()

    def note(ended: processes.Ended) -> None:
        (room / "noted").write_text(f"{ended.exit_code}{ended.stopped}")
        os.kill(me, signal.SIGTERM)

    with pytest.raises(processes.Interrupted) as stopped:
        run(room, sys.executable, "-c", DAEMON, "deaf", on_exit=note)
    assert ((room / "noted").read_text(), stopped.value.code) == ("0", 143)
    assert alive(pids(room)) == []


def test_an_end_is_noted_although_the_supervisor_is_killed_in_that_moment(room: Path) -> None:  # noqa: F811
    code = f"""
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from workflow.work import processes
room, me = Path({str(room)!r}), os.getpid()
def note(ended):
    os.kill(me, signal.SIGKILL)
    (room / "noted").write_text(str(ended.exit_code))
processes.run(["sh", "-c", "exit 7"], room, os.environ, room / "log", 60, on_exit=note)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == -signal.SIGKILL
    wait_for(lambda: (room / "noted").is_file() and (room / "noted").read_text() == "7", 5)


def test_an_end_that_cannot_be_noted_is_an_error_of_the_machine(room: Path) -> None:  # noqa: F811
    def note(ended: processes.Ended) -> None:
        raise OSError(28, "No space left on device", "exit.json")

    with pytest.raises(StorageError, match=r"No space left on device.*run the same command again"):
        run(room, "true", on_exit=note)


def test_a_listener_hears_both_streams_apart_and_may_stop_the_program(room: Path) -> None:  # noqa: F811
    class Listener:
        heard: ClassVar[dict[str, bytes]] = {"out": b"", "err": b""}

        def hear(self, stream: str, data: bytes) -> None:
            self.heard[stream] += data

        def enough(self) -> bool:
            return b"three" in self.heard["out"]

    listener = Listener()
    ended = run(room, "sh", "-c", "echo one; echo two >&2; echo three; sleep 60; echo four", listener=listener)
    assert (ended.exit_code, ended.stopped) == (125, "spent")
    assert listener.heard == {"out": b"one\nthree\n", "err": b"two\n"}
    assert sorted((room / "log").read_text().split()) == ["one", "three", "two"]


@pytest.mark.parametrize("words", [(), ("deaf",)], ids=["heeds TERM", "ignores TERM"])
def test_a_supervisor_that_is_killed_takes_everything_with_it(room: Path, words: tuple[str, ...]) -> None:  # noqa: F811
    supervisor = supervised(room, LONG, *words)
    supervisor.kill()
    supervisor.communicate()
    time.sleep(2)
    assert alive(pids(room)) == []


def test_a_keeper_that_is_killed_takes_everything_with_it_and_the_supervisor_says_so(room: Path) -> None:  # noqa: F811
    (room / "program.py").write_text(LONG)
    code = SUPERVISOR.replace("except processes.Interrupted", "except Exception as error:\n    print(error)\nexcept processes.Interrupted")
    started = subprocess.Popen([sys.executable, "-c", code, str(room)], stdout=subprocess.PIPE, text=True)
    wait_for(lambda: (room / "pids").is_file() and len(pids(room)) == 3)
    (kept,) = psutil.Process(started.pid).children()
    kept.kill()
    said, _ = started.communicate(timeout=20)
    assert "keeps the program was killed" in said
    assert alive(pids(room)) == []


def test_what_a_killed_keeper_leaves_gets_no_grace_in_which_the_supervisor_could_be_killed_too(
    room: Path,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(keeper, "STOPPED_GRACE_S", 600.0)
    with pytest.raises(RunError, match="keeps the program was killed"):
        run(room, sys.executable, "-c", DAEMON, "deaf", grace_s=600.0, on_exit=lambda _: os.kill(os.getpid(), signal.SIGKILL))
    assert alive(pids(room)) == []


def test_a_killed_keeper_is_an_error_of_the_machine_and_not_of_the_program(room: Path) -> None:  # noqa: F811
    with pytest.raises(RunError, match="keeps the program was killed"):
        run(room, "sh", "-c", "kill -KILL $PPID; sleep 60")


@pytest.mark.parametrize("early", [0.0, 0.002, 0.01, 0.03])
def test_a_signal_at_any_moment_of_the_start_leaves_nothing(room: Path, early: float) -> None:  # noqa: F811
    code = f"""
import os, sys, threading, time, signal
sys.path.insert(0, {str(ROOT)!r})
from pathlib import Path
from workflow.work import processes
room = Path({str(room)!r})
threading.Timer({early}, os.kill, (os.getpid(), signal.SIGTERM)).start()
processes.run(["sh", "-c", "echo $$ >> pids; sleep 600"], room, os.environ, room / "log", 600)
"""
    done = subprocess.run([sys.executable, "-c", code], timeout=30)
    assert done.returncode in (143, -signal.SIGTERM)
    wait_for(lambda: not ((room / "pids").is_file() and alive(pids(room))), 2)


def test_a_job_whose_snakemake_is_gone_before_it_could_ask_for_a_signal_ends(room: Path) -> None:  # noqa: F811
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from workflow.work.keeper import die_with_parent; "
    code += "die_with_parent({}); print('on')"
    here = subprocess.run([sys.executable, "-c", code.format(os.getpid())], capture_output=True, text=True)
    assert (here.returncode, here.stdout) == (0, "on\n")
    gone = subprocess.run([sys.executable, "-c", code.format(999_999_999)], capture_output=True, text=True)
    assert (gone.returncode, gone.stdout) == (143, "")


def test_a_program_gets_no_descriptor_of_its_supervisor_and_no_ignored_signal(room: Path) -> None:  # noqa: F811
    run(room, "sh", "-c", "ls -l /proc/self/fd | grep -c pipe; grep SigIgn /proc/self/status")
    pipes, ignored = (room / "log").read_text().splitlines()
    assert pipes == "2"  # standard output of ls is grep's, its standard error the log
    assert int(ignored.split()[1], 16) & (1 << (signal.SIGTERM - 1) | 1 << (signal.SIGINT - 1) | 1 << (signal.SIGHUP - 1)) == 0


def test_inside_the_wrapper_of_a_sandbox_programs_get_the_time_to_clean_up_too(room: Path) -> None:  # noqa: F811
    from workflow.work import sandbox

    if not sandbox.works():
        pytest.skip("bubblewrap does not work here")
    script = "trap 'echo cleaned > cleaned; exit 0' TERM; echo $$ > pids; while :; do sleep 0.05; done"
    place = sandbox.Room(room, room, room)
    command = sandbox.wrap("bubblewrap", ["sh", "-c", script], place, Path("/nowhere"), [], os.environ["PATH"])
    ended = processes.run(command, room, os.environ, room / "log", 1.0)
    assert ended.timed_out
    assert (room / "cleaned").read_text() == "cleaned\n"
    assert "bwrap" not in ended.killed
    assert {"bwrap"} == keeper.WRAPPERS
