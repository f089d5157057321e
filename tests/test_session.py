"""One writer per working directory: real processes, real locks."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from conftest import ROOT, Desk, sh

from workflow import files

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from workflow.commands import main_guard
from workflow.session import become_writer
with main_guard():
    become_writer(Path.cwd())
    become_writer(Path.cwd())
    print("writes", flush=True)
    sys.stdin.read()
"""


@contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that works in a folder until its standard input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(ROOT)],
        cwd=folder,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def started(process: subprocess.Popen[str]) -> bool:
    """Whether it became the writer (else it has ended)."""
    assert process.stdout is not None
    return process.stdout.readline() == "writes\n"


def test_second_writer_is_refused_with_pid_and_start_of_the_first(tmp_path: Path) -> None:
    with writer(tmp_path) as first:
        assert started(first)
        record = files.read_json(tmp_path / "runs" / ".lock")
        assert record["pid"] == first.pid
        assert abs((datetime.now().astimezone() - files.parse_time(record["started_at"])).total_seconds()) < 60
        for _ in range(2):
            with writer(tmp_path) as second:
                assert not started(second)
                _, said = second.communicate()
                assert said == (
                    f"phasegate: {tmp_path}: process {first.pid}, started at {record['started_at']}, is working here; "
                    "wait for it, or stop it with Ctrl-C\n"
                )
                assert second.returncode == 1
        assert files.read_json(tmp_path / "runs" / ".lock") == record


def test_a_holder_that_has_not_written_yet_who_it_is_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    with (tmp_path / "runs/.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with writer(tmp_path) as second:
            time.sleep(0.5)
            lock.write('{"pid": 4711, "started_at": "now"}')
            lock.flush()
            assert not started(second)
            assert "process 4711" in second.communicate()[1]


def test_other_folder_is_free_meanwhile(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with writer(tmp_path / "one") as first, writer(tmp_path / "two") as second:
        assert started(first)
        assert started(second)


def test_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    with writer(tmp_path) as first:
        assert started(first)
        first.send_signal(signal.SIGKILL)
        first.wait()
        with writer(tmp_path) as second:
            assert started(second)
            assert files.read_json(tmp_path / "runs" / ".lock")["pid"] == second.pid


def test_folder_that_cannot_be_written_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where a folder should be")
    with writer(tmp_path) as process:
        assert not started(process)
        _, said = process.communicate()
        assert said == f"phasegate: {tmp_path}/runs: cannot be written (File exists); make the folder writable\n"


def test_leftovers_of_killed_predecessors_are_swept_and_marks_of_people_are_not(tmp_path: Path) -> None:
    future, past = time.time() + 86_400, time.time() - 86_400
    run = tmp_path / "runs" / "demo"
    marks = ["APPROVED", "APPROVED.sig", "APPROVED.ann", "CHANGES_REQUESTED"]
    swept = [".tmp-abc-outcome.json", "plan/.tmp-x", "bundles/.tmp-plan.zip", "project.git/refs/attempts/plan/a/001.lock"]
    kept_future = [*(f"plan/{name}" for name in marks), "project/src/main.py", "plan/agents/a/attempts/001/work/tree/x.txt"]
    reset = ["plan/outcome.json", "plan/digest", "status.json"]
    for name in [*swept, *kept_future, *reset, "plan/old.json", "project/.tmp-of-a-person"]:
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x")
        os.utime(run / name, (future, future))
    os.utime(run / "plan/old.json", (past, past))
    (run / "plan" / ".tmp-now-APPROVED").write_text("an approval that is being written")
    (run / "plan" / ".tmp-now-begin.json").write_text("a record that was being written when its writer was killed")
    (run / "plan" / "link").symlink_to(run / "project" / "src" / "main.py")
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.input.lock").write_text("runs/demo/x\n")
    with writer(tmp_path) as process:
        assert started(process)
    assert not locks.exists()
    assert [name for name in swept if (run / name).exists()] == []
    assert (run / "project/.tmp-of-a-person").exists()
    assert (run / "plan/.tmp-now-APPROVED").exists()
    assert not (run / "plan/.tmp-now-begin.json").exists()
    assert [name for name in kept_future if abs((run / name).stat().st_mtime - future) > 1] == []
    assert [name for name in reset if (run / name).stat().st_mtime > time.time() + 1] == []
    assert abs((run / "plan/old.json").stat().st_mtime - past) < 1


def test_second_snakemake_is_refused_and_looking_is_not(desk: Desk) -> None:
    desk.configure({"plan": {"agents": {"writer": {"runner": "write"}}}}, {"write": sh("echo x > x.txt")})
    with writer(desk.path) as first:
        assert started(first)
        done = desk.run(check=1)
        assert done.last[-1].startswith(f"phasegate: {desk.path}: process {first.pid}, started at ")
        assert "Traceback" not in done.err
        assert not (desk.path / "runs" / "demo").exists()
        assert "plan_writer" in desk.run("-n").out
    assert "plan waits for your review" in desk.run().last[-5]
    with writer(desk.path) as first:
        assert started(first)
        assert "waiting" in desk.run("status").out
        assert files.read_json(desk.path / "runs" / ".lock")["pid"] == first.pid
