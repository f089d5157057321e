"""The story of being told: why each phase stands where it stands, what changed, what an agent says, when a person is needed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, SNAKEMAKE, Desk, sh, snapshot, wait_for

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "make"}}},
}
RUNNERS = {"write": sh("echo writing; echo the plan > plan.md"), "make": sh("cat plan.md > made.txt")}


def refused(desk: Desk, *words: str) -> str:
    """The one line with which a command is refused."""
    done = desk.run(*words, check=1)
    assert "Traceback" not in done.out + done.err
    assert len(done.said.splitlines()) == 1, done.said
    return done.said


def explained(desk: Desk) -> dict[str, Any]:
    """What `status` says of each phase; status.json says the same where a run has just stopped."""
    return dict(json.loads(desk.run("status", "--config", "format=json").out)["phases"])


@pytest.mark.long
def test_status_says_for_each_state_why_and_what_to_type_next(desk: Desk) -> None:
    assert "there is no run `demo` here yet; start it:" in refused(desk, "status")
    fails = {"name": "words", "command": ["grep", "-q", "plan", "plan.md"], "environment": "none"}
    phases = {"plan": {**PHASES["plan"], "checks": [fails]}, "build": PHASES["build"]}
    desk.configure(phases, RUNNERS | {"write": sh("echo nothing > plan.md")})
    desk.run(check=1)
    plan, build = (explained(desk)[name] for name in ("plan", "build"))
    written = desk.json("runs/demo/status.json")["phases"]
    assert written["plan"].items() <= plan.items()
    assert written["build"].items() <= build.items()
    digest = desk.read("runs/demo/plan/digest").strip()
    shown_at = desk.json("runs/demo/history/gates/plan.json")["shown"][-1]["at"]
    assert (plan["state"], plan["reasons"], plan["digest"]) == ("blocked", ["check words failed"], digest)
    assert (plan["since"], plan["request"]) == (shown_at, "runs/demo/plan/REQUEST.md")
    assert "request_changes --config phase=plan" in plan["next"]
    assert (build["state"], build["digest"]) == ("pending", None)
    assert build["reasons"] == ["comes after plan, which is blocked (runs/demo/plan)"]

    desk.configure(phases, RUNNERS)
    desk.run()
    plan = explained(desk)["plan"]
    assert (plan["state"], plan["reasons"], plan["trust"]) == (
        "waiting",
        ["nobody has approved it: there is no runs/demo/plan/APPROVED"],
        "none",
    )
    assert plan["digest"] == desk.read("runs/demo/plan/digest").strip() != digest
    assert plan["next"].startswith("touch runs/demo/plan/APPROVED && ")
    desk.run("approve", "--config", "by=Ann")
    approved = json.loads(desk.read("runs/demo/plan/APPROVED"))
    phase = explained(desk)
    assert (phase["plan"]["state"], phase["plan"]["reasons"]) == ("open", ["approved by Ann (runs/demo/plan/APPROVED)"])
    assert (phase["plan"]["by"], phase["plan"]["since"]) == ("Ann", approved["predicate"]["at"])
    assert (phase["plan"]["trust"], phase["plan"]["next"]) == ("recorded", "")
    assert (phase["build"]["state"], phase["build"]["reasons"]) == ("running", ["will run: maker"])

    desk.configure(phases, RUNNERS | {"write": sh("echo another plan > plan.md")})
    desk.run()
    plan = explained(desk)["plan"]
    new = desk.read("runs/demo/plan/digest").strip()
    old = approved["subject"][0]["digest"]["sha256"]
    assert (plan["state"], plan["by"]) == ("stale", "Ann")
    assert plan["reasons"] == [f"APPROVED names {old[:12]}, shown is {new[:12]} (runs/demo/plan/APPROVED)"]
    table = desk.run("status").out
    for text in (
        "demo: waiting",
        "stale",
        new[:12],
        plan["reasons"][0],
        "read for plan: runs/demo/plan/REQUEST.md",
        f"next for plan: {plan['next']}",
    ):
        assert text in table
    assert "build waits for your review" in desk.shell(plan["next"]).last[-5]

    desk.run("request_changes", "--config", "phase=build", "note=more", "by=Bob")
    build = explained(desk)["build"]
    assert build["state"] == "changes_requested"
    assert build["reasons"] == ["changes were requested (runs/demo/build/CHANGES_REQUESTED)"]
    assert build["since"] > shown_at


@pytest.mark.long
def test_diff_shows_the_change_of_a_phase_and_the_change_since_the_review(desk: Desk) -> None:
    work = sh("grep -q 'write more' $PHASEGATE_PROMPT && echo more >> plan.md || echo the plan > plan.md")
    desk.configure(PHASES, {**RUNNERS, "write": work})
    desk.run()
    done = desk.run("diff")
    assert "+the plan\n" in done.out
    assert "\x1b" not in done.out
    assert "no changes were requested in plan" in refused(desk, "diff", "--config", "phase=plan", "against=reviewed")
    assert "build has no merged result yet" in refused(desk, "diff", "--config", "phase=build")
    assert "allowed: plan, build" in refused(desk, "diff", "--config", "phase=other")
    assert "against=yesterday: not known; allowed: base, reviewed" in refused(desk, "diff", "--config", "against=yesterday")
    desk.run("request_changes", "--config", "note=write more")
    desk.run()
    assert "\n the plan\n+more\n" in desk.run("diff", "--config", "phase=plan", "against=reviewed").out
    assert "+the plan\n+more\n" in desk.run("diff", "--config", "phase=plan").out

    primary, secondary = pty.openpty()
    pager = desk.write("pager.sh", f"#!/bin/sh\ntouch {desk.path}/paged\nexec cat\n")
    pager.chmod(0o755)
    command = [str(SNAKEMAKE), "-s", str(ROOT / "Snakefile"), "--cores", "2", "diff", "--config", "phase=plan"]
    env = desk.environment() | {"PAGER": str(pager), "TERM": "xterm"}
    env.pop("NO_COLOR", None)
    with subprocess.Popen(command, cwd=desk.path, env=env, stdout=secondary, stderr=subprocess.DEVNULL, stdin=secondary) as running:
        os.close(secondary)
        said = b""
        while chunk := _read(primary):
            said += chunk
        assert running.wait(60) == 0
    os.close(primary)
    assert b"\x1b[32m+\x1b[m\x1b[32mthe plan" in said
    assert (desk.path / "paged").exists()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that the other side was closed
        return b""


def test_logs_show_what_an_agent_printed_also_while_it_works(desk: Desk) -> None:
    work = f"printf 'first \\033[2Jline\\n'; until [ -e {desk.path}/go ]; do sleep 0.02; done; echo last; echo x > made.txt"
    phases = {"plan": {**PHASES["plan"], "gate": "none"}, "build": PHASES["build"]}
    desk.configure(phases, RUNNERS | {"make": sh(work)}, sandbox="off")
    running = desk.start()
    log = desk.path / "runs/demo/build/agents/maker/attempts/001/output.log"
    follower = None
    try:
        wait_for(lambda: log.exists() and b"line" in log.read_bytes())
        assert desk.run("logs", "--config", "agent=build_maker").out == "first \ufffd[2Jline\n"
        command = [str(SNAKEMAKE), "-s", str(ROOT / "Snakefile"), "--cores", "2", "logs", "--config", "agent=build_maker", "follow=true"]
        with (desk.path / "followed.log").open("w") as out:
            follower = subprocess.Popen(command, cwd=desk.path, env=desk.environment(), stdout=out, stdin=subprocess.DEVNULL)
        wait_for(lambda: "line" in desk.read("followed.log"))
        assert follower.poll() is None
        (desk.path / "go").touch()
        assert follower.wait(60) == 0
        assert desk.read("followed.log") == "first \ufffd[2Jline\nlast\n"
        assert running.wait(60) == 0
    finally:
        (desk.path / "go").touch()
        for process in (running, follower):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(60)
    assert desk.run("logs", "--config", "agent=plan_writer").out == "writing\n"
    assert "agent=build_nobody: not known; allowed: plan_writer, build_maker" in refused(desk, "logs", "--config", "agent=build_nobody")
    assert "--config agent=... is missing; allowed: plan_writer, build_maker" in refused(desk, "logs")
    assert "follow=perhaps: say yes or no" in refused(desk, "logs", "--config", "agent=plan_writer", "follow=perhaps")


@pytest.mark.long
def test_what_a_command_does_not_read_is_refused_and_so_is_company(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    before = snapshot(desk.path / "runs")
    for words, message in (
        (("status", "--config", "phase=plan"), "`status` does not read `phase`; it reads: format"),
        (("approve", "--config", "agents=writer"), "`approve` does not read `agents`"),
        (("rollback", "--config", "phase=plan"), "`rollback` does not read `phase`; it reads: apply, to"),
        (("--config", "note=x"), "`all` does not read `note`"),
        (("approve", "status"), "`approve` stands alone: type it without status"),
        (("plan", "verify"), "`verify` stands alone: type it without plan"),
        (("approve", "--config", "phase=plan", "phase=build"), "phase=... stands twice"),
    ):
        assert message in refused(desk, *words)
    assert snapshot(desk.path / "runs") == before


def test_a_person_is_told_once_when_a_gate_newly_waits_or_is_newly_blocked(desk: Desk) -> None:
    tell = sh(f'echo "$PHASEGATE_RUN $PHASEGATE_PHASE $PHASEGATE_STATE $PHASEGATE_DIGEST $PHASEGATE_REQUEST" >> {desk.path}/told')
    fails = {"name": "words", "command": ["false"], "environment": "none"}
    phases = {"plan": PHASES["plan"], "build": {**PHASES["build"], "checks": [fails]}}
    desk.configure(phases, RUNNERS, notify=tell)
    desk.run()
    desk.run()
    plan = f"demo plan waiting {desk.read('runs/demo/plan/digest').strip()} {desk.path}/runs/demo/plan/REQUEST.md"
    assert desk.read("told").splitlines() == [plan]
    desk.touch("plan")
    desk.run(check=1)
    desk.run(check=1)
    build = f"demo build blocked {desk.read('runs/demo/build/digest').strip()} {desk.path}/runs/demo/build/REQUEST.md"
    assert desk.read("told").splitlines() == [plan, build]

    (desk.path / "runs/demo/plan/APPROVED").unlink()
    desk.configure(phases, RUNNERS, notify=["no-such-program"])
    done = desk.run()
    assert "warning: notify could not run: No such file or directory" in done.out + done.err
    assert "plan waits for your review" in done.last[-5]
    desk.configure(phases, RUNNERS, notify=sh("exit 3"))
    assert "warning" not in desk.run().err
    desk.touch("plan")
    done = desk.run(check=1)
    assert "warning: notify ended with exit code 3" in done.out + done.err
    assert desk.read("told").splitlines() == [plan, build]


def processor_ticks(pid: int) -> int:
    """Clock ticks that a process and its finished children have used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15]))


def test_watch_waits_without_the_processor_and_goes_on_when_somebody_decides(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    with (desk.path / "watched.log").open("w") as log:
        command = [sys.executable, str(ROOT / "scripts/watch.py"), "--cores", "2"]
        running = subprocess.Popen(command, cwd=desk.path, env=desk.environment(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        wait_for(lambda: desk.read("watched.log").count("watching ") == 1)
        before = processor_ticks(running.pid)
        time.sleep(2)
        assert processor_ticks(running.pid) - before <= 5
        assert desk.read("watched.log").count("watching ") == 1
        desk.run("approve", "--config", "by=Ann")
        wait_for(lambda: desk.read("watched.log").count("watching ") == 2)
        assert "build waits for your review" in desk.read("watched.log")
        desk.touch("build")
        assert running.wait(60) == 0, desk.read("watched.log")
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
            running.wait(60)
    assert "delivered: all 2 phases are done" in desk.read("watched.log")
    assert desk.attempts("plan", "writer") == desk.attempts("build", "maker") == 1


@pytest.mark.long
def test_a_person_is_told_of_one_gate_while_another_branch_still_works(desk: Desk) -> None:
    phases = {
        "quick": {"after": [], "agents": {"worker": {"runner": "quick"}}},
        "slow": {"after": [], "agents": {"worker": {"runner": "slow"}}},
    }
    runners = {"quick": sh("echo x > quick.txt"), "slow": sh("sleep 20; echo x > slow.txt")}
    told = ["sh", "-c", f'echo "$PHASEGATE_PHASE $PHASEGATE_STATE" >> {desk.path}/told.txt']
    desk.configure(phases, runners, notify=told)
    working = desk.start()
    wait_for(lambda: (desk.path / "told.txt").exists())
    assert working.poll() is None
    assert desk.read("told.txt") == "quick waiting\n"
    assert working.wait(90) == 0
    assert desk.read("told.txt") == "quick waiting\nslow waiting\n"
