"""metrics.json and metrics.prom: schema, names and units, unknown values, and whether they are written anew."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import jsonschema
import pytest
from conftest import ROOT
from prometheus_client.parser import text_string_to_metric_families
from runs import Run
from view.test_figures import outcome, phase, plan_and_build
from view.test_figures import run as recorded

from workflow.plan import documents
from workflow.view import figures, freshness, metrics, records, state

PROMTOOL = next(
    (found for found in (ROOT / "build/prometheus/usr/bin/promtool", Path(shutil.which("promtool") or "/")) if found.is_file()), None
)


def samples(content: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = text_string_to_metric_families(content.decode())
    return {(item.name, tuple(sorted(item.labels.items()))): item.value for family in families for item in family.samples}


def value(content: bytes, name: str, **labels: str) -> float | None:
    wanted = tuple(sorted({"run": "demo", **labels}.items()))
    return samples(content).get((name, wanted))


def test_the_document_keeps_its_schema() -> None:
    schema = documents.schema("metrics")
    jsonschema.Draft202012Validator.check_schema(schema)
    outcomes = {"a": outcome((0, 2), cost=None, tokens=None), "b": outcome(status="skipped")}
    partly = recorded(phase("plan", outcomes, dict.fromkeys("abc", ()), state="running"), state="running")
    for record in (plan_and_build(), partly, recorded(phase("plan", {}, {"a": ()}, state="running"), state="running")):
        jsonschema.validate(metrics.document(figures.compute(record)), schema)
    broken = metrics.document(figures.compute(partly))
    broken["totals"]["wall_s"] = "long"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_every_sample_says_what_the_frames_say() -> None:
    found = figures.compute(plan_and_build())
    made = metrics.exposition(found)
    for row in found.agents.to_dict("records"):
        labels = {"phase": row["phase"], "agent": row["agent"], "status": row["status"]}
        assert value(made, "phasegate_agent_runtime_seconds", **labels) == row["agent_s"]
        assert value(made, "phasegate_agent_attempts", **labels) == row["attempts"]
        assert value(made, "phasegate_agent_cost_usd", **labels) == row["cost_usd"]
        assert value(made, "phasegate_agent_tokens", direction="input", **labels) == row["input_tokens"]
        assert value(made, "phasegate_agent_exit_code", **labels) == 0
    for row in found.phases.to_dict("records"):
        assert value(made, "phasegate_phase_duration_seconds", phase=row["phase"]) == row["work_s"]
        assert value(made, "phasegate_phase_artifacts", phase=row["phase"]) == row["artifacts"]
        assert value(made, "phasegate_gate_state", phase=row["phase"], state="open") == 1
        assert value(made, "phasegate_gate_state", phase=row["phase"], state="blocked") == 0
    assert value(made, "phasegate_gate_waiting_seconds", phase="plan") == 30
    assert value(made, "phasegate_run_duration_seconds") == 71
    assert value(made, "phasegate_run_state", state="delivered") == 1


def test_what_is_unknown_has_no_sample() -> None:
    outcomes = {"a": outcome((0, 2), cost=None, tokens=None), "b": outcome(status="skipped")}
    made = metrics.exposition(figures.compute(recorded(phase("plan", outcomes, dict.fromkeys("abc", ())))))
    worked = {"phase": "plan", "agent": "a", "status": "succeeded"}
    assert value(made, "phasegate_agent_runtime_seconds", **worked) == 2
    assert value(made, "phasegate_agent_cost_usd", **worked) is None
    assert value(made, "phasegate_agent_tokens", direction="output", **worked) is None
    assert value(made, "phasegate_cleanliness_score", phase="plan") is None
    names = {(name, dict(labels).get("agent")) for name, labels in samples(made)}
    assert ("phasegate_agent_attempts", "b") in names
    assert ("phasegate_agent_exit_code", "b") not in names
    assert ("phasegate_agent_attempts", "c") not in names


def test_every_family_has_its_help_and_a_unit_in_its_name() -> None:
    text = metrics.exposition(figures.compute(plan_and_build())).decode()
    for name in metrics.FAMILIES:
        assert f"# HELP {name} " in text
        assert f"# TYPE {name} gauge" in text
        if "duration" in name or "runtime" in name or "waiting" in name:
            assert name.endswith("_seconds")


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed; .ci/run gets Debian's")
def test_promtool_has_nothing_to_complain_about() -> None:
    made = metrics.exposition(figures.compute(plan_and_build()))
    done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=made, capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
    broken = made.replace(b"# HELP phasegate_agent_attempts", b"# HELP phasegate_other")
    assert subprocess.run([str(PROMTOOL), "check", "metrics"], input=broken, capture_output=True, check=False).returncode


def now(run: Run) -> records.RunRecord:
    from view.test_overview import plan

    return records.read(state.read(run.folder, plan(), "digest"), plan())


def test_metrics_are_stale_exactly_when_something_has_happened(run: Run) -> None:
    agents = [("plan", "writer"), ("build", "writer")]

    def stale() -> bool:
        return freshness.stale(run.folder, now(run).state.state, freshness.moment_ns(run.folder, agents))

    def write() -> None:
        moment = freshness.moment_ns(run.folder, agents)
        metrics.write(run.folder, figures.compute(now(run)), moment)

    run.shown()
    assert stale()
    write()
    assert not stale()

    def in_place(name: str) -> None:
        with (run.folder / name).open("a") as file:
            file.write(" ")

    changes = [
        lambda: run.rewrite("plan/agents/writer/outcome.json", lambda value: value.update(exit_code=7)),
        lambda: in_place("plan/agents/writer/outcome.json"),
        lambda: in_place("plan/validation.json"),
        lambda: in_place("metrics.prom"),
        lambda: run.marker().touch(),
        lambda: run.marker().unlink(),
        lambda: (run.folder / "plan" / "CHANGES_REQUESTED").write_text("more\n"),
        lambda: (run.folder / "metrics.prom").unlink(),
        lambda: (run.folder / "metrics.json").write_text('{"state": "waiting"}'),
    ]
    for number, change in enumerate(changes):
        time.sleep(0.02)
        change()
        assert stale(), number
        write()
        assert not stale(), number


def test_a_change_between_reading_and_writing_is_noticed(run: Run) -> None:
    agents = [("plan", "writer")]
    run.shown()
    moment, found = freshness.moment_ns(run.folder, agents), figures.compute(now(run))
    time.sleep(0.02)
    run.rewrite("plan/agents/writer/outcome.json", lambda value: value.update(exit_code=7))
    metrics.write(run.folder, found, moment)
    assert freshness.stale(run.folder, found.state, freshness.moment_ns(run.folder, agents))


def test_a_label_with_half_a_character_is_written() -> None:
    odd = outcome((0, 2), status="failed\ud800")
    made = metrics.exposition(figures.compute(recorded(phase("plan", {"a": odd}, {"a": ()}, state="blocked"), state="blocked")))
    assert b"ud800" in made
