"""What a run has measured: files for people and monitoring, made from the outcomes and from nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import Desk, sh

PHASES = {
    "plan": {"agents": {"writer": {"runner": "ok"}, "second": {"runner": "ok2", "needs": ["writer"]}}},
    "build": {
        "gate": "none",
        "agents": {"maker": {"runner": "ok"}},
        "checks": [{"name": "there", "command": ["ls"], "environment": "none"}],
    },
}
RUNNERS = {"ok": sh("cat /proc/sys/kernel/random/uuid > $(mktemp -u made-XXXXXX).txt"), "ok2": sh("echo y > second.txt")}


@pytest.fixture
def delivered_desk(desk: Desk) -> Desk:
    """A small run that is delivered."""
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    assert desk.json("runs/demo/status.json")["state"] == "delivered"
    return desk


def test_metrics_come_back_byte_for_byte_and_follow_the_outcomes(delivered_desk: Desk) -> None:
    desk, names = delivered_desk, ("metrics.json", "metrics.prom")
    paths = [desk.path / "runs/demo" / name for name in names]
    first = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    said = desk.run("metrics").out
    assert [path.read_bytes() for path in paths] == first
    assert "runs/demo/metrics.json and runs/demo/metrics.prom" in said
    for path in paths:
        path.unlink()
    desk.run()  # a plain command brings them back, too
    assert [path.read_bytes() for path in paths] == first

    outcome = desk.path / "runs/demo/plan/agents/writer/outcome.json"
    value = json.loads(outcome.read_text())
    value["attempts"][0]["duration_s"] = 4321.5
    value["usage"] |= {"cost_usd": 7.25, "input_tokens": 1000, "output_tokens": 234}
    outcome.write_text(json.dumps(value))
    said = desk.run("metrics").out
    assert "1 h 12 min" in said
    assert "7.25 USD" in said
    assert "1,234" in said
    row = next(row for row in desk.json("runs/demo/metrics.json")["agents"] if row["agent"] == "writer")
    assert (row["agent_s"], row["cost_usd"]) == (4321.5, 7.25)
    assert 'phasegate_agent_runtime_seconds{agent="writer",phase="plan",run="demo",status="succeeded"} 4321.5' in desk.read(
        "runs/demo/metrics.prom"
    )
    assert "7.25 USD + 1 unknown" in desk.run("status").out
    rows = desk.run("metrics", "--config", "format=csv", "table=agents").out.splitlines()
    assert rows[0].startswith("phase,agent,status,")
    scores = {row["phase"]: row["score"] for row in desk.json("runs/demo/metrics.json")["phases"]}
    assert scores == {name: desk.json(f"runs/demo/{name}/hygiene.json")["score"] for name in ("plan", "build")}
    assert f'phasegate_cleanliness_score{{phase="plan",run="demo"}} {float(scores["plan"])}' in desk.read("runs/demo/metrics.prom")
    assert any(row.startswith("plan,writer,succeeded") and "4321.5" in row for row in rows)


def test_a_run_that_waits_is_measured_as_well(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    found = desk.json("runs/demo/metrics.json")
    assert (found["state"], found["gates"][0]["ended_by"]) == ("waiting", None)
    assert 'phasegate_gate_state{phase="plan",run="demo",state="waiting"} 1.0' in desk.read("runs/demo/metrics.prom")
    before = (desk.path / "runs/demo/metrics.prom").stat().st_mtime_ns
    desk.run()  # nothing has happened, so nothing is measured again
    assert (desk.path / "runs/demo/metrics.prom").stat().st_mtime_ns == before
    assert desk.json("runs/demo/metrics.json") == found


def test_runs_lists_every_run(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.run("--config", "run=other")
    lines = desk.run("runs").out.splitlines()
    assert {line.split()[0] for line in lines[2:]} == {"demo", "other"}
    assert "other *" in desk.run("runs").out
    rows = json.loads(desk.run("runs", "--config", "format=json").out)
    assert {row["run"]: row["state"] for row in rows} == {"demo": "waiting", "other": "waiting"}
    assert Path(desk.path / "runs/other/metrics.prom").is_file()


def test_a_rollback_changes_what_monitoring_sees_and_loses_no_cost(delivered_desk: Desk) -> None:
    desk, path = delivered_desk, delivered_desk.path / "runs/demo/metrics.prom"
    before, document = path.read_bytes(), desk.json("runs/demo/metrics.json")
    desk.run("rollback", "--config", "to=plan")
    found = desk.json("runs/demo/metrics.json")
    assert found["totals"]["attempts"] == document["totals"]["attempts"] == 3
    assert found["totals"]["agent_s"] == document["totals"]["agent_s"]
    assert 'phasegate_run_state{run="demo",state="delivered"} 0.0' in desk.read("runs/demo/metrics.prom")
    desk.run("restore")
    assert path.read_bytes() == before


def test_a_dry_run_and_a_folder_that_cannot_be_written_are_only_looked_at(delivered_desk: Desk) -> None:
    desk, path = delivered_desk, delivered_desk.path / "runs/demo/metrics.json"
    path.unlink()
    assert "nothing, in a dry run" in desk.run("-n", "metrics").out
    assert not path.exists()


def test_a_failed_job_is_not_forgotten_by_a_look(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.write("runs/demo/plan/base.json", "[]")
    (desk.path / "runs/demo/plan/merge.json").unlink()
    desk.run(check=1)
    assert desk.json("runs/demo/status.json")["state"] == "failed"
    assert desk.run("status").out.startswith("demo: failed")
    assert json.loads(desk.run("metrics", "--config", "format=json").out)["state"] == "failed"
