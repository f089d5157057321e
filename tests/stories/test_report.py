"""A person asks for the report of a run: ours, and Snakemake's own."""

from __future__ import annotations

import re

from conftest import Desk, sh, wait_for

PHASES = {
    "plan": {"agents": {"writer": {}}, "artifacts": {"required": ["plan.md"]}},
    "build": {"agents": {"maker": {}, "tester": {"needs": ["maker"]}}, "checks": [{"name": "tests", "command": ["test", "-f", "plan.md"]}]},
}
AGENT = 'printf "# %s\\n" "$PHASEGATE_AGENT" > plan.md; date +%N >> work.txt; echo made it'


def configure(desk: Desk) -> None:
    """Two phases with agents that work at once."""
    phases = {
        name: {**entry, "agents": {agent: {**more, "runner": "fake"} for agent, more in entry["agents"].items()}}
        for name, entry in PHASES.items()
    }
    desk.configure(phases, {"fake": sh(AGENT)})


def test_report_tells_a_run_from_its_first_gate_to_its_end(desk: Desk) -> None:
    configure(desk)
    refused = desk.run("report", check=1)
    assert "there is no run `demo` here yet" in refused.said
    desk.run()
    assert "a dry run writes nothing" in desk.run("-n", "report").out
    assert not (desk.path / "runs/demo/report.html").exists()
    done = desk.run("report")
    assert done.out.startswith("report:   runs/demo/report.html (")
    assert re.search(r"^open: .*runs/demo/report\.html", done.out, re.MULTILINE)
    html = desk.read("runs/demo/report.html")
    assert "Review plan" in html
    assert "touch runs/demo/plan/APPROVED" in html
    desk.run("report")
    assert desk.read("runs/demo/report.html") == html
    desk.touch("plan")
    desk.run()
    desk.run("approve", "--config", "phase=build", "by=Ada", "note=well done")
    desk.run("report")
    html = desk.read("runs/demo/report.html")
    assert "All phases are done." in html
    assert "Ada" in html
    assert "well done" in html
    assert "Review plan" not in html
    own = desk.run("--report", "own.html")
    page = desk.read("own.html")
    assert own.code == 0
    for text in ("Requests", "Proof", "Outcomes", "What a person was asked to decide on in the phase build"):
        assert text in page, text


def test_report_works_while_the_run_goes_on(desk: Desk) -> None:
    desk.configure(
        {"plan": {"agents": {"quick": {"runner": "quick"}, "slow": {"runner": "slow"}}}},
        {"quick": sh("echo x > a"), "slow": sh("sleep 30")},
    )
    started = desk.start()
    try:
        wait_for(lambda: (desk.path / "runs/demo/plan/agents/quick/outcome.json").exists())
        done = desk.run("report")
        assert done.code == 0
        assert "quick" in desk.read("runs/demo/report.html")
        assert "at work" in desk.read("runs/demo/report.html")
        assert started.poll() is None
    finally:
        started.terminate()
        started.wait(60)
