"""The story of phases: what they must produce, how they are checked, how their agents and they themselves depend on each other."""

from __future__ import annotations

from typing import Any

import pytest
from conftest import INTAKE, Desk, most_at_once, sh

RUNNERS = {
    "must": sh("echo x > must.txt"),
    "hollow": sh(": > hollow.txt; echo x > other.txt"),
    "ignoring": sh("echo kept.tmp > .gitignore; echo x > kept.tmp; echo x > kept.txt"),
    "left": sh("echo left > same.txt; echo x > left.txt"),
    "right": sh("grep -q '<<<<<<<' $PHASEGATE_PROMPT && exit 3; echo right > same.txt"),  # asked again, it gives up
    "bystander": sh("echo x > apart.txt"),
    "parent": sh("echo from the parent > given.txt"),
    "child": sh("cat given.txt > taken.txt"),
    "stranger": sh("ls > seen.txt"),
    "step": sh("sleep 0.2; echo step >> steps.txt"),
    "first": sh("echo 1 > a.txt; echo 1 > b.txt; echo 1 > gone.txt"),
    "second": sh("echo 2 > b.txt; echo 2 > c.txt; rm gone.txt"),
}


def alone(runner: str, **entry: Any) -> dict[str, Any]:
    """A phase of one agent that builds on no other phase."""
    return {"after": [], "agents": {"maker": {"runner": runner}}, **entry}


def check(name: str, *command: str, **more: Any) -> dict[str, Any]:
    """A check that needs no environment."""
    return {"name": name, "command": list(command), "environment": "none", **more}


PHASES = {
    "partial": alone("must", artifacts={"required": ["must.txt"], "optional": ["nice.txt"]}),
    "missing": alone("must", artifacts={"required": ["must.txt", "absent/**/*.md"]}),
    "empty": alone("hollow", artifacts={"required": ["hollow.txt"]}),
    "failing": alone("must", checks=[check("sums", "sh", "-c", "echo 1 is not 2; exit 7"), check("fine", "true")]),
    "unknown": alone("must", checks=[check("absent", "no-such-program"), check("endless", "sleep", "60", timeout=0.3)]),
    "clean": alone("ignoring", checks=[check("clean", "sh", "-c", "test -f kept.txt && test ! -e kept.tmp && test ! -e .git")]),
    "clash": {"after": [], "agents": {name: {"runner": name} for name in ("left", "bystander", "right")}},
    "family": {
        "after": [],
        "agents": {"child": {"runner": "child", "needs": ["parent"]}, "parent": {"runner": "parent"}, "stranger": {"runner": "stranger"}},
    },
    "line": {"after": [], "parallel": False, "agents": {name: {"runner": "step"} for name in ("zoe", "mia", "abe")}},
    "through": alone("first", gate="none"),
    "after_through": {
        "after": ["through"],
        "artifacts": {"required": ["*.txt"], "optional": ["a.txt"]},
        "agents": {"maker": {"runner": "second"}},
    },
    "stuck": alone("must", gate="none", checks=[check("never", "false")]),
    "after_stuck": {"after": ["stuck"], "agents": {"maker": {"runner": "must"}}},
}


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """One run of many phases that know nothing of each other, each with something special in it."""
    desk = Desk(tmp_path_factory.mktemp("many"))
    desk.brief()
    desk.configure(PHASES, RUNNERS)
    desk.run(check=1)
    return desk


def judged(desk: Desk, phase: str) -> tuple[str, list[str]]:
    """State of a phase and the reasons for it, as programs read them."""
    entry = desk.json("runs/demo/status.json")["phases"][phase]
    return entry["state"], entry["reasons"]


def ribbon(desk: Desk, phase: str) -> str:
    """First line of a phase's request."""
    return desk.read(f"runs/demo/{phase}/REQUEST.md").splitlines()[0]


def test_missing_optional_artifact_makes_the_request_yellow(many: Desk) -> None:
    assert judged(many, "partial") == ("waiting", ["nobody has approved it: there is no runs/demo/partial/APPROVED"])
    assert ribbon(many, "partial") == "# 🟡 PARTIAL SUCCESS: partial of demo"
    assert "- **missing**: <code>nice.txt</code>" in many.read("runs/demo/partial/REQUEST.md")


def test_missing_required_artifact_blocks(many: Desk) -> None:
    assert judged(many, "missing") == ("blocked", ["required artifact is missing: absent/**/*.md"])
    assert ribbon(many, "missing") == "# 🔴 NEEDS ATTENTION: missing of demo"
    assert many.json("runs/demo/missing/validation.json")["artifacts_found"] == ["must.txt"]


def test_empty_file_is_no_artifact(many: Desk) -> None:
    assert judged(many, "empty") == ("blocked", ["required artifact is missing: hollow.txt"])


def test_failing_check_blocks_and_says_what_it_said(many: Desk) -> None:
    assert judged(many, "failing") == ("blocked", ["check sums failed"])
    sums, fine = many.json("runs/demo/failing/validation.json")["checks"]
    assert (sums["status"], sums["exit_code"], sums["summary"], fine["status"]) == ("fail", 7, "1 is not 2", "pass")
    assert many.read(f"runs/demo/{sums['log']}") == "1 is not 2\n"
    page = many.read("runs/demo/failing/REQUEST.md")
    assert "| sums | ❌ fail | 7 |" in page
    assert "echo 1 is not 2; exit 7" in page


def test_check_that_could_not_run_is_unknown_and_blocks(many: Desk) -> None:
    reason = "could not run (unknown is not a pass)"
    assert judged(many, "unknown") == ("blocked", [f"check absent {reason}", f"check endless {reason}"])
    absent, endless = many.json("runs/demo/unknown/validation.json")["checks"]
    assert (absent["status"], absent["exit_code"], endless["status"]) == ("unknown", None, "unknown")
    assert "no-such-program" in absent["reason"]
    assert "not finished after 0.3 s" in endless["reason"]


def test_check_sees_a_clean_checkout_of_what_was_committed(many: Desk) -> None:
    assert judged(many, "clean") == ("waiting", ["nobody has approved it: there is no runs/demo/clean/APPROVED"])


def test_merge_conflict_names_the_file_and_both_agents(many: Desk) -> None:
    assert judged(many, "clash") == ("blocked", ["merge conflict between left and right in same.txt (line 1)"])
    assert many.attempts("clash", "right") == 2
    assert all(many.outcome("clash", name)["status"] == "succeeded" for name in ("left", "right", "bystander"))
    assert "merge conflict between left and right in same.txt" in many.read("runs/demo/clash/REQUEST.md")
    kept = [item["path"] for item in many.json("runs/demo/clash/manifest.json")["artifacts"]]
    assert kept == ["apart.txt", "left.txt", "same.txt"]


def test_child_sees_what_its_parent_made_and_others_do_not(many: Desk) -> None:
    parent, child = many.outcome("family", "parent"), many.outcome("family", "child")
    assert child["started_at"] >= parent["ended_at"]
    assert [item["path"] for item in child["artifacts"]] == ["taken.txt"]
    assert "+from the parent" in many.read("runs/demo/family/agents/child/changes.patch")
    assert "given.txt" not in many.read("runs/demo/family/agents/stranger/changes.patch")


def test_phase_that_is_not_parallel_keeps_the_order_of_the_config(many: Desk) -> None:
    outcomes = [many.outcome("line", name) for name in ("zoe", "mia", "abe")]
    assert most_at_once(outcomes) == 1
    assert [row["started_at"] for row in outcomes] == sorted(row["started_at"] for row in outcomes)
    assert [row["artifacts"][0]["size"] for row in outcomes] == [5, 10, 15], "each adds its line to what the one before it wrote"


def test_phase_without_a_gate_goes_through_when_nothing_is_wrong(many: Desk) -> None:
    assert judged(many, "through")[0] == "open"
    assert many.outcome("after_through", "maker")["status"] == "succeeded"


def test_phase_without_a_gate_blocks_when_something_is_wrong(many: Desk) -> None:
    assert judged(many, "stuck") == ("blocked", ["check never failed"])
    state, reasons = judged(many, "after_stuck")
    assert (state, reasons[0].split(",")[0]) == ("pending", "comes after stuck")
    assert not (many.path / "runs/demo/after_stuck").exists()


def test_artifacts_of_a_phase_are_what_this_phase_created_or_changed(many: Desk) -> None:
    required, optional = many.json("runs/demo/after_through/validation.json")["artifacts"]
    assert required["found"] == ["b.txt", "c.txt"]
    assert optional["found"] == []
    manifest = many.json("runs/demo/after_through/manifest.json")
    assert [item["path"] for item in manifest["artifacts"]] == ["b.txt", "c.txt"]
    assert manifest["subject"]["deleted"] == ["gone.txt"]


def test_partial_phase_can_be_approved(desk: Desk) -> None:
    desk.configure({"partial": PHASES["partial"]}, RUNNERS)
    assert "(PARTIAL SUCCESS)" in desk.run().last[-5]
    desk.touch("partial")
    assert "delivered" in desk.run().last[-5]


def test_independent_phases_overlap_and_a_closed_gate_holds_only_what_comes_after_it(desk: Desk) -> None:
    runners = {name: sh(f"sleep 1; echo x > {name}.txt") for name in ("west", "east")} | {"next": sh("ls > next.txt")}
    phases = {
        "west": alone("west"),
        "east": alone("east"),
        "west_next": {"after": ["west"], "agents": {"maker": {"runner": "next"}}},
        "east_next": {"after": ["east"], "agents": {"maker": {"runner": "next"}}},
        "both": {"after": ["west_next", "east_next"], "agents": {"maker": {"runner": "next"}}},
    }
    desk.configure(phases, runners)
    first = desk.run()
    assert most_at_once([desk.outcome("west", "maker"), desk.outcome("east", "maker")]) == 2
    assert sum("waits for your review" in line for line in first.last) == 2
    desk.touch("west")
    desk.run()
    assert {name: judged(desk, name)[0] for name in phases} == {
        "west": "open",
        "east": "waiting",
        "west_next": "waiting",
        "east_next": "pending",
        "both": "pending",
    }
    assert "+west.txt" in desk.read("runs/demo/west_next/agents/maker/changes.patch")
    assert "east.txt" not in desk.read("runs/demo/west_next/agents/maker/changes.patch")


def test_conflict_between_two_phases_is_told_where_they_meet(desk: Desk) -> None:
    runners = {"left": RUNNERS["left"], "right": RUNNERS["right"], "next": sh("echo x > next.txt")}
    phases = {
        "west": alone("left", gate="none"),
        "east": alone("right", gate="none"),
        "both": {"after": ["west", "east"], "agents": {"maker": {"runner": "next"}}},
    }
    desk.brief(project=INTAKE["project"] | {"version": "2.0.0"})
    desk.configure(phases, runners)
    desk.run(check=1)
    assert judged(desk, "both") == ("blocked", ["merge conflict between west and east in same.txt"])
