"""The drawing of the DAG: every agent in its column, no box on another, every need a path."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from pages import plan_of, subject_of

from workflow import files
from workflow.view.report import drawing
from workflow.view.report.subject import views


def drawn(run: Any, phases: dict[str, dict[str, tuple[str, ...]]], after: dict[str, tuple[str, ...]] | None = None) -> drawing.Drawing:
    """The drawing of a run in which only what `run` holds has happened."""
    subject = subject_of(run.folder, plan_of(phases, after))
    made = {view.name: view for view in views(subject, subject.figures())}
    return drawing.draw(subject.record.phases, lambda phase, agent: made[phase].status(agent))


def test_agents_stand_to_the_right_of_what_they_need(run: Any) -> None:
    made = drawn(run, {"plan": {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}})
    boxes = {box.title: (box.x, box.y) for box in made.frames[0].boxes}
    assert boxes["a"][0] < boxes["b"][0] == boxes["c"][0] < boxes["d"][0]
    assert boxes["b"][1] != boxes["c"][1]
    assert len(made.paths) == 4


def test_phases_that_do_not_build_on_each_other_stand_side_by_side(run: Any) -> None:
    phases = {name: {"x": ()} for name in ("one", "left", "right", "last")}
    made = drawn(run, phases, {"left": ("one",), "right": ("one",), "last": ("left", "right")})
    frames = {frame.title: frame for frame in made.frames}
    assert frames["one"].y < frames["left"].y == frames["right"].y < frames["last"].y
    assert frames["left"].x + frames["left"].width <= frames["right"].x
    assert len(made.paths) == 4
    assert all(frame.x + frame.width <= made.width and frame.y + frame.height <= made.height for frame in made.frames)


def test_boxes_do_not_overlap_and_lie_in_their_frame(run: Any) -> None:
    made = drawn(
        run,
        {"plan": {f"agent{number}": tuple(f"agent{other}" for other in range(number % 3)) if number > 4 else () for number in range(20)}},
    )
    (frame,) = made.frames
    places = [(box.x, box.y) for box in frame.boxes]
    assert len(set(places)) == 20
    for (x, y), (other_x, other_y) in combinations(places, 2):
        assert abs(x - other_x) >= drawing.WIDTH or abs(y - other_y) >= drawing.HEIGHT
    for x, y in places:
        assert frame.x <= x
        assert x + drawing.WIDTH <= frame.x + frame.width
        assert frame.y <= y
        assert y + drawing.HEIGHT <= frame.y + frame.height


def test_boxes_say_in_words_what_came_of_each_agent(run: Any) -> None:
    run.agent("good", "echo x > plan.md")
    run.agent("bad", "exit 3")
    files.write_json(run.agent_dir("now") / "attempts/001/begin.json", {"started_at": "2026-01-01T00:00:00.000Z"})
    (frame,) = drawn(run, {"plan": {"good": (), "bad": (), "later": (), "now": ()}}).frames
    texts = {box.title: (box.badge.tone, box.text.split(" · ")[0]) for box in frame.boxes}
    assert texts == {
        "good": ("good", "✓ succeeded"),
        "bad": ("bad", "✕ failed"),
        "later": ("idle", "– no result yet"),
        "now": ("busy", "● at work"),
    }


@pytest.mark.parametrize("count", [drawing.MOST_BOXES, drawing.MOST_BOXES + 1])
def test_very_many_agents_are_one_box_for_each_status(run: Any, count: int) -> None:
    run.agent("agent0", "echo x > plan.md")
    (frame,) = drawn(run, {"plan": {f"agent{number}": () for number in range(count)}}).frames
    names = sorted(box.title for box in frame.boxes)
    assert names == ["1 agent", f"{count - 1} agents"] if count > drawing.MOST_BOXES else len(names) == count


def test_long_names_are_cut_and_whole_in_the_title(run: Any) -> None:
    name = "n" * 64
    (frame,) = drawn(run, {"plan": {name: ()}}).frames
    assert frame.boxes[0].title == name
    assert len(frame.boxes[0].name) == drawing.LONGEST
