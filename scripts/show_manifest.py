"""Print the manifest of one bundle as JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow import files  # noqa: E402
from workflow.commands import main_guard  # noqa: E402
from workflow.proof.bundles import read_manifest  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path, help="the bundle, a zip file")
    return parser.parse_args()


if __name__ == "__main__":
    with main_guard():
        options = arguments()
        sys.stdout.write(files.pretty_json(read_manifest(options.bundle)))
