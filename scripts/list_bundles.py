"""List the bundles of a run as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.commands import main_guard  # noqa: E402
from workflow.view.tables import show_bundles  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("--options", default="{}", help="JSON: phase, format")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        show_bundles(options.run_dir, **json.loads(options.options))
