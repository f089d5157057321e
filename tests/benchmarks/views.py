"""`status`, `runs`, `metrics` and `report` on a run of 1,000 outcomes, and a pass over 30 open gates, beside `snakemake --version`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import chdir
from functools import partial
from pathlib import Path

from conftest import Desk
from many import make_run

from benchmarks.desks import desk_in
from benchmarks.table import Row
from benchmarks.timing import Effort, medians, phasegate, seconds, version_s

NAMES = ("status", "runs", "metrics", "report")
PAGE_BYTES = 10_000_000


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """A row per command, and one for the gates."""
    yield from views(desk_in(folder / "views"), effort, 100 if effort.short else 1000)
    yield gates(desk_in(folder / "gates"), effort, 4 if effort.short else 30)


def views(desk: Desk, effort: Effort, agents: int) -> Iterator[Row]:
    """A row per command; `status` is to take less than 2 s where `--version` takes 0.9 s."""
    with chdir(desk.path):
        make_run(desk.path, agents)
    commands = {name: partial(_command, desk, name) for name in NAMES}
    found = medians(effort, floor=lambda _: version_s(desk), **commands)
    assert (desk.path / "runs/demo/report.html").stat().st_size < PAGE_BYTES
    for name in NAMES:
        what = f"{name} of a run of {agents} outcomes"
        yield Row(what, found[name], "snakemake --version", found["floor"], 2.2 if name == "status" else None)


def _command(desk: Desk, name: str, _: int) -> float:
    return seconds(lambda: phasegate(desk, name))


def gates(desk: Desk, effort: Effort, count: int) -> Row:
    """What a pass costs that has nothing to do."""
    names = [f"p{number:02d}" for number in range(count)]
    worker = {"agents": {"worker": {"runner": "make"}}, "gate": "required"}
    desk.configure(dict.fromkeys(names, worker), {"make": ["sh", "-c", "cat > .p; md5sum .p >> made.txt; rm .p"]}, sandbox="off")
    for name in names:
        desk.run()
        desk.touch(name)
    desk.run()
    found = medians(effort, floor=lambda _: version_s(desk), figure=lambda _: seconds(lambda: phasegate(desk)))
    status = desk.json("runs/demo/status.json")
    assert status["state"] == "delivered", status
    assert sum(phase["state"] == "open" for phase in status["phases"].values()) == count
    return Row(f"nothing to do behind {count} open gates", found["figure"], "snakemake --version", found["floor"], None)
