"""The timeline: work to scale, waits short, and every moment in its place."""

from __future__ import annotations

from contextlib import chdir
from typing import Any

import pytest
from many import make_run
from pages import plan_of, subject_of

from workflow.view.report import timeline
from workflow.view.report.timeline import Axis

HOUR = 3600.0


def test_work_is_to_scale_and_waits_are_short() -> None:
    axis = Axis([(0, 100), (24 * HOUR, 24 * HOUR + 100)], 0, 48 * HOUR)
    first, gap, second = (
        axis.place(100) - axis.place(0),
        axis.place(24 * HOUR) - axis.place(100),
        axis.place(24 * HOUR + 100) - axis.place(24 * HOUR),
    )
    assert first == pytest.approx(second)
    assert gap == pytest.approx(first * 2 * timeline.QUIET_SHARE)
    assert axis.place(-5) == 0
    assert axis.place(48 * HOUR) == pytest.approx(100)
    assert [text for _, _, text in axis.quiet()] == ["23 h 58 min", "23 h 58 min"]


def test_moments_keep_their_order_and_ticks_their_distance() -> None:
    axis = Axis([(10 * n, 10 * n + 3) for n in range(40)], 0, 500)
    places = [axis.place(moment) for moment in range(-10, 520, 3)]
    assert places == sorted(places)
    ticks = [place for place, _ in axis.ticks()]
    assert all(later - earlier >= timeline.TICKS_APART for earlier, later in zip(ticks, ticks[1:], strict=False))
    assert 0 <= min(ticks) <= max(ticks) <= 100


def test_a_run_in_which_nothing_happened_has_an_axis() -> None:
    axis = Axis([], 5, 5)
    assert axis.place(5) in (0.0, 100.0)
    assert list(axis.quiet()) == []


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """(figures, timeline) of a run of 120 agents in four phases."""
    folder = tmp_path_factory.mktemp("drawn")
    run_dir = make_run(folder, 120)
    names = {
        phase: {path.name: () for path in sorted((run_dir / phase / "agents").iterdir())} for phase in ("plan", "build", "test", "ship")
    }
    with chdir(folder):
        subject = subject_of(run_dir, plan_of(names))
        found = subject.figures()
        return found, timeline.draw(found, subject.record.phases)


def test_many_agents_take_as_many_rows_as_worked_at_once(drawn: tuple[Any, Any]) -> None:
    found, made = drawn
    for name, rows in made.rows.items():
        assert len(rows) <= 8 + 1
        attempts = [bar.span for row in rows for bar in row.bars if bar.span.kind == "attempt"]
        assert len(attempts) == (found.attempts["phase"] == name).sum()
        for row in rows[:-1]:
            ends = [(bar.span.start, bar.span.end) for bar in row.bars]
            assert all(end <= start for (_, end), (start, _) in zip(ends, ends[1:], strict=False))


def test_bars_lie_within_the_width_and_gates_wait_until_the_decision(drawn: tuple[Any, Any]) -> None:
    _, made = drawn
    bars = [bar for rows in made.rows.values() for row in rows for bar in row.bars]
    assert all(bar.x >= 0 and bar.x + bar.width <= 100.01 and bar.width > 0 for bar in bars)
    waits = {bar.span.phase: bar.span for bar in bars if bar.span.kind == "wait"}
    assert {name: round(span.end - span.start) if span.end else None for name, span in waits.items()} == {
        "plan": 900, "build": 900, "test": 900, "ship": None,
    }  # fmt: skip
    assert "nobody has decided yet" in waits["ship"].text
    assert {bar.tone for bar in bars} == {"good", "bad", "check", "wait"}


def test_an_attempt_that_goes_on_reaches_to_the_end(drawn: tuple[Any, Any]) -> None:
    found, _ = drawn
    row = {"agent": "late", "attempt": 2, "since": "2026-01-05T11:30:00.000Z"}
    made = timeline.draw(found, {}, [("ship", row)])
    (bar,) = [bar for rows in made.rows.values() for line in rows for bar in line.bars if bar.span.name == "late"]
    assert bar.tone == "busy"
    assert bar.x + bar.width == pytest.approx(100, abs=0.1)
    assert "at work since 2026-01-05 11:30:00 UTC" in bar.span.text


def test_the_list_says_how_much_it_leaves_out(drawn: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    found, made = drawn
    assert made.more == 0
    monkeypatch.setattr(timeline, "LISTED", 50)
    short = timeline.draw(found, {})
    assert (len(short.spans), short.more) == (50, len(found.attempts) + len(found.gates) - 50)
