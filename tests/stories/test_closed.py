"""What is closed stays closed, by whatever way a phase is asked for, and what is damaged is never a success."""

from __future__ import annotations

import os
import signal

import pytest
from conftest import Desk, sh, wait_for

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "make"}, "other": {"runner": "make2"}}},
    "ship": {"gate": "none", "agents": {"shipper": {"runner": "ship"}}},
}
RUNNERS = {
    "write": sh("echo the plan > plan.md"),
    "make": sh("cat plan.md > made.txt"),
    "make2": sh("echo more > more.txt"),
    "ship": sh("cat made.txt > shipped.txt"),
}


def test_no_target_reaches_behind_a_closed_gate(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    for target in (
        "build_maker",
        "runs/demo/build/agents/maker/outcome.json",
        "runs/demo/bundles/ship.zip",
        "runs/demo/ship/artifacts/shipped.txt",
        "runs/demo/build/REQUEST.md",
    ):
        done = desk.run(target, check=1)
        assert "the gate of `plan` before it is not open" in done.said, target
        assert not (desk.path / "runs/demo/build/agents/maker/attempts").exists(), target
    desk.run("runs/demo/plan/artifacts/plan.md")
    assert desk.read("runs/demo/plan/artifacts/plan.md") == "the plan\n"


def test_a_name_that_means_nothing_starts_no_run(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    assert "there is no such target" in desk.run("bild", check=1).said
    assert not (desk.path / "runs").exists()


def test_what_builds_on_other_content_is_not_done_and_runs_again(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    desk.touch("build")
    assert "delivered" in desk.run().last[-5]
    desk.configure(PHASES, RUNNERS | {"write": sh("echo another plan > plan.md")})
    desk.run("plan")
    desk.run("approve", "--config", "phase=plan", "by=Ann")
    desk.run("status")
    status = desk.run("status", "--config", "format=json").out
    assert '"state": "delivered"' not in status
    assert "builds on plan" in status
    assert "build waits for your review again" in desk.run().last[-5]
    assert desk.read("runs/demo/project/made.txt") == "another plan\n"


def test_gate_that_is_closed_while_a_run_works_stops_what_has_not_begun(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS | {"make": sh("cat plan.md > made.txt; sleep 4")}, max_parallel_agents=1)
    desk.run()
    desk.touch("plan")
    working = desk.start(cores=1)
    folder = desk.path / "runs/demo/build/agents"
    wait_for(lambda: any(folder.glob("*/attempts/001/begin.json")))
    begun = [path.parts[-4] for path in folder.glob("*/attempts/001/begin.json")]
    (desk.path / "runs/demo/plan/APPROVED").unlink()
    assert working.wait(60) == 1
    left = {"maker", "other"} - set(begun)
    if begun == ["maker"]:
        assert desk.attempts("build", "other") == 0, left
        assert not list(folder.glob("other/attempts/*")), "what was made ready is thrown away"
        assert "is not open any more" in desk.read("started.log")
    assert not (desk.path / "runs/demo/build/REQUEST.md").exists()


@pytest.mark.long
def test_damaged_manifest_is_no_success_and_no_traceback(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    for text in ('{"a": 1}', "[]", "not json", '{"subject": {"upstream": 3}}'):
        desk.write("runs/demo/plan/manifest.json", text)
        done = desk.run(check=1)
        assert "Traceback" not in done.out + done.err, text
        assert desk.json("runs/demo/status.json")["state"] != "delivered"


def test_killed_retry_is_still_to_do(desk: Desk) -> None:
    desk.configure({"plan": PHASES["plan"]}, {"write": sh("exit 3")})
    desk.run(check=1)
    desk.configure({"plan": PHASES["plan"]}, {"write": sh("sleep 3; exit 3")})
    desk.run(check=1)
    before = desk.attempts("plan", "writer")
    working = desk.start("retry")
    wait_for(lambda: desk.attempts("plan", "writer") == before + 1)
    os.kill(working.pid, signal.SIGKILL)
    working.wait()
    desk.run(check=1)
    assert desk.attempts("plan", "writer") == before + 2


def test_retry_that_was_stopped_while_an_agent_waited_for_its_slot_is_still_to_do(desk: Desk) -> None:
    both = {"plan": {"agents": {"one": {"runner": "write"}, "two": {"runner": "write"}}}}
    desk.configure(both, {"write": sh("exit 3")})
    desk.run(check=1)
    desk.configure(both, {"write": sh("sleep 3; exit 3")})
    desk.run(check=1)
    before = {name: desk.attempts("plan", name) for name in ("one", "two")}
    working = desk.start("retry", cores=1)
    ready = desk.path / "runs/demo/plan/agents"
    wait_for(lambda: any(ready.glob(f"*/attempts/{before['one'] + 1:03d}/begin.json")))
    begun = "one" if desk.attempts("plan", "one") > before["one"] else "two"
    waits = "two" if begun == "one" else "one"
    wait_for((ready / f"{waits}/attempts/{before[waits] + 1:03d}/brief.json").exists)
    working.terminate()
    working.wait()
    assert desk.attempts("plan", waits) == before[waits]
    desk.run(check=1)
    assert desk.attempts("plan", waits) == before[waits] + 1
    assert desk.attempts("plan", begun) == before[begun] + 2


@pytest.mark.long
def test_printed_commands_carry_the_config_that_they_need(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    mine = desk.write("mine.yaml", desk.read("config/config.yaml"))
    (desk.path / "config/config.yaml").unlink()
    done = desk.run("--configfile", str(mine), "--config", "timeout=300")
    assert "--configfile" in done.next_command
    assert "timeout=300" in done.next_command
    assert "build waits for your review" in desk.shell(done.next_command).last[-5]


def test_another_time_limit_runs_no_check_again(desk: Desk) -> None:
    checked = {"plan": {**PHASES["plan"], "checks": [{"name": "good", "command": ["true"], "environment": "none"}]}}
    desk.configure(checked, RUNNERS)
    desk.run()
    before = (desk.path / "runs/demo/plan/validation.json").stat().st_mtime_ns
    desk.run("--config", "timeout=300")
    desk.run()
    assert (desk.path / "runs/demo/plan/validation.json").stat().st_mtime_ns == before
