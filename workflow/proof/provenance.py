"""Provenance: PROVENANCE.json of a bundle, written by the supervisor from its own records, never by an agent.

It says from what, by whom and how the files of a phase were made: digests of the phases before, brief and prompt of each agent,
its runner with version and model, sandbox, usage, and the checks. What is not known is null. Same records, same bytes: it
holds no clock, no machine, and nothing of who packs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import __version__, files
from workflow.proof import attestation
from workflow.proof import validation as validations

OF_AGENT = ("status", "exit_code", "runner", "prompt_sha256", "sandbox", "usage", "started_at", "ended_at", "duration_s")
OF_CHECK = ("name", "command", "status", "exit_code", "duration_s")


def extras(run_dir: Path, manifest: Mapping[str, Any]) -> dict[str, bytes]:
    """What a bundle carries beside manifest and artifacts, by the names of the entries: provenance and bills of materials."""
    folder = attestation.place(run_dir, manifest["phase"], manifest["subject"]["tree"])
    sboms = {name: (folder / name).read_bytes() for name in attestation.SBOMS if (folder / name).is_file()}
    hashes = {name: files.sha256_bytes(content) for name, content in sboms.items()}
    return {attestation.NAME: files.pretty_json(make(run_dir, manifest, hashes)).encode(), **sboms}


def make(run_dir: Path, manifest: Mapping[str, Any], sboms: Mapping[str, str]) -> dict[str, Any]:
    """The Statement for a manifest. `sboms`: the sha256 of each bill of materials, by its name."""
    folder, names = run_dir / manifest["phase"], [row["name"] for row in attestation.workers(manifest["subject"])]
    outcomes = {name: files.read_json(folder / "agents" / name / "outcome.json") for name in names}
    start = files.try_read_object(run_dir / "start.json")
    times = [outcome[key] for outcome in outcomes.values() for key in ("started_at", "ended_at") if outcome[key]]
    return {
        "_type": attestation.STATEMENT_TYPE,
        "subject": attestation.subject(manifest),
        "predicateType": attestation.PREDICATE_TYPE,
        "predicate": {
            "buildDefinition": {
                "buildType": attestation.BUILD_TYPE,
                "externalParameters": _external(run_dir, manifest, start, outcomes),
                "internalParameters": _internal(run_dir, manifest, outcomes),
                "resolvedDependencies": attestation.dependencies(manifest, start.get("commit")),
            },
            "runDetails": {
                "builder": {"id": attestation.BUILDER, "version": {"phasegate": __version__}},
                "metadata": {
                    "invocationId": f"{manifest['run_id']}/{manifest['phase']}/{manifest['digest']}",
                    "startedOn": min(times, default=None),
                    "finishedOn": max(times, default=None),
                },
                "byproducts": [{"name": name, "digest": {"sha256": sboms[name]}} for name in sorted(sboms)],
            },
        },
    }


def _external(run_dir: Path, manifest: Mapping[str, Any], start: Mapping[str, Any], outcomes: Mapping[str, Any]) -> dict[str, Any]:
    """What people asked for: brief, source, criteria, feedback, and what each agent was told."""
    folder, answered = run_dir / manifest["phase"], manifest["subject"]["feedback"]
    return {
        "run": manifest["run_id"],
        "phase": manifest["phase"],
        "intake": _sha256(run_dir / "intake.yaml"),
        "source": start.get("source"),
        "ref": start.get("ref"),
        "criteria": _sha256(folder / "criteria.json"),
        "feedback": answered["sha256"] if answered else None,
        "agents": {name: _told(folder / "agents" / name, outcome) for name, outcome in outcomes.items()},
    }


def _told(folder: Path, outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The hashes of what an agent was told, from the copy that its attempt keeps."""
    brief = files.try_read_object((folder / outcome["log"]).with_name("brief.json")) if outcome["log"] else {}
    return {"brief_sha256": outcome["brief_sha256"], "prompt_template_sha256": brief.get("prompt_template_sha256")}


def _internal(run_dir: Path, manifest: Mapping[str, Any], outcomes: Mapping[str, Any]) -> dict[str, Any]:
    """How the supervisor had it carried out, and what came of it."""
    validation = validations.read(run_dir, manifest["phase"])
    return {
        "slsa": attestation.LEVEL,
        "agents": {name: _done(outcome) for name, outcome in outcomes.items()},
        "checks": [{key: row[key] for key in OF_CHECK} for row in validation["checks"]],
        "checks_sandbox": validation.get("sandbox"),
        "adoptions": manifest["subject"]["adoptions"],
    }


def _done(outcome: Mapping[str, Any]) -> dict[str, Any]:
    tree = (outcome["result"] or {}).get("tree")
    return {**{key: outcome[key] for key in OF_AGENT}, "tree": tree, "attempts": len(outcome["attempts"])}


def _sha256(path: Path) -> str | None:
    return files.sha256_file(path) if path.is_file() else None


def differences(run_dir: Path, manifest: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The agents of whom a bundle's provenance says otherwise than the records of the run, as problems."""
    folder, definition = run_dir / manifest["phase"] / "agents", found["predicate"]["buildDefinition"]
    wrong = []
    for name, said in definition["internalParameters"]["agents"].items():
        outcome = files.read_json(folder / name / "outcome.json")
        told = definition["externalParameters"]["agents"][name]
        if (said, told) != (_done(outcome), _told(folder / name, outcome)):
            wrong.append(f"{attestation.NAME}: what it says of {name} is not what {name}/outcome.json says")
    return wrong
