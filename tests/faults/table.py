"""The goals of the fault harness and the figures that were reached."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from faults.campaign import Report
from faults.desks import STILL
from faults.disk import Full
from faults.output import Printed
from faults.places import Overcome
from faults.starts import Rush
from faults.terminal import MARGIN_S, Stopped

PROVEN = 20


@dataclass(frozen=True)
class Row:
    """One goal. `why` tells what is wrong where it is not reached."""

    goal: str
    figure: str
    good: bool
    why: tuple[str, ...] = ()


def kills(report: Report, proven: int = PROVEN) -> list[Row]:
    """The rows of the kills."""
    made = len(report.hits)
    wrong, paid, alive = report.of("wrong bundle"), report.of("paid twice", "finished twice"), report.of("alive")
    both, others = report.of("two alive"), report.of("leftover", "torn file", "no begin", "invented", "not still", "not survived")
    return [
        Row("random SIGKILLs survived by the same plain command", f"{report.survived} of {made}", report.survived == made),
        Row("bundles wrong", f"{len(wrong)}", not wrong, _texts(wrong)),
        Row("agents that had exited 0 run again", _paid(report, len(paid)), not paid, _texts(paid)),
        Row("two attempts of one agent alive at once", f"{len(both)}", not both, _texts(both)),
        Row("processes alive 2 s later", f"{len(alive)}", not alive, _texts(alive)),
        Row("manual unlocks", f"{report.unlocks}", not report.unlocks),
        Row("leftovers, torn files, other faults", f"{len(others)}", not others, _texts(others)),
        Row("kills between an agent's exit and its result", f"{report.proven} (>= {proven})", report.proven >= proven),
    ]


def _paid(report: Report, count: int) -> str:
    if not report.indeterminate:
        return f"{count}"
    latest = 1000 * max(report.indeterminate)
    return f"{count} ({len(report.indeterminate)} ended at most {latest:.0f} ms before the kill, too late for anyone to note it)"


def _texts(found: Iterable[object]) -> tuple[str, ...]:
    return tuple(getattr(one, "text", "") for one in found)


def sandboxed(report: Report) -> Row:
    """The row of the kills while the agents work in a sandbox."""
    bad = tuple(f"{one.kind}: {one.text}" for one in report.violations)
    figure = f"{report.survived} of {len(report.hits)} survived, {len(bad)} violations"
    return Row("the same with agents in bubblewrap", figure, not bad and not report.unlocks, bad)


def stops(found: list[Stopped], where: str) -> Row:
    """The row of the terminal."""
    slowest, left = max(one.seconds for one in found), sum(len(one.left) for one in found)
    allowed = STILL.grace_s + MARGIN_S
    figure = f"{slowest:.1f} s at most (<= {allowed:g} s), {left} left"
    bad = tuple(
        f"{one.way}: {one.seconds:.1f} s, left {one.left}, resumed {one.resumed}, clear {one.clear}" for one in found if not one.good
    )
    return Row(f"Ctrl-C once, twice, hang-up; agents that ignore INT, TERM, HUP{where}", figure, not bad, bad)


def rush(found: Rush) -> Row:
    """The row of the simultaneous starts."""
    figure = f"{found.double} double starts; {found.refused - len(found.unnamed)} of {found.starts - 1} refusals name the pid"
    return Row(f"{found.starts} simultaneous starts in one folder", figure, found.good, found.unnamed[:3])


def disks(found: list[Full]) -> Row:
    """The row of the full disks."""
    clear = sum(bool(one.lines) and not one.traceback and one.code != 0 for one in found)
    figure = f"{sum(one.resumed for one in found)} of {len(found)} resume, {clear} of {len(found)} told in a clear line"
    bad = tuple(f"after {one.delay_s:.2f} s: exit code {one.code}, {one.lines}, {one.said[-1500:]}" for one in found if not one.good)
    return Row("disk full at random points", figure, not bad, bad)


def printed(found: Printed, size: int) -> Row:
    """The row of the output."""
    figure = f"log {found.log_bytes} bytes (<= 2001000), supervisor {found.rss_bytes / 1e6:.0f} MB (<= 50 MB)"
    return Row(f"{size / 1e9:.1f} GB of agent output", figure, found.good)


def troubles(found: list[Overcome]) -> Row:
    """The row of folders, programs and clocks."""
    bad = tuple(
        f"{one.name}: exit code {one.code}, {one.lines}, completed {one.completed}, {one.said[-1500:]}" for one in found if not one.good
    )
    figure = f"{len(found) - len(bad)} of {len(found)} told in a clear line and completed by the same command"
    return Row("folders, programs and clocks that are not as they should be", figure, not bad, bad)


def lay_out(rows: Iterable[Row]) -> str:
    """The rows as a table in Markdown."""
    lines = ["| goal | figure | |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {row.goal} | {row.figure} | {'reached' if row.good else 'MISSED'} |" for row in rows)])
