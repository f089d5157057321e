"""`verify`: per phase, what was recomputed and whether it holds."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import PhasegateError
from workflow.gate import approvals
from workflow.gate.approvals import MARKER, read_marker
from workflow.gate.verdict import Verdict
from workflow.markup import plain
from workflow.proof import provenance, verification
from workflow.work import trees


def verify_run(run_dir: Path, after: Mapping[str, list[str]], verdicts: Mapping[str, Verdict]) -> list[dict[str, Any]]:
    """One row per phase that made a request: verified or not, what differs, its digest and who approved it.

    Recomputed are the hash of every file in the bundle, the digest, the chain of upstream digests, and the tree in
    the repository.
    """
    rows = []
    for phase, names in after.items():
        if not (run_dir / phase / "manifest.json").exists() and not (run_dir / "bundles" / f"{phase}.zip").exists():
            continue
        digest, problems = verification.verify_phase(run_dir, phase, names)
        problems += _tree_problems(run_dir, phase)
        problems += _record_problems(run_dir, phase)
        found = verdicts[phase]
        problems += _approval_problems(run_dir, phase, digest)
        rows.append(
            {
                "phase": phase,
                "verified": not problems,
                "problems": problems,
                "digest": digest,
                "gate": found.state,
                "trust": found.trust,
                "by": found.by,
                "waivers": [{"item": item, "reason": reason} for item, reason in found.waived],
            }
        )
    return rows


def _approval_problems(run_dir: Path, phase: str, digest: str | None) -> list[str]:
    """Whether an approval that says anything names what is shown, whatever else keeps the gate closed."""
    marker = run_dir / phase / MARKER
    try:
        content, _ = read_marker(marker)
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        return [f"{phase}/{MARKER}: {error}"]
    if not content.strip():
        return []
    approval = approvals.parse(content)
    if approval is None:
        return [f"{phase}/{MARKER}: is neither empty nor names a digest"]
    if approval.place not in ("", f"{run_dir.name}/{phase}"):
        return [f"{phase}/{MARKER}: was given for {approval.place}"]
    return [] if approval.digest == digest else [f"{phase}/{MARKER}: names {approval.digest[:12]}, not {(digest or 'unknown')[:12]}"]


def _record_problems(run_dir: Path, phase: str) -> list[str]:
    """Whether the provenance in the bundle says of the agents what the records of the run say."""
    manifest = files.try_read_object(run_dir / phase / "manifest.json")
    found = verification.read_provenance(run_dir / "bundles" / f"{phase}.zip")
    if found is None or not manifest:
        return []  # said already
    try:
        return [f"bundles/{phase}.zip: {text}" for text in provenance.differences(run_dir, manifest, found)]
    except (PhasegateError, KeyError, TypeError, AttributeError) as error:
        return [f"bundles/{phase}.zip: its provenance cannot be held against the run: {type(error).__name__}: {error}"]


def _tree_problems(run_dir: Path, phase: str) -> list[str]:
    """Whether project.git holds the tree that the manifest names, under the phase's ref."""
    manifest = files.try_read_json(run_dir / phase / "manifest.json")
    subject = manifest.get("subject") if isinstance(manifest, dict) else None
    wanted = subject.get("tree") if isinstance(subject, dict) else None
    try:
        found = trees.resolve(run_dir / "project.git", f"refs/phases/{phase}").tree
    except trees.GitError as error:
        return [f"project.git: {error}"]
    return [] if found == wanted else [f"project.git: refs/phases/{phase} holds another tree than the manifest names"]


def show(run_dir: Path, after: Mapping[str, list[str]], verdicts: Mapping[str, Verdict], form: str) -> int:
    """Print `verify_run` as lines or as JSON; 1 where anything does not verify."""
    rows = verify_run(run_dir, after, verdicts)
    if form == "json":
        sys.stdout.write(files.pretty_json({"run": run_dir.name, "phases": rows, "verified": all(row["verified"] for row in rows)}))
    else:
        for row in rows:
            words = "verified" if row["verified"] else "DOES NOT VERIFY"
            approval = f"gate {row['gate']}, trust {row['trust']}" + (f", by {plain(row['by'])}" if row["by"] else "")
            print(f"{row['phase']}: {words}, digest {(row['digest'] or 'unknown')[:12]}, {approval}")
            for text in row["problems"]:
                print(f"  - {plain(text)}")
        if not rows:
            print(f"{run_dir.name}: no phase has made a request yet")
    return 0 if all(row["verified"] for row in rows) else 1
