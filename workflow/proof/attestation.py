"""What a bundle's provenance must say to agree with its manifest. Standard library only, so that it works anywhere.

PROVENANCE.json is an in-toto Statement v1 with a SLSA v1 provenance predicate (https://slsa.dev/spec/v1.0/provenance). It claims
SLSA Build L1 and nothing more: the provenance exists and names what was built from what, but nobody has signed it, and the
machine on which it was made is the user's own. Everything that its manifest knows, too, must be the same in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

NAME = "PROVENANCE.json"
SBOMS = ("SBOM.project.cdx.json", "SBOM.environment.cdx.json")
EXTRAS = (NAME, *SBOMS)
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:phasegate:phase:v1"
BUILDER = "urn:phasegate:supervisor:v1"
LEVEL = {
    "level": "SLSA_BUILD_LEVEL_1",
    "why": "nobody signs it, and it is made on the user's own machine; level 2 asks for a signature and a hosted builder",
}
EXTERNAL = {"run", "phase", "intake", "source", "ref", "criteria", "feedback", "agents"}
EXTERNAL_AGENT = {"brief_sha256", "prompt_template_sha256"}
DEFINITION = {"buildType", "externalParameters", "internalParameters", "resolvedDependencies"}


def place(run_dir: Path, phase: str, tree: str) -> Path:
    """The folder for the bills of materials of a phase whose result is this tree."""
    return run_dir / phase / "sbom" / tree


def subject(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a provenance speaks of: the digest of the phase, and each file that it created or changed."""
    about = manifest["subject"]
    rows = [{"name": f"{about['run']}/{about['phase']}", "digest": {"sha256": manifest["digest"]}}]
    return rows + [{"name": f"artifacts/{item['path']}", "digest": {"sha256": item["sha256"]}} for item in about["files"]]


def dependencies(manifest: Mapping[str, Any], start: str | None) -> list[dict[str, Any]]:
    """What a phase was made from: the digests of the phases before it, its base tree, the commit that the run started from."""
    about = manifest["subject"]
    rows: list[dict[str, Any]] = [{"name": f"phase {name}", "digest": {"sha256": about["upstream"][name]}} for name in about["upstream"]]
    rows.append({"name": "base", "digest": {"gitTree": about["base_tree"]}})
    return rows if start is None else [*rows, {"name": "start", "digest": {"gitCommit": start}}]


def workers(about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Who worked, by the subject of a manifest: each agent, and after it its tasks, where it fans out."""
    for row in about["agents"]:
        yield row
        for task in row.get("tasks", ()):
            yield {**{key: task[key] for key in ("status", "exit_code", "tree")}, "name": f"{row['name']}/tasks/{task['id']}"}


def results(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What both a manifest and a provenance say of agents and checks."""
    about = manifest["subject"]
    return {
        "agents": {row["name"]: (row["status"], row["exit_code"], row["tree"]) for row in workers(about)},
        "checks": _checks(about["validation"]),
    }


def _checks(holder: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(json.dumps(row[key]) for key in ("name", "command", "status", "exit_code")) for row in holder["checks"]]


def problems(content: bytes, manifest: Mapping[str, Any], sboms: Mapping[str, str]) -> Iterator[str]:
    """What is wrong with a provenance. `sboms`: the sha256 of each bill of materials in the bundle, by its name. Never raises."""
    try:
        statement = json.loads(content)
        yield from _form_problems(statement)
        yield from _parameter_problems(statement["predicate"]["buildDefinition"]["externalParameters"], manifest["subject"])
        yield from _agreement_problems(statement, manifest, sboms)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        yield f"{NAME} is not a provenance of Phasegate ({type(error).__name__}: {' '.join(str(error).split())[:200]})"


def _form_problems(statement: Any) -> Iterator[str]:
    predicate = statement["predicate"]
    definition, builder = predicate["buildDefinition"], predicate["runDetails"]["builder"]
    fixed = [
        ("its type", statement["_type"], STATEMENT_TYPE),
        ("its predicate", statement["predicateType"], PREDICATE_TYPE),
        ("its build type", definition["buildType"], BUILD_TYPE),
        ("its builder", builder["id"], BUILDER),
        ("the level that it claims", definition["internalParameters"]["slsa"], LEVEL),
    ]
    for what, found, wanted in fixed:
        if found != wanted:
            yield f"{NAME}: {what} is {found!r}, not {wanted!r}"
    for name in sorted(set(definition) - DEFINITION):
        yield f"{NAME}: unknown parameter {name!r}"


def _parameter_problems(external: Any, about: Mapping[str, Any]) -> Iterator[str]:
    """Parameters from outside that are unknown, missing, or not those of the manifest: whoever verifies must not pass over any."""
    for name in sorted(set(external) - EXTERNAL):
        yield f"{NAME}: unknown external parameter {name!r}"
    for name in sorted(EXTERNAL - set(external)):
        yield f"{NAME}: the external parameter {name!r} is missing"
    for agent, row in external["agents"].items():
        for name in sorted(set(row) ^ EXTERNAL_AGENT):
            yield f"{NAME}: unknown or missing external parameter {name!r} of the agent {agent!r}"
    answered = (about.get("feedback") or {}).get("sha256")
    named = [row["name"] for row in workers(about)]
    found = (external["run"], external["phase"], external["feedback"], sorted(external["agents"]))
    if found != (about["run"], about["phase"], answered, sorted(named)):
        yield f"{NAME}: run, phase, feedback or agents are not those of the manifest"


def _agreement_problems(statement: Any, manifest: Mapping[str, Any], sboms: Mapping[str, str]) -> Iterator[str]:
    """Statements that the manifest contradicts."""
    definition, details = statement["predicate"]["buildDefinition"], statement["predicate"]["runDetails"]
    if statement["subject"] != subject(manifest):
        yield f"{NAME}: its subject is not the digest and the files of the manifest"
    resolved = definition["resolvedDependencies"]
    starts = [row["digest"]["gitCommit"] for row in resolved if row["name"] == "start"]
    if resolved != dependencies(manifest, starts[0] if starts else None):
        yield f"{NAME}: the digests of what it was made from are not those of the manifest"
    internal, known = definition["internalParameters"], results(manifest)
    if {name: (row["status"], row["exit_code"], row["tree"]) for name, row in internal["agents"].items()} != known["agents"]:
        yield f"{NAME}: the results of its agents are not those of the manifest"
    if _checks(internal) != known["checks"]:
        yield f"{NAME}: the results of its checks are not those of the manifest"
    for name in SBOMS:
        if name not in sboms:
            yield f"the bundle holds no {name}"
    if {row["name"]: row["digest"]["sha256"] for row in details["byproducts"]} != dict(sboms):
        yield f"{NAME}: the bills of materials that it names are not those of the bundle"
