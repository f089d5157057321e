"""The story of what agents use: it is on record, held against budgets, never reset, and told before the next run.

The agents are shell scripts that print the events of the `api` runner.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from conftest import Desk, sh

CALL = json.dumps({"event": "call", "input_tokens": 700, "output_tokens": 300, "cached_tokens": 0})
START = json.dumps({"event": "start", "model": "gpt-4o"})
WELL = json.dumps({"event": "end", "said": "ok"})


def says(*events: str, then: str = "echo x > x.txt") -> dict[str, Any]:
    """A runner that prints these events, and then does something."""
    lines = "; ".join(f"echo '{event}'" for event in events)
    return {"command": sh(f"{lines}; {then}"), "usage": "api"}


def limit(kind: str, message: str = "too many requests") -> str:
    return json.dumps({"event": "end", "said": "error", "kind": kind, "message": message})


def configure(desk: Desk, runners: dict[str, Any], agents: dict[str, Any] | None = None, **more: Any) -> None:
    named = agents or {name: {"runner": name} for name in runners}
    desk.configure({"build": {"agents": named}}, runners, retry={"retries": 0}, **more)


def test_usage_and_an_estimated_cost_stand_in_outcome_and_request(desk: Desk) -> None:
    configure(desk, {"maker": says(START, CALL, CALL, WELL), "silent": {"command": sh("echo y > y.txt")}})
    desk.run()
    usage = desk.outcome("build", "maker")["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["model_calls"], usage["estimated"]) == (1400, 600, 2, True)
    assert usage["cost_usd"] > 0
    assert desk.outcome("build", "maker")["runner"]["model"] == "gpt-4o"
    assert desk.outcome("build", "silent")["usage"]["cost_usd"] is None
    page = desk.read("runs/demo/build/REQUEST.md")
    assert "| maker | 1 | gpt-4o | 2 | 2,000 |" in page
    assert "| silent | 1 | unknown | unknown | unknown | unknown |" in page


def test_an_agent_whose_events_do_not_say_that_it_ended_well_has_failed(desk: Desk) -> None:
    configure(desk, {"cut": says(START, CALL), "bad": says(START, limit("auth", "no such key")), "fine": says(START, CALL, WELL)})
    desk.run(check=1)
    found = {name: desk.outcome("build", name) for name in ("cut", "bad", "fine")}
    assert {name: row["status"] for name, row in found.items()} == {"cut": "failed", "bad": "failed", "fine": "succeeded"}
    assert "no such key" in found["bad"]["errors"][0]


def test_a_spent_budget_stops_the_agent_that_works_and_starts_no_other(desk: Desk) -> None:
    endless = says(START, CALL, CALL, CALL, then="sleep 60; echo x > x.txt")
    agents = {"first": {"runner": "endless"}, "second": {"runner": "endless", "needs": []}}
    configure(desk, {"endless": endless}, agents, budget={"model_calls": 3}, max_parallel_agents=1)
    done = desk.run(check=1, timeout=60)
    rows = [desk.outcome("build", name) for name in ("first", "second")]
    assert [row["status"] for row in rows] == ["over_budget", "over_budget"]
    assert sorted(len(row["attempts"]) for row in rows) == [0, 1]
    assert "the budget of the run is spent: 3 of 3 model calls" in done.out
    assert "| the run | 3 | 3 | model calls |" in desk.read("runs/demo/build/REQUEST.md")
    desk.run(check=1)
    desk.run("retry", check=1)
    assert sum(desk.attempts("build", name) for name in ("first", "second")) == 1, "no resume and no retry resets it"


def test_a_raised_budget_lets_the_same_command_go_on(desk: Desk) -> None:
    once = sh(
        f"echo '{START}'; echo '{CALL}'; echo '{CALL}'; case $PHASEGATE_BRIEF in */001/*) sleep 60;; esac; echo '{WELL}'; echo x > x.txt"
    )
    configure(desk, {"maker": {"command": once, "usage": "api"}}, budget={"tokens": 1500})
    desk.run(check=1, timeout=60)
    assert desk.outcome("build", "maker")["status"] == "over_budget"
    settings = desk.read("config/config.yaml").replace("tokens: 1500", "tokens: 9000")
    desk.write("config/config.yaml", settings)
    desk.run()
    outcome = desk.outcome("build", "maker")
    assert (outcome["status"], outcome["usage"]["model_calls"]) == ("succeeded", 4)


def test_an_approval_may_say_what_may_be_spent_on_what_follows(desk: Desk) -> None:
    paid = says(START, CALL, CALL, CALL, CALL, then=f"sleep 30; echo '{WELL}'; echo x > x.txt")
    desk.configure({"plan": {"agents": {"a": {"runner": "free"}}}, "build": {"agents": {"b": {"runner": "paid"}}}},
                   {"free": sh("echo p > p.txt"), "paid": paid})  # fmt: skip
    desk.run()
    bad = desk.run("approve", "--config", "phase=plan", "by=Ann", "budget_usd=a lot", check=1)
    assert "write a positive number" in bad.last[-1]
    assert not (desk.path / "runs/demo/plan/APPROVED").exists()
    desk.run("approve", "--config", "phase=plan", "by=Ann", "budget_usd=0.001")
    assert "what follows may cost 0.001 USD" in desk.run("status").out
    desk.run(check=1)
    outcome = desk.outcome("build", "b")
    assert outcome["status"] == "over_budget"
    assert "the budget of what follows plan is spent" in outcome["errors"][0]
    assert "| what follows plan | " in desk.read("runs/demo/build/REQUEST.md")


@pytest.mark.parametrize("kind", ["rate_limit", "quota"])
def test_an_agent_out_of_quota_is_parked_and_the_next_run_tries_again(desk: Desk, kind: str) -> None:
    script = sh(f"case $PHASEGATE_BRIEF in */001/*) echo '{limit(kind)}'; exit 0;; esac; echo '{WELL}'; echo x > x.txt")
    configure(desk, {"maker": {"command": script, "usage": "api"}})
    done = desk.run(check=1)
    assert desk.outcome("build", "maker")["status"] == "parked"
    assert "agent maker: parked" in done.last[-5]
    desk.run()
    assert [row["status"] for row in desk.outcome("build", "maker")["attempts"]] == ["parked", "succeeded"]


def test_the_next_runner_takes_over_where_one_is_missing_or_out_of_quota(desk: Desk) -> None:
    runners = {"absent": {"command": ["no-such-agent-anywhere"]}, "tired": says(limit("quota")), "able": says(START, WELL)}
    configure(desk, runners, {"maker": {"runner": ["absent", "tired", "able"]}})
    desk.run()
    outcome = desk.outcome("build", "maker")
    assert (outcome["status"], outcome["runner"]["name"]) == ("succeeded", "able")
    assert [(row["runner"], row["status"]) for row in outcome["attempts"]] == [
        ("absent", "failed"), ("tired", "parked"), ("able", "succeeded")]  # fmt: skip


def test_a_dry_run_ends_with_what_earlier_attempts_tell(desk: Desk) -> None:
    configure(desk, {"maker": says(START, CALL, WELL)})
    assert "estimate:" not in desk.run("-n").err
    desk.run()
    assert "estimate:" not in desk.run("-n").err, "there is nothing to do"
    desk.configure({"build": {"agents": {"maker": {"runner": "maker", "instructions": "Better."}, "new": {"runner": "maker"}}}},
                   {"maker": says(START, CALL, WELL)})  # fmt: skip
    last = desk.run("-n").last[-1]
    assert last.startswith("estimate: 2 agents would work, about ")
    assert last.endswith("USD (from 2 earlier attempts)")
    assert desk.attempts("build", "maker") == 1


def test_what_a_set_up_makes_is_not_taken_for_the_agents_work(desk: Desk) -> None:
    runner = {"command": sh("cat prepared.txt > made.txt; echo $PHASEGATE_PORT_1 > port.txt"), "setup": sh("echo ready > prepared.txt")}
    configure(desk, {"maker": runner, "idle": {"command": ["true"], "setup": sh("echo ready > prepared.txt")},
                     "broken": {"command": ["true"], "setup": sh("exit 3")}})  # fmt: skip
    desk.run(check=1)
    assert [item["path"] for item in desk.outcome("build", "maker")["artifacts"]] == ["made.txt", "port.txt"]
    assert desk.outcome("build", "idle")["status"] == "no_changes"
    broken = desk.outcome("build", "broken")
    assert "the set-up sh ended with exit code 3" in broken["errors"][0]
    assert broken["again"]
