"""How long `status`, `runs`, `metrics` and `report` take on a run of 1,000 outcomes, beside `snakemake --version`.

    python tests/benchmarks/status_many.py [--agents 1000] [--rounds 5]

The commands take turns; medians are printed with their ratio to `--version`. Goal: `status` under 2 s on an idle machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import chdir
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import ROOT, SNAKEMAKE  # noqa: E402
from many import make_run  # noqa: E402

COMMANDS = {"--version": ["--version"], **{name: ["-s", str(ROOT / "Snakefile"), name] for name in ("status", "runs", "metrics", "report")}}
GOAL_S = 2.0


def took(words: list[str], folder: Path) -> float:
    """Seconds that a command takes; CalledProcessError where it fails."""
    begin = time.perf_counter()
    subprocess.run([str(SNAKEMAKE), *words], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    """Make the run, time the commands in turn, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with chdir(folder):
            make_run(folder, options.agents)
        times = {name: [] for name in COMMANDS}
        for _ in range(options.rounds):
            for name, words in COMMANDS.items():
                times[name].append(took(words, folder))
        page = (folder / "runs/demo/report.html").stat().st_size
    floor = statistics.median(times["--version"])
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"{name:10} {middle:6.2f} s  {middle / floor:5.2f} x --version   (fastest {min(found):.2f} s)")
    print(f"report.html: {page / 1e6:.1f} MB (goal: under 10 MB)")
    print(f"status: {'reached' if min(times['status']) < GOAL_S else 'MISSED'} (goal: under {GOAL_S:g} s; fastest of {options.rounds})")


if __name__ == "__main__":
    main()
