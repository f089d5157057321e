"""Verify bundles, or a whole run from a copy: every hash, digest and chain, and who signed it. Works offline.

    verify_bundle.py plan.zip                                  one bundle alone
    verify_bundle.py --allowed-signers allowed_signers COPY    a copy of a run: bundles/ and the phases' APPROVED* files

Needs Python and Phasegate's folder, for signatures also ssh-keygen. Take allowed_signers from somebody you trust, not from where
the copy comes from. Prints a line per bundle; exit code 1 when one does not verify.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.proof.verification import verify_bundle  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path, help="bundles (zip files), or folders with copies of runs")
    parser.add_argument("--json", action="store_true", help="print JSON instead of lines")
    parser.add_argument("--allowed-signers", type=Path, help="file in OpenSSH's format that says whose keys count")
    parser.add_argument("--approvals", type=int, default=1, help="people who must have signed each phase, at least")
    parser.add_argument("--at", default="", help="moment at which keys and approvals must be valid, such as 2026-01-31T12:00:00Z; now")
    parser.add_argument("--ungated", action="append", default=[], metavar="PHASE", help="phase that needs no approval, as you know")
    chosen = parser.parse_args()
    if any(path.is_dir() for path in chosen.bundles) and not chosen.allowed_signers:
        parser.error("a copy of a run needs --allowed-signers FILE: without it nobody's signature counts")
    return chosen


def verify(options: argparse.Namespace) -> int:
    """Print what holds of each bundle; 1 where anything does not."""
    rows = [row for path in options.bundles for row in (_copy(path, options) if path.is_dir() else [_bundle(path)])]
    if options.json:
        print(json.dumps(rows, indent=2, sort_keys=True))
    else:
        for row in rows:
            print(plain(_line(row)))
            for text in row["problems"]:
                print(plain(f"  - {text}"))
    return 0 if all(row["verified"] for row in rows) else 1


def _bundle(path: Path) -> dict[str, Any]:
    manifest, problems = verify_bundle(path)
    found = manifest if isinstance(manifest, dict) else {}
    named = {key: found.get(key) for key in ("run_id", "phase", "digest", "artifact_count")}
    return {"bundle": str(path), "verified": not problems, "problems": problems, **named}


def _copy(folder: Path, options: argparse.Namespace) -> list[dict[str, Any]]:
    from workflow.gate import audit

    return audit.verify_copy(folder, options.allowed_signers, options.approvals, options.at, options.ungated)


def _line(row: dict[str, Any]) -> str:
    words = "verified" if row["verified"] else "DOES NOT VERIFY"
    about = f"{row['phase']} of {row['run_id']}, digest {row['digest']}, {row['artifact_count']} files"
    return f"{row['bundle']}: {words}; {about}" + (f", trust {row['trust']}" if "trust" in row else "") + _who(row)


def _who(row: dict[str, Any]) -> str:
    return f", signed by {', '.join(signer['by'] for signer in row['signers'])}" if row.get("signers") else ""


def plain(text: str) -> str:
    """Text of a stranger for a terminal: it cannot start a line of its own, and control characters cannot act."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)


if __name__ == "__main__":
    sys.exit(verify(arguments()))
