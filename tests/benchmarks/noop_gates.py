"""What a pass over 30 open gates costs when there is nothing to do, beside `snakemake --version`.

Prints medians over several interleaved rounds, and their ratio; asserts afterwards that all gates are there and open.
Run by hand: `python tests/benchmarks/noop_gates.py [ROUNDS] [GATES]`.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from conftest import SNAKEMAKE, Desk  # noqa: E402


def seconds(command: list[str], folder: Path) -> float:
    """Wall time of one command."""
    begin = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - begin


def main(rounds: int, gates: int) -> None:
    """Build the run, then measure."""
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder))
        desk.brief()
        names = [f"p{number:02d}" for number in range(gates)]
        worker = {"agents": {"worker": {"runner": "make"}}, "gate": "required"}
        command = ["sh", "-c", "cat > .p; md5sum .p >> made.txt; rm .p"]
        desk.configure(dict.fromkeys(names, worker), {"make": command}, sandbox="off")
        for name in names:
            desk.run()
            desk.touch(name)
        desk.run()
        plain = [str(SNAKEMAKE), "-s", str(desk.root / "Snakefile"), "--cores", "2"]
        figures: dict[str, list[float]] = {"snakemake --version": [], f"no-op pass over {gates} gates": []}
        for _ in range(rounds):
            figures["snakemake --version"].append(seconds([str(SNAKEMAKE), "--version"], desk.path))
            figures[f"no-op pass over {gates} gates"].append(seconds(plain, desk.path))
        status = desk.json("runs/demo/status.json")
        assert status["state"] == "delivered", status
        assert sum(phase["state"] == "open" for phase in status["phases"].values()) == gates
        medians = {name: statistics.median(values) for name, values in figures.items()}
        for name, value in medians.items():
            print(f"{name:32} {value:6.2f} s (median of {rounds})")
        first, second = medians.values()
        print(f"{'per gate above the start':32} {(second - first) / gates * 1000:6.1f} ms; ratio {second / first:.2f}")


if __name__ == "__main__":
    main(*(int(word) for word in [*sys.argv[1:], *["5", "30"][len(sys.argv) - 1 :]]))
