"""Take one file out of a bundle, checked against its manifest."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if __name__ == "__main__":
    from workflow.commands import end_with_parent

    end_with_parent()  # before anything that takes its time to import

from workflow.commands import main_guard  # noqa: E402
from workflow.proof.bundles import extract_file  # noqa: E402
from workflow.work import slots  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="the bundle, a zip file")
    parser.add_argument("path", help="path of the file inside the project")
    parser.add_argument("target", type=Path, help="where to write it")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        slots.take()
        extract_file(options.bundle, options.path, options.target)
