"""Install the real command-line agents that tests drive, with npm, into build/clis (which git ignores).

A CLI whose installed version lies in its range is left alone. Usage: python tests/models/install_clis.py [codex] [pi]
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from models.clis import FOLDER, PACKAGES  # noqa: E402


def installed(package: str) -> str | None:
    """The installed version of an npm package, or None."""
    try:
        return json.loads((FOLDER / "node_modules" / package / "package.json").read_text())["version"]
    except (OSError, ValueError, KeyError):
        return None


def fits(version: str, wanted: str) -> bool:
    """Whether a version such as 0.169.0 lies in a range such as `>=0.150 <1`."""
    low, high = (word.lstrip("<>=") for word in wanted.split())
    return _numbers(low) <= _numbers(version) < _numbers(high)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split("-")[0].split(".")]


def install(name: str) -> str:
    """Make sure that a CLI is there; returns what to say. CalledProcessError where npm fails."""
    package, wanted = PACKAGES[name]
    version = installed(package)
    if version and fits(version, wanted):
        return f"{name} {version} is there"
    begin = time.monotonic()
    FOLDER.mkdir(parents=True, exist_ok=True)
    command = ["npm", "install", "--prefix", str(FOLDER), "--no-audit", "--no-fund", "--loglevel=error", f"{package}@{wanted}"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return f"{name} {installed(package)} was installed in {time.monotonic() - begin:.0f} s"


if __name__ == "__main__":
    for chosen in sys.argv[1:] or PACKAGES:
        print(install(chosen), flush=True)
