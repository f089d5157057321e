"""Hold the merged result of a phase against its criteria.json and write validation.json."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from workflow.commands import end_with_parent

    end_with_parent()  # before anything that takes its time to import

from workflow.commands import main_guard, require_open  # noqa: E402
from workflow.proof.validation import validate_phase  # noqa: E402
from workflow.work import slots  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("phase", help="name of the phase")
    parser.add_argument("--options", required=True, help="JSON: timeouts_s (check to seconds), sandbox, environments, declared")
    parser.add_argument("--guard", default="", help="JSON: gates that must be open (phase to kind), policy, own")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        slots.take()
        require_open(options.run_dir, options.guard)
        validate_phase(options.run_dir, options.phase, json.loads(options.options))
