"""Run `snakemake --lint` and fail on what it finds.

One of its rules does not fit: it asks for a conda environment or container per rule, but every job here runs with the
interpreter that runs Snakemake, so that one installation serves all of them.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ACCEPTED = "Specify a conda environment or container for each rule."


def main() -> int:
    """Print each lint that counts; 1 where there is one."""
    root = Path(__file__).resolve().parents[1]
    command = [str(Path(sys.executable).parent / "snakemake"), "--lint"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    titles = re.findall(r"^ +\* (.+?):?$", done.stdout + done.stderr, re.MULTILINE)
    if not titles and "Congratulations" not in done.stdout + done.stderr:
        print(done.stdout + done.stderr)
        return 1
    bad = [title for title in titles if not title.startswith(ACCEPTED)]
    print(done.stderr if bad else f"snakemake --lint: nothing but {len(titles)} times the accepted `{ACCEPTED}`")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
