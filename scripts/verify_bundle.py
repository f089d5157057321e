"""Verify bundles alone: recompute every hash and the digest. Needs nothing but Python and Phasegate's folder.

Prints a line per bundle; exit code 1 when one does not verify.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.proof.verification import verify_bundle  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path, help="the bundles, zip files")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    return parser.parse_args()


def verify(bundles: list[Path], as_json: bool) -> int:
    """Print what holds of each bundle; 1 where anything does not."""
    rows, wrong = [], 0
    for path in bundles:
        manifest, problems = verify_bundle(path)
        found = manifest if isinstance(manifest, dict) else {}
        named = {key: found.get(key) for key in ("run_id", "phase", "digest", "artifact_count")}
        rows.append({"bundle": str(path), "verified": not problems, "problems": problems, **named})
        wrong += bool(problems)
        if not as_json:
            words = "DOES NOT VERIFY" if problems else "verified"
            about = f"{named['phase']} of {named['run_id']}, digest {named['digest']}, {named['artifact_count']} files"
            print(plain(f"{path}: {words}; {about}"))
            for text in problems:
                print(plain(f"  - {text}"))
    if as_json:
        print(json.dumps(rows, indent=2, sort_keys=True))
    return 1 if wrong else 0


def plain(text: str) -> str:
    """Text of a stranger for a terminal: it cannot start a line of its own, and control characters cannot act."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


if __name__ == "__main__":
    options = arguments()
    sys.exit(verify(options.bundles, options.json))
