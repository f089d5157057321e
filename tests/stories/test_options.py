"""The story of Snakemake's own options, and of what is said to somebody who asks for what cannot be."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import Desk, Done, sh, snapshot, wait_for

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}, "critic": {"runner": "criticise", "needs": ["writer"]}}},
    "build": {"agents": {"maker": {"runner": "make"}}},
}
RUNNERS = {"write": sh("echo plan > plan.md"), "criticise": sh("echo well > review.md"), "make": sh("cat plan.md > made.txt")}


def one_line(done: Done) -> str:
    """What a refused command said: one line, and no traceback."""
    assert done.code == 1
    assert "Traceback" not in done.err + done.out
    assert len(done.said.splitlines()) == 1, done.said
    return done.said


@pytest.fixture
def waiting(desk: Desk) -> Desk:
    """A run that waits at the gate of its first phase."""
    desk.configure(PHASES, RUNNERS)
    desk.run()
    return desk


def test_dry_run_lists_what_would_run_and_writes_nothing(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    (desk.path / "home").mkdir()
    before = snapshot(desk.path, ".snakemake")
    done = desk.run("-n")
    assert {"plan_writer", "plan_critic"} <= set(re.findall(r"\w+", done.out + done.err))
    assert snapshot(desk.path, ".snakemake") == before

    desk.run()
    desk.configure(PHASES, RUNNERS | {"criticise": sh("echo badly > review.md")})
    before = snapshot(desk.path, ".snakemake")
    done = desk.run("-n")
    words = set(re.findall(r"\w+", done.out + done.err))
    assert "plan_critic" in words
    assert "plan_writer" not in words
    desk.run("-n", "--forceall", "--config", "confirm=true")
    assert snapshot(desk.path, ".snakemake") == before


def test_forceall_says_how_many_attempts_it_would_buy_and_buys_them_when_confirmed(waiting: Desk) -> None:
    said = one_line(waiting.run("--forceall", check=1))
    assert "--forceall would buy 2 new attempts (plan_writer, plan_critic)" in said
    assert (waiting.attempts("plan", "writer"), waiting.attempts("plan", "critic")) == (1, 1)
    done = waiting.shell(said.split("if that is meant:")[1].strip())
    assert "plan waits for your review (READY FOR REVIEW)" in done.last[-5]
    waiting.run()
    assert (waiting.attempts("plan", "writer"), waiting.attempts("plan", "critic")) == (2, 2)


def test_until_an_agent_stops_there_and_the_plain_command_goes_on(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run("--until", "plan_writer")
    assert desk.outcome("plan", "writer")["status"] == "succeeded"
    assert desk.attempts("plan", "critic") == 0
    assert not (desk.path / "runs/demo/bundles").exists()
    assert desk.json("runs/demo/status.json")["state"] == "running"
    assert "plan waits for your review" in desk.run().last[-5]
    assert desk.attempts("plan", "writer") == 1


def test_touch_opens_no_gate_and_creates_nothing_false(waiting: Desk) -> None:
    before = {name: content for name, (content, _) in snapshot(waiting.path / "runs/demo").items()}
    waiting.run("--touch")
    after = {name: content for name, (content, _) in snapshot(waiting.path / "runs/demo").items()}
    assert after == before
    assert waiting.json("runs/demo/status.json")["state"] == "waiting"
    empty = Desk(waiting.path.parent / "empty")
    empty.path.mkdir()
    empty.brief()
    empty.configure(PHASES, RUNNERS)
    empty.run("--touch", check=None)
    assert not [name for name in snapshot(empty.path / "runs") if name.endswith(("outcome.json", "digest", "manifest.json", "REQUEST.md"))]
    assert "plan waits for your review" in waiting.run().last[-5]
    assert waiting.attempts("plan", "writer") == 1


def test_deleting_all_output_pays_for_nothing_again(waiting: Desk) -> None:
    waiting.touch("plan")
    before = waiting.run().last[-5:]
    digest = waiting.read("runs/demo/build/digest")
    waiting.run("--delete-all-output")
    assert not (waiting.path / "runs/demo/build/digest").exists()
    assert waiting.run().last[-5:] == before
    assert waiting.read("runs/demo/build/digest") == digest
    assert [waiting.attempts(*agent) for agent in (("plan", "writer"), ("plan", "critic"), ("build", "maker"))] == [1, 1, 1]


def test_what_cannot_be_is_refused_in_one_line_and_changes_nothing(waiting: Desk) -> None:
    before = snapshot(waiting.path / "runs/demo")
    assert "nonsense" in one_line(waiting.run("nonsense", check=1))
    known = "known: plan_writer, plan_critic, build_maker"
    assert (
        one_line(waiting.run("--forcerun", "plan_nobody", check=1)) == f"phasegate: --forcerun plan_nobody: there is no such agent; {known}"
    )
    why = "nobody has approved it: there is no runs/demo/plan/APPROVED"
    closed = f"the gate of `plan` before it is not open ({why}); see runs/demo/plan/REQUEST.md"
    assert closed in one_line(waiting.run("--forcerun", "build_maker", check=1))
    assert closed in one_line(waiting.run("runs/demo/build/digest", check=1))
    assert "allowed: plan, build" in one_line(waiting.run("retry", "--config", "phase=nonsense", check=1))
    assert "known" in one_line(waiting.run("--config", "max_paralel_agents=2", check=1))
    assert {name: found[0] for name, found in snapshot(waiting.path / "runs/demo").items()} == {
        name: found[0] for name, found in before.items()
    }


def test_list_of_targets_is_the_manual(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    done = desk.run("--list-target-rules")
    text = done.out + done.err
    for name in ("all", "plan", "build", "plan_writer", "build_maker", "quickstart", "retry", "status", "bundles"):
        assert re.search(rf"^\s*{name}\n\s+[A-Z]\w+ .*\.|^\s*{name}\b.*[A-Z]\w+ .*", text, re.MULTILINE), f"{name}\n{text}"
    assert not (desk.path / "runs").exists()


@pytest.fixture
def at_work(desk: Desk) -> Iterator[Desk]:
    """A run whose second phase is at work until the file `go` appears."""
    runners = RUNNERS | {"make": sh(f"until [ -e {desk.path}/go ]; do sleep 0.02; done; echo x > made.txt")}
    desk.configure({**PHASES, "plan": {**PHASES["plan"], "gate": "none"}}, runners, sandbox="off")
    running = desk.start()
    try:
        wait_for((desk.path / "runs/demo/build/agents/maker/attempts/001/begin.json").exists)
        yield desk
        (desk.path / "go").touch()
        assert running.wait(60) == 0, desk.read("started.log")
        assert desk.outcome("build", "maker")["status"] == "succeeded"
    finally:
        if running.poll() is None:
            running.send_signal(signal.SIGINT)
            running.wait(60)


def test_second_writer_is_refused_and_looking_works_meanwhile(at_work: Desk) -> None:
    said = one_line(at_work.run(check=1, timeout=60))
    holder = json.loads(at_work.read("runs/.lock"))
    assert f"process {holder['pid']}, started at {holder['started_at']}, is working here" in said
    status = json.loads(at_work.run("status", "--config", "format=json").out)
    assert {name: phase["state"] for name, phase in status["phases"].items()} == {"plan": "open", "build": "running"}
    assert [row["phase"] for row in json.loads(at_work.run("bundles", "--config", "format=json").out)] == ["plan"]
    assert "plan" in at_work.run("bundles").out
    at_work.run("-n")
    one_line(at_work.run(check=1, timeout=60))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_paralel_agents": 3}, r"config/config.yaml:\d+: unknown key `max_paralel_agents`; did you mean `max_parallel_agents`\?"),
        ({"timeout": 0}, r"config/config.yaml:\d+: `timeout` is 0; allowed: more than 0"),
        (
            {"phases": {"plan": {"agents": {"a": {"needs": ["b"]}, "b": {"needs": ["a"]}}}}},
            r"config/config.yaml:\d+: .* in a circle: a -> b -> a|b -> a -> b",
        ),
    ],
    ids=["unknown key", "value out of range", "agents in a circle"],
)
def test_bad_config_is_told_with_file_line_and_key(desk: Desk, config: dict[str, Any], message: str) -> None:
    desk.configure(**{"phases": PHASES, "runners": RUNNERS, **config})
    assert re.search(message, one_line(desk.run(check=1)))
    assert not (desk.path / "runs/demo").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "project: {name: demo, type: website}\ngoals: {primary: x}\n",
            "config/intake.yaml:1: `project.type` is 'website'; allowed: webapp, analytics, ml, other",
        ),
        ("project: {name: demo, type: other}\ngoals: {}\n", "config/intake.yaml:2: `goals` lacks the required key `primary`"),
    ],
    ids=["unknown type", "missing goal"],
)
def test_bad_intake_is_told_with_file_line_and_what_is_allowed(desk: Desk, text: str, message: str) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.write("config/intake.yaml", text)
    assert message in one_line(desk.run(check=1))
    assert not (desk.path / "runs/demo").exists()
