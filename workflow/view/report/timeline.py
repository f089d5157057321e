"""The timeline of a run: when agents worked, results were checked, and gates waited, phase by phase.

Stretches in which nobody worked are drawn short, whatever they took, and say how long they were; everything else is to scale.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from workflow.view.figures import Figures
from workflow.view.records import PhaseRecord
from workflow.view.report import badges, numbers

NAMED_ROWS, LISTED = 24, 400
QUIET_SHARE, MARGIN_SHARE, NARROWEST, PACKING_S = 0.10, 0.01, 0.5, 5.0
TICKS_APART = 16.0


@dataclass(frozen=True)
class Span:
    """Something that took time. `kind`: attempt, check, wait; `end` is None while it goes on."""

    phase: str
    kind: str
    name: str
    status: str
    start: float
    end: float | None
    text: str
    known_s: float | None = None  # of a check: how long the checks took, which is what is drawn to scale


@dataclass(frozen=True)
class Bar:
    """A span where it is drawn, in per cent of the width."""

    x: float
    width: float
    span: Span

    @property
    def tone(self) -> str:
        """Its colour."""
        return "wait" if self.span.kind == "wait" else "check" if self.span.kind == "check" else badges.of(self.span.status).tone


@dataclass(frozen=True)
class Row:
    """One line of the drawing."""

    label: str
    bars: Sequence[Bar]


@dataclass(frozen=True)
class Timeline:
    """What is drawn, and the same as a list of spans."""

    rows: Mapping[str, Sequence[Row]]
    ticks: Sequence[tuple[float, str]]
    quiet: Sequence[tuple[float, float, str]]
    spans: Sequence[Span]
    more: int


class Axis:
    """Moments (seconds) to per cent of the width."""

    def __init__(self, busy: Sequence[tuple[float, float]], start: float, end: float) -> None:
        """`busy` are the stretches that are drawn to scale, from `start` to `end`."""
        worked = sum(until - since for since, until in _joined(busy, 0.0)) or max(end - start, 1.0)
        joined = _joined(busy, worked * MARGIN_SHARE)
        self.steps: list[tuple[float, float, float]] = []  # from, to, width
        last, longest = start, worked * QUIET_SHARE
        for since, until in [*joined, (end, end)]:
            if since > last:
                self.steps.append((last, since, min(since - last, longest)))
            if until > since:
                self.steps.append((since, until, until - since))
            last = max(last, until)
        self.width = sum(width for _, _, width in self.steps) or 1.0
        self.longest = longest

    def place(self, moment: float) -> float:
        """Where a moment lies, from 0 to 100."""
        done = 0.0
        for since, until, width in self.steps:
            if moment <= until:
                return 100 * (done + width * max(0.0, moment - since) / (until - since)) / self.width
            done += width
        return 100.0

    def quiet(self) -> Iterator[tuple[float, float, str]]:
        """(place, width, how long it was) of the stretches that are drawn shorter than they were."""
        for since, until, width in self.steps:
            if until - since > width * 1.001:
                yield self.place(since), 100 * width / self.width, numbers.seconds(until - since)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """(place, time of day) where a stretch of work begins, and at the end, as far apart as a label needs."""
        moments = (
            [since for since, until, width in self.steps if until - since <= width * 1.001] + [self.steps[-1][1]] if self.steps else []
        )
        last = -TICKS_APART
        for moment in moments:
            place = self.place(moment)
            if place - last >= TICKS_APART and place <= 100 - TICKS_APART / 2:
                yield place, f"{datetime.fromtimestamp(moment, UTC):%H:%M:%S}"
                last = place


def draw(figures: Figures, phases: Mapping[str, PhaseRecord], working: Iterable[tuple[str, Mapping[str, Any]]] = ()) -> Timeline:
    """The timeline of a run. `working`: the phase of each attempt that goes on, and its agent, number and start."""
    spans = [*_attempts(figures), *_going_on(working), *_checking(figures, phases), *_waits(figures)]
    spans.sort(key=lambda item: item.start)
    start, end = _seconds(pd.Timestamp(figures.run["started_at"])), _seconds(figures.as_of)
    end = max([end, start, *(span.end or span.start for span in spans)])
    axis = Axis([_busy(span, span.end) for span in spans if span.kind != "wait" and span.end], start, end)
    rows = {str(name): _rows([span for span in spans if span.phase == name], axis, end) for name in figures.phases["phase"]}
    return Timeline(rows, list(axis.ticks()), list(axis.quiet()), spans[:LISTED], max(0, len(spans) - LISTED))


def _busy(span: Span, end: float) -> tuple[float, float]:
    """The stretch of a span in which something surely went on: of one with checks, what they took, before its end."""
    return (span.start if span.known_s is None else max(span.start, end - span.known_s - PACKING_S)), end


def _attempts(figures: Figures) -> Iterator[Span]:
    for row in figures.attempts.to_dict("records"):
        if pd.isna(row["started_at"]):
            continue
        start, end = _seconds(row["started_at"]), None if pd.isna(row["ended_at"]) else _seconds(row["ended_at"])
        text = f"{row['agent']}, attempt {row['number']}: {badges.of(row['status']).words}, {numbers.seconds(row['duration_s'])}"
        yield Span(row["phase"], "attempt", row["agent"], row["status"], start, end, text)


def _going_on(working: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Span]:
    for phase, row in working:
        text = f"{row['agent']}, attempt {row['attempt']}: at work since {numbers.moment(row['since'])}, or interrupted"
        yield Span(phase, "attempt", row["agent"], "at_work", _seconds(row["since"]), None, text)


def _checking(figures: Figures, phases: Mapping[str, PhaseRecord]) -> Iterator[Span]:
    """From the end of the last agent to the request: merge, checks, packing. When in between each of them ran is not known."""
    for name, phase in phases.items():
        ends = sorted(_seconds(moment) for moment in rows_of(figures.attempts, name)["ended_at"].dropna())
        last = len(phase.gate["shown"]) - 1
        for place, entry in enumerate(phase.gate["shown"]):
            shown = _seconds(entry["at"])
            before = [end for end in ends if end <= shown]
            if not before:
                continue
            text, took = "merged, checked, packed", rows_of(figures.checks, name)["duration_s"]
            if place == last:
                status = badges.of((phase.validation or {}).get("status")).words
                known = f"; checks took {numbers.seconds(took.sum())}" if len(took) and not took.isna().any() else ""
                text = f"merged, checked ({status}), packed{known}"
            yield Span(name, "check", "checks", "", before[-1], shown, text, float(took.sum()))


def _waits(figures: Figures) -> Iterator[Span]:
    for row in figures.gates.to_dict("records"):
        start, end = _seconds(row["shown_at"]), None if pd.isna(row["ended_at"]) else _seconds(row["ended_at"])
        how = str(row["ended_by"]).replace("_", " ") if end else "nobody has decided yet"
        took = numbers.seconds(row["waiting_s"]) if end else f"since {numbers.moment(row['shown_at'])}"
        yield Span(row["phase"], "wait", "gate", "open" if end else "waiting", start, end, f"gate waited {took}: {how}")


def rows_of(frame: pd.DataFrame, phase: str) -> pd.DataFrame:
    """The rows of one phase."""
    return frame[frame["phase"] == phase]


def _rows(spans: Sequence[Span], axis: Axis, end: float) -> list[Row]:
    """A row for each agent where they are few, else as many rows as worked at once; then checks and gate."""
    work = [span for span in spans if span.kind == "attempt"]
    names = list(dict.fromkeys(span.name for span in work))
    if len(names) <= NAMED_ROWS:
        rows = [Row(name, [_bar(span, axis, end) for span in work if span.name == name]) for name in names]
    else:
        lanes = _lanes(work, end)
        rows = [
            Row(f"{len(names):,} agents" if not place else "", [_bar(span, axis, end) for span in lane]) for place, lane in enumerate(lanes)
        ]
    rest = [_bar(span, axis, end) for span in spans if span.kind != "attempt"]
    return [*rows, Row("checks and gate", rest)] if rest else rows


def _lanes(spans: Sequence[Span], end: float) -> list[list[Span]]:
    """Spans in as few rows as they need not to overlap; what is beyond the most rows goes into the last one."""
    lanes: list[list[Span]] = []
    for span in spans:
        free = next((lane for lane in lanes if (lane[-1].end or end) <= span.start), None)
        if free is None and len(lanes) < NAMED_ROWS:
            lanes.append([span])
        else:
            (free or lanes[-1]).append(span)
    return lanes


def _bar(span: Span, axis: Axis, end: float) -> Bar:
    x = axis.place(span.start)
    width = max(NARROWEST, axis.place(span.end if span.end is not None else end) - x)
    return Bar(round(min(x, 100 - NARROWEST), 2), round(min(width, 100 - min(x, 100 - NARROWEST)), 2), span)


def _joined(busy: Sequence[tuple[float, float]], apart: float) -> list[tuple[float, float]]:
    """Stretches as their union; those not farther apart than that are one."""
    joined: list[tuple[float, float]] = []
    for since, until in sorted(busy):
        if joined and since <= joined[-1][1] + apart:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((since, until))
    return joined


def _seconds(moment: Any) -> float:
    return float(pd.Timestamp(moment).timestamp())
