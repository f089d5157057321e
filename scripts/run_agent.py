"""Let one agent, or one task of an agent, do its work, or publish the result that it has already, and write outcome.json."""

from __future__ import annotations

import argparse
import functools
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from workflow.commands import end_with_parent

    end_with_parent()  # before anything that takes its time to import

from workflow.commands import main_guard, require_open  # noqa: E402
from workflow.work.agents import Policy, run_agent  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("phase", help="name of the phase")
    parser.add_argument("agent", help="name of the agent, or agent/tasks/task")
    parser.add_argument(
        "--policy", default="{}", help="JSON: timeout_s, retry, sandbox, environments, force, tree, public, prompts, budgets, versions"
    )
    parser.add_argument("--guard", default="", help="JSON: gates that must be open (phase to kind), policy, own")
    parser.add_argument("--show", default="", help="JSON: command, declared; write what a person decides on for this task")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        gates = functools.partial(require_open, options.run_dir, options.guard)
        gates()
        policy = Policy(**json.loads(options.policy))
        if "/" in options.agent:
            from workflow.proof.acceptance import by_commands

            run_agent(options.run_dir, options.phase, options.agent, policy, by_commands, gates)
            if options.show:
                from workflow.gate.taskgates import show

                show(options.run_dir, options.phase, options.agent, json.loads(options.show))
        else:
            run_agent(options.run_dir, options.phase, options.agent, policy, require_open=gates)
