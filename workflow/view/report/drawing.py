"""The DAG as it ran, as a drawing: phases from top to bottom, in each its agents from left to right as they needed each other.

Every box says its status in words besides its colour. A phase with very many agents is one box for each status.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from workflow.plan.phases import Agent
from workflow.view.records import PhaseRecord
from workflow.view.report import badges, numbers

WIDTH, HEIGHT, GAP_X, GAP_Y = 168, 46, 34, 12
PAD, TITLE, GATE, BETWEEN, TIP = 16, 34, 34, 40, 5
MOST_BOXES, LONGEST, NARROWEST = 24, 21, 232
Status = Callable[[str], str]


@dataclass(frozen=True)
class Box:
    """One agent (or all agents of one status)."""

    x: int
    y: int
    name: str
    title: str
    text: str
    badge: badges.Badge


@dataclass(frozen=True)
class Frame:
    """One phase around its boxes."""

    x: int
    y: int
    width: int
    height: int
    name: str
    title: str
    boxes: Sequence[Box]
    gate: badges.Badge
    gate_text: str


@dataclass(frozen=True)
class Drawing:
    """Frames and the paths between boxes and between frames."""

    width: int
    height: int
    frames: Sequence[Frame]
    paths: Sequence[str]


def draw(phases: Mapping[str, PhaseRecord], status: Callable[[str, str], str]) -> Drawing:
    """The drawing of all phases of a run; `status` tells that of an agent, by phase and name."""
    frames: dict[str, Frame] = {}
    paths: list[str] = []
    y, widest = 0, 0
    for layer in _layers({name: phase.plan.after for name, phase in phases.items()}):
        x = tallest = 0
        for name in layer:
            frame, inside = _frame(phases[name], x, y, partial(status, name))
            frames[name] = frame
            paths += inside
            x, tallest = x + frame.width + GAP_X, max(tallest, frame.height)
        y, widest = y + tallest + BETWEEN, max(widest, x - GAP_X)
    for name, phase in phases.items():
        paths += [_down(frames[other], frames[name]) for other in phase.plan.after]
    return Drawing(widest, max(0, y - BETWEEN), list(frames.values()), paths)


def _layers(before: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Names by how many others lie before them on the longest way."""
    depth: dict[str, int] = {}
    left = dict(before)
    while left:
        ready = [name for name, needs in left.items() if set(needs) <= depth.keys()]
        for name in ready:
            depth[name] = 1 + max((depth[other] for other in left.pop(name)), default=-1)
    return [[name for name in before if depth[name] == level] for level in range(max(depth.values(), default=-1) + 1)]


def _frame(phase: PhaseRecord, x: int, y: int, status: Status) -> tuple[Frame, list[str]]:
    """A phase whose upper left corner is there, and the paths inside."""
    agents, state = phase.plan.agents, phase.state
    if len(agents) > MOST_BOXES:
        boxes, paths = list(_summed(phase, x, y, status)), []
    else:
        placed = dict(_placed(phase, x, y, status))
        boxes, paths = list(placed.values()), [_across(placed[need], placed[agent.name]) for agent in agents for need in agent.needs]
    right = max((box.x + WIDTH for box in boxes), default=x + PAD + WIDTH)
    below = max((box.y + HEIGHT for box in boxes), default=y + TITLE)
    gate = badges.of(state.state if phase.plan.gate != "none" or state.state != "open" else "none")
    trust = f", trust: {state.trust}" if state.trust != "none" else ""
    frame = Frame(
        x, y, max(right - x + PAD, NARROWEST), below - y + GATE, _short(state.name), state.name, boxes, gate, f"gate: {gate.words}{trust}"
    )
    return frame, paths


def _placed(phase: PhaseRecord, x: int, y: int, status: Status) -> Iterator[tuple[str, Box]]:
    """Each agent of a phase with its box."""
    for column, layer in enumerate(_layers({agent.name: agent.needs for agent in phase.plan.agents})):
        for row, name in enumerate(layer):
            agent = next(item for item in phase.plan.agents if item.name == name)
            yield name, _box(agent, phase, x + PAD + column * (WIDTH + GAP_X), y + TITLE + row * (HEIGHT + GAP_Y), status(name))


def _box(agent: Agent, phase: PhaseRecord, x: int, y: int, status: str) -> Box:
    outcome = phase.outcomes.get(agent.name)
    badge = badges.of(status)
    tries = len(outcome["attempts"]) if outcome else 0
    more = f" · {tries} attempts" if tries > 1 else ""
    took = f" · {numbers.seconds(outcome['duration_s'])}" if outcome and tries else ""
    return Box(x, y, _short(agent.name), agent.name, f"{badge.sign} {badge.words}{more or took}", badge)


def _summed(phase: PhaseRecord, x: int, y: int, status: Status) -> Iterator[Box]:
    """One box for each status of many agents."""
    found = Counter(status(agent.name) for agent in phase.plan.agents)
    for place, (word, number) in enumerate(sorted(found.items(), key=lambda item: (-item[1], item[0]))):
        badge, name = badges.of(word), numbers.plural(number, "agent")
        yield Box(x + PAD, y + TITLE + place * (HEIGHT + GAP_Y), name, name, f"{badge.sign} {badge.words}", badge)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST else name[: LONGEST - 1] + "…"


def _across(left: Box, right: Box) -> str:
    x, y, goal, level = left.x + WIDTH, left.y + HEIGHT // 2, right.x, right.y + HEIGHT // 2
    middle = (x + goal) // 2
    return f"M{x} {y}C{middle} {y} {middle} {level} {goal - TIP} {level}"


def _down(upper: Frame, lower: Frame) -> str:
    x, y, goal, level = upper.x + NARROWEST // 2, upper.y + upper.height, lower.x + NARROWEST // 2, lower.y
    middle = (y + level) // 2
    return f"M{x} {y}C{x} {middle} {goal} {middle} {goal} {level - TIP}"
