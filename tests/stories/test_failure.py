"""The story of what goes wrong: an agent that fails, a run that is killed, a folder that is moved."""

from __future__ import annotations

import os
import re
import shutil
import sys

import psutil
import pytest
from conftest import Desk, sh, wait_for

PHASES = {
    "build": {
        "agents": {
            "broken": {"runner": "broken"},
            "child": {"runner": "child", "needs": ["broken"]},
            "sibling": {"runner": "sibling"},
        },
    },
    "ship": {"gate": "none", "agents": {"packer": {"runner": "pack"}}},
}
BROKEN = sh("echo half > part.txt; echo '```'; echo '<b>the reason</b>'; exit 3")
RUNNERS = {
    "broken": BROKEN,
    "child": sh("cp part.txt copy.txt"),
    "sibling": sh("echo mine > mine.txt"),
    "pack": sh("cat copy.txt mine.txt > all.txt"),
}
OUTCOME = "runs/demo/build/agents/broken/outcome.json"
TWO_GATES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "make"}}},
    "ship": {"agents": {"packer": {"runner": "pack"}}},
}
TWO_GATES_RUNNERS = {"write": sh("echo plan > plan.md"), "make": sh("echo made > made.txt"), "pack": sh("echo all > all.txt")}


def paid(desk: Desk, run: str = "demo") -> dict[str, int]:
    """How many attempts each agent of the run has made."""
    folders = (desk.path / "runs" / run).glob("*/agents/*")
    return {folder.name: desk.attempts(folder.parts[-3], folder.name, run) for folder in folders}


def test_failed_agent_is_data_and_its_gate_refuses_a_touched_marker(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    first = desk.run(check=1)
    broken, child, sibling = (desk.outcome("build", name) for name in ("broken", "child", "sibling"))
    assert (broken["status"], broken["exit_code"]) == ("failed", 3)
    assert broken["errors"] == ["the program ended with exit code 3"]
    assert (child["status"], child["attempts"]) == ("skipped", [])
    assert "`broken`" in child["errors"][0]
    assert sibling["status"] == "succeeded"
    page = desk.read("runs/demo/build/REQUEST.md")
    assert page.startswith("# 🔴 NEEDS ATTENTION")
    assert re.search(r"^(`{4,})\w*\n```\n<b>the reason</b>\n\1$", page, re.MULTILINE), "the log stands in a fence that it cannot close"
    assert f"-s {desk.root / 'Snakefile'} --cores 2 --forcerun build_broken`" in page
    assert "retry --config phase=build" in page
    assert "blocked" in first.last[-5]
    assert "agent broken: failed" in first.last[-5]

    desk.touch("build")
    again = desk.run(check=1)
    assert again.last[-5:] == first.last[-5:]
    status = desk.json("runs/demo/status.json")
    assert (status["state"], status["phases"]["build"]["state"], status["phases"]["ship"]["state"]) == ("blocked", "blocked", "pending")
    assert paid(desk) == {"broken": 1, "child": 0, "sibling": 1}


@pytest.mark.long
def test_each_way_to_run_a_failed_agent_again_pays_exactly_once(desk: Desk) -> None:
    works_at_last = sh('case "$PHASEGATE_BRIEF" in */attempts/005/*) echo whole > part.txt;; *) exit 3;; esac')
    desk.configure(PHASES, RUNNERS | {"broken": works_at_last})
    again = desk.run(check=1).next_command
    desk.run("--forcerun", "build_broken", check=1)
    assert desk.attempts("build", "broken") == 2
    desk.run("--forcerun", OUTCOME, check=1)
    assert desk.attempts("build", "broken") == 3
    desk.run("--forcerun", f"./{OUTCOME}", check=1)
    assert desk.attempts("build", "broken") == 4
    assert [attempt["number"] for attempt in desk.outcome("build", "broken")["attempts"]] == [1, 2, 3, 4]

    done = desk.shell(again)
    assert "1 failed agent of build works again" in done.err
    assert "build waits for your review (READY FOR REVIEW)" in done.last[-5]
    assert desk.outcome("build", "child")["status"] == "succeeded"
    desk.run()
    assert paid(desk) == {"broken": 5, "child": 1, "sibling": 1}


def test_repaired_phase_lets_the_run_go_on_to_the_end(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run(check=1)
    desk.configure(PHASES, RUNNERS | {"broken": sh("echo whole > part.txt")})
    assert "build waits for your review (READY FOR REVIEW)" in desk.run().last[-5]
    desk.touch("build")
    assert "delivered" in desk.run().last[-5]
    assert desk.read("runs/demo/project/all.txt") == "whole\nmine\n"
    assert paid(desk) == {"broken": 2, "child": 1, "sibling": 1, "packer": 1}

    done = desk.run("retry")
    assert "no agent has failed; nothing to retry" in done.err
    assert paid(desk) == {"broken": 2, "child": 1, "sibling": 1, "packer": 1}


def test_deleted_outcome_is_tried_again_when_it_failed_and_published_again_when_not(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run(check=1)
    before = desk.outcome("build", "sibling")
    for name in ("broken", "sibling"):
        (desk.path / f"runs/demo/build/agents/{name}/outcome.json").unlink()
    desk.run(check=1)
    assert paid(desk) == {"broken": 2, "child": 0, "sibling": 1}
    assert desk.outcome("build", "sibling") == before


def test_every_way_to_end_is_told_apart(desk: Desk) -> None:
    agents = {
        "raises": [sys.executable, "-c", "raise ValueError('out of ideas')"],
        "absent": ["no-such-program-anywhere"],
        "idle": sh("exit 0"),
        "looker": sh("exit 0"),
        "slow": sh("echo begun; echo x > x; sleep 60"),
        "tired": sh("exit 75"),
        "second": sh('case "$PHASEGATE_BRIEF" in */attempts/001/*) exit 75;; *) echo x > second.txt;; esac'),
        "limited": sh("echo 'HTTP 429: Rate Limit'; exit 1"),
        "stubborn": sh("exit 1"),
    }
    repeated = {"retry": {"retries": 2, "base_delay": 0}}
    more = {
        "looker": {"allow_no_changes": True},
        "slow": {"timeout": 0.5, **repeated},
        "tired": repeated,
        "second": repeated,
        "limited": {"retry": {"retries": 1, "base_delay": 0}},
        "stubborn": repeated,
    }
    entries = {name: {"runner": name, **more.get(name, {"retry": {"retries": 0}})} for name in agents}
    desk.configure({"build": {"agents": entries}}, agents, max_parallel_agents=4)
    desk.run(check=1, cores=4)
    found = {name: desk.outcome("build", name) for name in agents}
    assert {name: (row["status"], row["exit_code"], len(row["attempts"])) for name, row in found.items()} == {
        "raises": ("failed", 1, 1),
        "absent": ("failed", 127, 1),
        "idle": ("no_changes", 0, 1),
        "looker": ("succeeded", 0, 1),
        "slow": ("timed_out", 124, 1),
        "tired": ("failed", 75, 3),
        "second": ("succeeded", 0, 2),
        "limited": ("failed", 1, 2),
        "stubborn": ("failed", 1, 1),
    }
    assert all(bool(row["errors"]) == (row["status"] != "succeeded") for row in found.values())
    assert [attempt["number"] for attempt in found["tired"]["attempts"]] == [1, 2, 3]
    assert [attempt["status"] for attempt in found["second"]["attempts"]] == ["failed", "succeeded"]
    logs = {name: desk.read(f"runs/demo/build/agents/{name}/{found[name]['log']}") for name in ("raises", "slow")}
    assert "Traceback" in logs["raises"]
    assert "ValueError: out of ideas" in logs["raises"]
    assert logs["slow"] == "begun\n"
    assert "no-such-program-anywhere" in found["absent"]["errors"][0]
    assert "ValueError: out of ideas" in desk.read("runs/demo/build/REQUEST.md")


def test_plain_command_goes_on_after_snakemake_was_killed(desk: Desk) -> None:
    sleeps_once = sh('case "$PHASEGATE_BRIEF" in */attempts/001/*) echo half > slow.txt; sleep 600;; *) cat quick.txt > slow.txt;; esac')
    phases = {"build": {"agents": {"quick": {"runner": "quick"}, "slow": {"runner": "slow", "needs": ["quick"]}}}}
    desk.configure(phases, {"quick": sh("echo quick > quick.txt"), "slow": sleeps_once})
    running = desk.start()
    tree = desk.path / "runs/demo/build/agents/slow/attempts/001/work/tree/slow.txt"
    wait_for(tree.exists)
    family = psutil.Process(running.pid).children(recursive=True)
    running.kill()
    running.wait()
    assert not psutil.wait_procs(family, timeout=20)[1], "nothing outlives a killed run"

    assert "build waits for your review (READY FOR REVIEW)" in desk.run().last[-5]
    assert desk.attempts("build", "quick") == 1
    assert [attempt["status"] for attempt in desk.outcome("build", "slow")["attempts"]] == ["interrupted", "succeeded"]
    assert desk.read("runs/demo/project/slow.txt") == "quick\n", "what a killed agent left is not its result"


@pytest.mark.long
def test_neither_a_lost_snakemake_folder_nor_a_copy_opens_closes_or_pays_anything(desk: Desk) -> None:
    desk.configure(TWO_GATES, TWO_GATES_RUNNERS)
    desk.run()
    desk.touch("plan")
    before = desk.run()
    assert "build waits for your review (READY FOR REVIEW)" in before.last[-5]
    shutil.rmtree(desk.path / ".snakemake")
    assert desk.run().last[-5:] == before.last[-5:]

    marker = desk.path / "runs/demo/build/APPROVED"
    marker.touch()
    os.utime(marker, (1_600_000_000, 1_600_000_000))  # touched before this content was shown: it never opened anything
    for way in ("-r", "-a"):
        copy = Desk(desk.path.parent / f"copy{way}")
        desk.shell(["cp", way, str(desk.path), str(copy.path)])
        done = copy.run()
        assert "build waits for your review again" in done.last[-5], way
        assert copy.json("runs/demo/status.json")["phases"]["plan"]["state"] == "open"
        assert paid(copy) == {"writer": 1, "maker": 1}
    copy.touch("build")
    assert "ship waits for your review" in copy.run().last[-5]
    assert paid(copy) == {"writer": 1, "maker": 1, "packer": 1}


def test_an_agent_whose_program_is_missing_tries_again_by_itself_once_it_is_there(desk: Desk) -> None:
    program = desk.path / "tools/my-agent"
    desk.configure({"build": {"agents": {"maker": {"runner": "mine"}}}}, {"mine": [str(program)]})
    done = desk.run(check=1)
    assert f"build maker: failed (0.0 s): cannot start {program}: there is no such program" in done.out
    assert desk.run(check=1).code == 1, "the same as long as it is missing"
    desk.write("tools/my-agent", "#!/bin/sh\necho made > made.txt\n").chmod(0o755)
    assert "build waits for your review (READY FOR REVIEW)" in desk.run().last[-5]
    assert desk.outcome("build", "maker")["status"] == "succeeded"
    assert list((desk.path / "runs/demo/history/retries").rglob("build_maker.json"))


def test_a_file_where_a_folder_of_the_run_should_be_is_one_clear_line(desk: Desk) -> None:
    desk.configure({"build": {"agents": {"maker": {"runner": "make"}}}}, {"make": sh("echo made > made.txt")})
    desk.run()
    bundles = desk.path / "runs/demo/bundles"
    shutil.rmtree(bundles)
    bundles.write_text("mine")
    done = desk.run(check=1)
    assert done.last[-1] == "phasegate: runs/demo/bundles: is not a folder; move it away, then run the same command again"
    assert "Traceback" not in done.err
    bundles.unlink()
    assert "build waits for your review (READY FOR REVIEW)" in desk.run().last[-5]
    assert desk.attempts("build", "maker") == 1


def test_a_job_that_fails_for_the_machine_is_one_line_with_its_cause(desk: Desk) -> None:
    """Something that is no checkout lies where a base should be read: the job says what, and Snakemake's account is left out."""
    desk.configure({"build": {"agents": {"maker": {"runner": "make"}}}}, {"make": sh("echo made > made.txt")})
    desk.run()
    (desk.path / "runs/demo/start.json").write_text("{")
    (desk.path / "runs/demo/build/base.json").unlink()
    done = desk.run(check=1)
    lines = [line for line in done.said.splitlines() if line.startswith("phasegate: ")]
    assert len(lines) == 1
    assert lines[0].startswith("phasegate: build.start_phase: runs/demo/start.json: cannot be read as JSON")
    assert "Error in rule" not in done.err
    assert "CalledProcessError" not in done.err
