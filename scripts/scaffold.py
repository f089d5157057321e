"""The embedded runner: render what a role makes of the brief into the current folder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.commands import main_guard  # noqa: E402
from workflow.work.runners.scaffold import scaffold  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", type=Path, required=True, help="the brief, a JSON file")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        scaffold(Path.cwd(), json.loads(options.brief.read_text(encoding="utf-8")))
