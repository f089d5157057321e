"""Merge what the tasks of an agent made into the agent's own result, and write its outcome.json."""

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
from workflow.proof.acceptance import by_commands  # noqa: E402
from workflow.work import slots  # noqa: E402
from workflow.work.fanning import gather  # noqa: E402
from workflow.work.jobs import Policy  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("phase", help="name of the phase")
    parser.add_argument("agent", help="name of the agent that fans out")
    parser.add_argument(
        "--policy", default="{}", help="JSON: how a task works once more whose lines another one changed, too; see run_agent.py"
    )
    parser.add_argument("--guard", default="", help="JSON: gates that must be open (phase to kind), policy, own")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        slots.take(options.run_dir / options.phase / "agents" / options.agent / "outcome.json")
        require_open(options.run_dir, options.guard)
        gather(options.run_dir, options.phase, options.agent, Policy(**json.loads(options.policy)), by_commands)
