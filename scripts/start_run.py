"""Make the repository of a run and write start.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from workflow.commands import end_with_parent

    end_with_parent()  # before anything that takes its time to import

from workflow.commands import main_guard  # noqa: E402
from workflow.work import slots  # noqa: E402
from workflow.work.integration import start_run  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("--tree", default="{}", help="JSON: max_files, max_file_bytes, max_total_bytes of a source")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        slots.take()
        start_run(options.run_dir, json.loads(options.tree))
