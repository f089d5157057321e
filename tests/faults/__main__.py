"""All faults, and the table of goals and figures: python -m tests.faults [--kills 200] [--seed 1]."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from faults import campaign, disk, output, places, starts, table, terminal  # noqa: E402
from faults.table import Row  # noqa: E402

GIGABYTE = 1 << 30


def rows(folder: Path, kills: int, seed: int) -> Iterator[Row]:
    """Each goal, one after the other. What this machine cannot do is an error, never left out."""
    report = campaign.run(folder / "kills", kills, seed)
    print(campaign.tell(report), flush=True)
    yield from table.kills(report)
    report = campaign.run(folder / "sandboxed", max(1, kills // 10), seed + 100, sandboxes=("require",))
    print(campaign.tell(report), flush=True)
    yield table.sandboxed(report)
    yield table.stops([terminal.stop(folder / f"stop-{number}", way) for number, way in enumerate(terminal.WAYS)], "")
    found = [terminal.stop(folder / f"sandboxed-stop-{number}", way, "require") for number, way in enumerate(terminal.WAYS)]
    yield table.stops(found, ", in a sandbox")
    yield table.rush(starts.rush(folder / "starts", 50))
    yield table.disks(disk.campaign(folder / "disk", 10, seed))
    yield table.printed(output.flood(folder / "output", GIGABYTE), GIGABYTE)
    yield table.troubles([places.overcome(folder / f"place-{number}", trouble) for number, trouble in enumerate(places.TROUBLES)])


def main() -> int:
    """The command line; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    try:
        found = list(rows(folder, options.kills, options.seed))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"\n{table.lay_out(found)}")
    for row in found:
        for text in row.why:
            print(f"\n{row.goal}: {text}")
    return 0 if all(row.good for row in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
