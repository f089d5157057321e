"""The figures, held against numbers that were worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from workflow.gate import history
from workflow.plan.phases import Agent, Phase
from workflow.view import figures, intervals, measuring, metrics, overview
from workflow.view.records import PhaseRecord, RunRecord
from workflow.view.state import PhaseState, RunState

START = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> str:
    return (START + timedelta(seconds=seconds)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def outcome(*spans: tuple[float, float], status: str = "succeeded", cost: float | None = 0.5, tokens: int | None = 100) -> dict[str, Any]:
    attempts = [
        {"number": number, "status": status, "exit_code": 0, "started_at": at(start), "ended_at": at(end), "duration_s": end - start,
         "runner": "shell", "error": None}
        for number, (start, end) in enumerate(spans, 1)
    ]  # fmt: skip
    usage = {"input_tokens": tokens, "output_tokens": tokens, "cached_tokens": 0, "model_calls": 1, "cost_usd": cost, "estimated": False}
    last = attempts[-1] if attempts else {"started_at": None, "ended_at": None, "duration_s": 0.0}
    return {
        "status": status,
        "exit_code": 0 if attempts else None,
        "attempts": attempts,
        "duration_s": last["duration_s"],
        "started_at": last["started_at"],
        "ended_at": last["ended_at"],
        "runner": {"name": "shell", "version": None, "model": "m"},
        "usage": usage,
        "artifacts": [{"path": "a"}],
    }


def phase(
    name: str, outcomes: dict[str, Any], needs: dict[str, tuple[str, ...]], after: tuple[str, ...] = (), state: str = "open", **more: Any
) -> PhaseRecord:
    members = tuple(
        Agent(name, agent, "agent", "shell", wanted, "", 30, {}, False, "none") for agent, wanted in needs.items()
    )  # fmt: skip
    stands = PhaseState(name, state, (), "d", "unsigned", "", more.get("since", ""), (), {"artifact_count": 3})
    gate = history.EMPTY | {"shown": more.get("shown", []), "opened": more.get("opened", [])}
    return PhaseRecord(
        Phase(name, after, more.get("gate", "required"), members, (), (), ()), stands, outcomes, {}, more.get("validation"),
        more.get("hygiene"), gate, more.get("rounds", []), (), more.get("unpublished", {}),
    )  # fmt: skip


def run(*phases: PhaseRecord, state: str = "delivered") -> RunRecord:
    found = {item.plan.name: item for item in phases}
    stands = RunState("demo", Path("runs/demo"), state, {name: item.state for name, item in found.items()})
    return RunRecord("demo", Path("runs/demo"), {"started_at": at(0), "type": "other"}, stands, found)


def plan_and_build(**more: Any) -> RunRecord:
    """plan: a (0-10, then 12-20), b (0-4) and c, which needs b (4-10); gate 22 to 52. build: d (60-70)."""
    outcomes = {"a": outcome((0, 10), (12, 20)), "b": outcome((0, 4)), "c": outcome((4, 10))}
    plan = phase("plan", outcomes, {"a": (), "b": (), "c": ("b",)}, shown=[{"digest": "d", "at": at(22)}], since=at(52), **more)
    build = phase("build", {"d": outcome((60, 70))}, {"d": ()}, ("plan",), gate="none", shown=[{"digest": "e", "at": at(71)}])
    return run(plan, build)


def test_time_is_split_into_work_gates_and_the_rest() -> None:
    found = figures.compute(plan_and_build()).run
    assert (found["wall_s"], found["work_s"], found["agent_s"]) == (71.0, 28.0, 38.0)
    assert (found["gate_s"], found["idle_s"]) == (30.0, 13.0)
    assert (found["peak"], found["parallelism"], found["efficiency"]) == (2, round(38 / 28, 3), round(38 / 28 / 2, 3))


def test_critical_path_follows_needs_within_and_across_phases() -> None:
    found = figures.compute(plan_and_build()).run
    assert found["critical_path"] == ["plan_a", "build_d"]
    assert found["critical_s"] == 28.0
    outcomes = {"a": outcome((0, 3)), "b": outcome((0, 4)), "c": outcome((4, 10))}
    chained = run(phase("plan", outcomes, {"a": (), "b": (), "c": ("b",)}))
    assert figures.compute(chained).run["critical_path"] == ["plan_b", "plan_c"]


def test_phases_count_agents_by_what_became_of_them() -> None:
    outcomes = {"a": outcome((0, 1)), "b": outcome((0, 2), status="timed_out"), "c": outcome(status="skipped")}
    found = figures.compute(run(phase("plan", outcomes, dict.fromkeys("abcd", ()), state="blocked"), state="blocked"))
    row = found.phases.iloc[0]
    assert [row[name] for name in ("agents", "succeeded", "failed", "skipped", "pending", "attempts")] == [4, 1, 1, 1, 1, 2]
    assert list(found.agents["status"]) == ["succeeded", "timed_out", "skipped", "pending"]


def test_a_sum_with_something_unknown_in_it_is_unknown() -> None:
    outcomes = {"a": outcome((0, 1), cost=0.25), "b": outcome((0, 2), cost=None, tokens=None), "c": outcome(status="skipped")}
    found = figures.compute(run(phase("plan", outcomes, dict.fromkeys("abc", ()))))
    assert found.run["cost_usd"] is None
    assert found.run["input_tokens"] is None
    assert (found.run["cost_usd_known"], found.run["cost_unknown"]) == (0.25, 1)
    assert found.agents["cost_usd"].isna().tolist() == [False, True, False]


def test_an_agent_that_was_skipped_has_cost_nothing() -> None:
    outcomes = {"a": outcome((0, 1), cost=0.25), "c": outcome(status="skipped", cost=None, tokens=None)}
    found = figures.compute(run(phase("plan", outcomes, dict.fromkeys("ac", ()))))
    assert (found.run["cost_usd"], found.run["input_tokens"]) == (0.25, 100)


def test_an_interrupted_attempt_leaves_the_time_unknown() -> None:
    broken = outcome((0, 1), (2, 3))
    broken["attempts"][0] |= {"ended_at": None, "duration_s": None}
    found = figures.compute(run(phase("plan", {"a": broken}, {"a": ()})))
    assert (found.run["agent_s"], found.run["work_s"], found.run["critical_s"]) == (None, None, None)
    assert (found.run["work_s_known"], found.run["gate_s"], found.run["idle_s"]) == (1.0, None, None)
    made = metrics.exposition(found).decode()
    assert "phasegate_run_working_seconds{" not in made
    assert "phasegate_phase_duration_seconds{" not in made
    assert "phasegate_agent_runtime_seconds{" not in made


def test_attempts_that_no_outcome_names_were_paid_all_the_same() -> None:
    put_away = {"attempts": outcome((0, 4), (5, 9))["attempts"], "usage": outcome((0, 1), cost=1.5, tokens=10)["usage"]}
    known = {"a": outcome((20, 22), cost=0.5)}
    record = run(phase("plan", known, {"a": (), "b": ()}, state="running", unpublished={"a": put_away, "b": put_away}), state="running")
    found = figures.compute(record)
    assert (found.run["cost_usd"], found.run["attempts"], found.run["agent_s"], found.run["worked"]) == (3.5, 5, 18.0, 2)
    assert (found.run["input_tokens"], found.run["pending"]) == (120, 1)
    said = overview.phase_figures(record.phases["plan"])
    assert (said["cost_usd_known"], said["worked"], said["work_s"]) == (3.5, 2, found.run["work_s"])
    silent = put_away | {"usage": put_away["usage"] | {"cost_usd": None}}
    found = figures.compute(run(phase("plan", known, {"a": (), "b": ()}, unpublished={"b": silent})))
    assert (found.run["cost_usd"], found.run["cost_usd_known"], found.run["cost_unknown"]) == (None, 0.5, 1)


def test_a_version_that_was_approved_and_then_replaced_waited_until_its_approval() -> None:
    shown = [{"digest": "1", "at": at(10)}, {"digest": "2", "at": at(5000)}]
    opened = [{"digest": "1", "at": at(30)}]
    found = figures.compute(run(phase("plan", {"a": outcome((0, 5))}, {"a": ()}, shown=shown, opened=opened, since=at(5020))))
    assert found.gates["waiting_s"].tolist() == [20.0, 20.0]
    assert found.gates["ended_by"].tolist() == ["approved", "approved"]


def test_a_version_behind_a_gate_that_was_closed_again_does_not_wait_for_ever() -> None:
    shown, opened = [{"digest": "1", "at": at(10)}], [{"digest": "1", "at": at(30)}]
    decided = phase("plan", {"a": outcome((0, 5))}, {"a": ()}, state="pending", shown=shown, opened=opened)
    assert figures.compute(run(decided, state="waiting")).gates["waiting_s"].tolist() == [20.0]
    undecided = phase("plan", {"a": outcome((0, 5))}, {"a": ()}, state="pending", shown=shown)
    found = figures.compute(run(undecided, state="waiting"))
    assert found.gates["ended_by"].tolist() == ["unknown"]
    assert (found.phases["gate_s"].isna().all(), found.run["gate_s"]) == (True, None)


def test_feedback_on_an_earlier_showing_of_the_same_content_counts_there() -> None:
    shown = [{"digest": name, "at": at(start)} for name, start in (("1", 10), ("2", 100), ("1", 200), ("3", 300))]
    rounds = [{"reviewed": {"digest": "1"}, "at": at(50)}]
    found = figures.compute(run(phase("plan", {"a": outcome((0, 5))}, {"a": ()}, shown=shown, rounds=rounds, since=at(310))))
    assert found.gates["ended_by"].tolist() == ["changes_requested", "replaced", "replaced", "approved"]
    assert found.gates["waiting_s"].tolist() == [40.0, 100.0, 100.0, 10.0]


def test_checks_that_were_not_run_have_no_time() -> None:
    found = figures.compute(run(phase("plan", {}, {"a": ()}, state="running"), state="running"))
    assert found.phases["checks_s"].isna().all()
    done = phase("plan", {}, {"a": ()}, validation={"status": "pass", "checks": []})
    assert figures.compute(run(done)).phases["checks_s"].tolist() == [0.0]


def test_a_clock_that_was_turned_back_makes_no_negative_time() -> None:
    odd = outcome((0, 5))
    odd["attempts"][0]["duration_s"] = odd["duration_s"] = -5.0
    found = figures.compute(run(phase("plan", {"a": odd}, {"a": ()})))
    assert (found.run["agent_s"], found.run["critical_s"]) == (0.0, 0.0)


def test_each_version_that_was_shown_has_waited_until_its_decision() -> None:
    shown = [{"digest": "1", "at": at(10)}, {"digest": "2", "at": at(50)}, {"digest": "3", "at": at(60)}]
    rounds = [{"reviewed": {"digest": "1"}, "at": at(30)}]
    found = figures.compute(run(phase("plan", {"a": outcome((0, 5))}, {"a": ()}, shown=shown, rounds=rounds, since=at(75))))
    assert found.gates["waiting_s"].tolist() == [20.0, 10.0, 15.0]
    assert found.gates["ended_by"].tolist() == ["changes_requested", "replaced", "approved"]
    assert found.phases["gate_s"].tolist() == [45.0]


def test_a_gate_that_waits_is_measured_up_to_now() -> None:
    waiting = run(phase("plan", {"a": outcome((0, 5))}, {"a": ()}, state="waiting", shown=[{"digest": "1", "at": at(10)}]), state="waiting")
    found = figures.compute(waiting, pd.Timestamp(START + timedelta(seconds=40)))
    assert found.gates["waiting_s"].tolist() == [30.0]
    assert found.gates["ended_by"].isna().all()
    assert (found.run["gate_s"], found.run["wall_s"]) == (30.0, 40.0)


def test_a_finished_run_is_the_same_whenever_it_is_measured() -> None:
    early, late = (figures.compute(plan_and_build(), pd.Timestamp(START + timedelta(days=days))) for days in (1, 9))
    assert early.run == late.run
    assert early.as_of == late.as_of


def test_a_run_that_has_only_begun_has_no_figures_and_no_error() -> None:
    found = figures.compute(run(phase("plan", {}, {"a": ()}, state="running"), state="running"))
    assert (found.run["work_s"], found.run["efficiency"], found.run["critical_s"]) == (0.0, None, None)
    assert found.run["critical_path"] == []
    assert found.phases["pending"].tolist() == [1]


def test_cleanliness_is_that_of_the_newest_phase_that_was_scored() -> None:
    known = phase("plan", {}, {"a": ()}, hygiene={"score": 91, "grade": "A"})
    later = phase("build", {}, {"b": ()}, ("plan",))
    assert figures.compute(run(known, later)).run["score"] == 91
    unknown = phase("build", {}, {"b": ()}, ("plan",), hygiene={"score": None, "grade": "unknown", "unknown": ["vulture"]})
    found = figures.compute(run(known, unknown))
    assert (found.run["score"], found.run["unmeasured"]) == (None, "vulture")
    rows = metrics.records(found.phases)
    assert [measuring.cleanliness(row) for row in rows] == ["91 (A)", "unknown (vulture)"]


@pytest.mark.parametrize("made", [plan_and_build, lambda: run(phase("plan", {"a": outcome((0, 2), cost=None)}, {"a": (), "b": ()}))])
def test_status_counts_the_same(made: Any) -> None:
    record = made()
    found = figures.compute(record).phases.to_dict("records")
    for row, item in zip(found, record.phases.values(), strict=True):
        said = overview.phase_figures(item)
        common = said.keys() & row.keys()
        assert {"agents", "succeeded", "failed", "skipped", "pending", "work_s", "cost_usd_known", "cost_unknown"} <= common
        assert {name: said[name] for name in common if said[name] is not None} == {
            name: row[name] for name in common if said[name] is not None
        }


def test_spans_that_touch_do_not_overlap() -> None:
    spans = [(START, START + timedelta(seconds=4)), (START + timedelta(seconds=4), START + timedelta(seconds=9))]
    assert intervals.most_at_once(spans) == 1
    assert intervals.covered(spans) == 9.0
    assert intervals.covered([*spans, (START + timedelta(seconds=2), START + timedelta(seconds=3))]) == 9.0
