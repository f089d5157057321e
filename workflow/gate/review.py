"""Asking for a review: bundle, manifest, digest and REQUEST.md of a phase, made from the same files in one go."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import feedback, history, requests, verdict
from workflow.plan.commandline import Command
from workflow.plan.policies import Signed, read, word
from workflow.proof import bundles, manifest
from workflow.work.redaction import Values, declared


def request_review(run_dir: Path, phase: str, options: dict[str, Any]) -> dict[str, Any]:
    """Write the four files that a person decides on; returns the manifest. What is shown is what is bound.

    `options`: agents and after (names), gates (of all phases before), beside (gates of phases that this one does not
    build on), gate (policy and kind), own (policies of the other phases), compression (0 to 9),
    command (how snakemake is started again, for the page),
    declared (names of variables that hold secrets), budgets (those that the phase's agents count against).
    """
    answered, policy, own = feedback.rounds(run_dir, phase), read(options["gate"]["policy"]), options.get("own")
    gate = {"kind": options["gate"]["kind"], "policy": word(policy)} | (policy.public if isinstance(policy, Signed) else {})
    decided = {
        "feedback": answered[-1] if answered else None,
        "approvals": verdict.approvals_of(run_dir, options["gates"], policy, own),
        "beside": verdict.approvals_of(run_dir, options["beside"], policy, own),
    }
    made = manifest.make_manifest(run_dir, phase, options["agents"], options["after"], gate, decided)
    bundle = bundles.pack(run_dir, made, run_dir / "bundles" / f"{phase}.zip", options["compression"])
    files.write_json(run_dir / phase / "manifest.json", made)
    files.write_text(run_dir / phase / "digest", f"{made['digest']}\n")
    requests.write_request(run_dir, made, bundle, Command(**options["command"]), Values(declared(options["declared"])), options["budgets"])
    history.record_shown(run_dir, phase, made["digest"])
    if answered:
        feedback.mark_answered(run_dir, phase, answered[-1]["sha256"])
    return made
