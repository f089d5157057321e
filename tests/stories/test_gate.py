"""The story of a gate: closed, opened by a person, closed again when the content changes."""

from __future__ import annotations

from conftest import Desk, sh

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}, "artifacts": {"required": ["plan.md"]}},
    "build": {"agents": {"maker": {"runner": "make"}}, "artifacts": {"required": ["made.txt"]}},
}
RUNNERS = {"write": sh("echo the plan > plan.md"), "make": sh("cat plan.md > made.txt")}


def test_run_stops_at_the_first_gate_and_says_what_to_do(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    done = desk.run()
    assert [line.split(":")[0].strip() for line in done.last[-5:]] == ["demo", "made", "checked", "read", "approve"]
    assert "plan waits for your review (READY FOR REVIEW)" in done.last[-5]
    assert desk.json("runs/demo/status.json")["state"] == "waiting"
    assert not (desk.path / "runs/demo/build/agents/maker/outcome.json").exists()


def test_same_lines_when_the_command_is_repeated(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    first, again = desk.run(), desk.run()
    assert first.last[-5:] == again.last[-5:]
    assert desk.attempts("plan", "writer") == 1


def test_printed_approval_works_as_pasted_and_carries_the_run_on(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    line = desk.run().last[-1].split("approve:")[1].strip()
    done = desk.shell(line)
    assert "build waits for your review" in done.last[-5]
    assert desk.read("runs/demo/project/made.txt") == "the plan\n"


def test_marker_that_is_older_than_what_is_shown_does_not_open(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.configure(PHASES, RUNNERS | {"write": sh("echo another plan > plan.md")})
    done = desk.run()
    assert "plan waits for your review again" in done.last[-5]
    assert not (desk.path / "runs/demo/build/agents/maker/outcome.json").exists()


def test_deleting_the_marker_closes_the_gate_and_approving_again_runs_nothing(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    (desk.path / "runs/demo/plan/APPROVED").unlink()
    assert "plan waits for your review" in desk.run().last[-5]
    desk.touch("plan")
    assert "build waits for your review" in desk.run().last[-5]
    assert desk.attempts("plan", "writer") == desk.attempts("build", "maker") == 1


def test_touched_gate_opens_again_when_the_content_that_it_opened_for_comes_back(desk: Desk) -> None:
    phases = {"plan": {"agents": {"writer": {"runner": "write"}}}}
    first, other = ({"write": sh(f"echo {text} > plan.md")} for text in ("first", "other"))
    desk.configure(phases, first)
    desk.run()
    desk.touch("plan")
    desk.configure(phases, other)
    assert "plan waits for your review again" in desk.run().last[-5]
    desk.configure(phases, first)
    assert "delivered" in desk.run().last[-5]
