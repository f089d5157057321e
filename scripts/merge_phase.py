"""Merge the commits of a phase's agents and write merge.json."""

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
from workflow.work.integration import merge_phase  # noqa: E402
from workflow.work.jobs import Policy  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("phase", help="name of the phase")
    parser.add_argument("agents", nargs="+", help="the agents in the order in which they are merged")
    parser.add_argument("--policies", default="{}", help="JSON: agent to how it works once more where another one changed the same lines")
    parser.add_argument("--guard", default="", help="JSON: gates that must be open (phase to kind), policy, own")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        slots.take(options.run_dir / options.phase / "merge.json")
        require_open(options.run_dir, options.guard)
        policies = {name: Policy(**policy) for name, policy in json.loads(options.policies).items()}
        merge_phase(options.run_dir, options.phase, options.agents, policies, by_commands)
