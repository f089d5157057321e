"""The story of stopping a run: Ctrl-C once and twice, a polite kill, a closed terminal; and of going on afterwards."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import time

import psutil
import pytest
from conftest import SNAKEMAKE, Desk, sh, wait_for


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A desk whose two agents ignore every signal and do not end."""
    agents = {"a": {"runner": "deaf"}, "b": {"runner": "deaf"}}
    desk.configure({"plan": {"agents": agents}}, {"deaf": sh("trap '' INT TERM HUP; while :; do sleep 0.05; done")})
    return desk


def working(desk: Desk, attempt: str = "001") -> bool:
    """Whether both agents have started their program."""
    logs = [desk.path / f"runs/demo/plan/agents/{name}/attempts/{attempt}/output.log" for name in "ab"]
    return all(log.exists() for log in logs)


def left(desk: Desk) -> list[str]:
    """The processes that still work in this folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and str(desk.path) in process.environ().get("PHASEGATE_BRIEF", ""):
                found.append(process.name())
        except psutil.Error:
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_to_snakemake_stops_all_and_says_how_to_go_on(busy: Desk, number: signal.Signals) -> None:
    started = busy.start()
    wait_for(lambda: working(busy))
    time.sleep(0.3)
    started.send_signal(number)
    assert started.wait(timeout=60) == 128 + number
    said = busy.read("started.log")
    assert "Traceback" not in said
    assert "Error in rule" not in said
    assert said.splitlines()[-2].startswith("demo: stopped; nothing that has finished is lost")
    assert said.splitlines()[-1].startswith("  go on:")
    assert left(busy) == []
    assert busy.json("runs/demo/status.json")["state"] == "running"


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_in_a_terminal_gives_the_prompt_back(busy: Desk, presses: int) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(busy.path)
        os.execve(SNAKEMAKE, [str(SNAKEMAKE), "-s", str(busy.root / "Snakefile")], busy.environment())
    wait_for(lambda: working(busy))
    time.sleep(0.5)
    for _ in range(presses):
        os.write(terminal, b"\x03")
        time.sleep(0.2)
    said = b""
    try:
        while part := os.read(terminal, 4096):
            said += part
    except OSError:
        pass  # the other side is closed
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 130
    assert b"Traceback" not in said
    assert b"stopped; nothing that has finished is lost" in said
    assert left(busy) == []


@pytest.mark.parametrize(("number", "ignored"), [(signal.SIGHUP, "HUP"), (signal.SIGINT, "INT")])
def test_a_signal_that_the_call_ignores_is_ignored_by_its_jobs_too(desk: Desk, number: signal.Signals, ignored: str) -> None:
    """`nohup snakemake`, and `snakemake &` in a script; a terminal signals the whole group."""
    desk.configure({"plan": {"agents": {"a": {"runner": "slow"}}}}, {"slow": sh("sleep 1; echo x > x.txt")})
    line = ["sh", "-c", f'trap "" {ignored}; exec "$@"', "sh", str(SNAKEMAKE), "-s", str(desk.root / "Snakefile")]
    with (desk.path / "started.log").open("w") as log:
        started = subprocess.Popen(line, cwd=desk.path, env=desk.environment(), stdout=log, stderr=log, start_new_session=True)
    wait_for(lambda: (desk.path / "runs/demo/plan/agents/a/attempts/001/output.log").exists())
    os.killpg(started.pid, number)
    assert started.wait(timeout=60) == 0
    assert desk.outcome("plan", "a")["status"] == "succeeded"
    assert desk.attempts("plan", "a") == 1


def test_what_was_stopped_goes_on_with_the_same_command(desk: Desk) -> None:
    desk.configure({"plan": {"gate": "none", "agents": {"a": {"runner": "slow"}, "b": {"runner": "quick"}}}},
                   {"slow": sh("sleep 2; echo a > a.txt"), "quick": sh("echo b > b.txt")})  # fmt: skip
    started = desk.start()
    wait_for(lambda: (desk.path / "runs/demo/plan/agents/b/outcome.json").exists())
    started.send_signal(signal.SIGTERM)
    assert started.wait(timeout=60) == 143
    desk.run()
    assert (desk.attempts("plan", "a"), desk.attempts("plan", "b")) == (2, 1)
    assert [row["status"] for row in desk.outcome("plan", "a")["attempts"]] == ["interrupted", "succeeded"]
