"""Pack what a phase made, write manifest and digest, and ask for a review in REQUEST.md."""

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
from workflow.gate.review import request_review  # noqa: E402
from workflow.gate.verdict import judge  # noqa: E402
from workflow.plan import policies  # noqa: E402
from workflow.view.notices import send  # noqa: E402
from workflow.work import slots  # noqa: E402
from workflow.work.saying import say  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run_dir", type=Path, help="folder of the run, such as runs/todo-app")
    parser.add_argument("phase", help="name of the phase")
    parser.add_argument(
        "--options", required=True, help="JSON: agents, after, gates, beside, gate, own, compression, command, notify, declared, budgets"
    )
    parser.add_argument("--guard", default="", help="JSON: gates that must be open (phase to kind), policy, own")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        slots.take()
        require_open(options.run_dir, options.guard)
        wanted = json.loads(options.options)
        request_review(options.run_dir, options.phase, wanted)
        found = judge(options.run_dir, options.phase, wanted["gate"]["kind"], policies.read(wanted["gate"]["policy"]))
        for line in send(options.run_dir, [found], wanted["notify"]):
            say(f"{options.phase}: {line.strip()}")
