"""Keep a run going: carry it on, wait without using the processor, and go on when somebody decides.

Run it in the working directory, with the words that you would give to snakemake: `watch.py --cores 2`. It ends when
the run is delivered (exit code 0), when snakemake ends otherwise than at a gate, or with Ctrl-C.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.commands import main_guard  # noqa: E402
from workflow.view.watching import watch  # noqa: E402

SNAKEFILE = Path(__file__).resolve().parents[1] / "Snakefile"


def command(words: list[str]) -> list[str]:
    """The snakemake that belongs to this interpreter, with Phasegate's Snakefile where none lies here."""
    here = [] if Path("Snakefile").exists() or "-s" in words or "--snakefile" in words else ["-s", str(SNAKEFILE)]
    return [sys.executable, "-m", "snakemake", *here, *words]


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(__doc__)
        sys.exit(0)
    with main_guard():
        try:
            sys.exit(watch(lambda: subprocess.run(command(sys.argv[1:] or ["--cores", "2"]), check=False).returncode))
        except KeyboardInterrupt:
            sys.exit(130)
