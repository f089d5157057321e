"""Provenance: the supervisor says how a bundle was made, and a statement that does not agree with its manifest is refused."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zips
from runs import Run, check

from workflow import files
from workflow.proof import attestation, provenance, verification
from workflow.view import proofs

FORGED = json.dumps({"_type": attestation.STATEMENT_TYPE, "predicate": {"agent": "says so"}})


@pytest.fixture
def made(run: Run) -> Run:
    """Two phases; the second has an agent that succeeded, one that failed, and a check; the first agent forges a provenance."""
    run.shown()
    run.phase("build", ("plan",))
    run.agent("maker", f"echo 1 > a.py; echo '{FORGED}' > PROVENANCE.json", "build")
    run.agent("loser", "exit 4", "build")
    run.merge("maker", "loser", phase="build")
    run.validate(checks=(check("good", "true"),), phase="build")
    run.show("maker", "loser", phase="build", after=("plan",))
    return run


def bundle(run: Run) -> Path:
    return run.folder / "bundles/build.zip"


def statement(run: Run) -> dict[str, Any]:
    with zipfile.ZipFile(bundle(run)) as archive:
        return dict(json.loads(archive.read("PROVENANCE.json")))


def test_a_bundle_says_how_it_was_made_in_the_words_of_in_toto_and_slsa(made: Run) -> None:
    found, manifest = statement(made), files.read_json(made.folder / "build/manifest.json")
    assert (found["_type"], found["predicateType"]) == ("https://in-toto.io/Statement/v1", "https://slsa.dev/provenance/v1")
    assert found["subject"][0] == {"name": "demo/build", "digest": {"sha256": manifest["digest"]}}
    assert [row["name"] for row in found["subject"][1:]] == ["artifacts/PROVENANCE.json", "artifacts/a.py"]
    definition, details = found["predicate"]["buildDefinition"], found["predicate"]["runDetails"]
    upstream = (made.folder / "plan/digest").read_text().strip()
    assert {"name": "phase plan", "digest": {"sha256": upstream}} in definition["resolvedDependencies"]
    told = definition["externalParameters"]["agents"]["maker"]
    outcome = made.outcome("maker", "build")
    assert told["brief_sha256"] == outcome["brief_sha256"]
    did = definition["internalParameters"]["agents"]
    assert {key: did["maker"][key] for key in ("runner", "prompt_sha256", "usage", "sandbox", "status")} == {
        key: outcome[key] for key in ("runner", "prompt_sha256", "usage", "sandbox", "status")
    }
    assert (did["loser"]["status"], did["loser"]["exit_code"], did["loser"]["attempts"]) == ("failed", 4, 1)
    assert [row["status"] for row in definition["internalParameters"]["checks"]] == ["pass"]
    assert definition["internalParameters"]["slsa"]["level"] == "SLSA_BUILD_LEVEL_1"
    assert details["metadata"]["finishedOn"] == max(outcome["ended_at"], made.outcome("loser", "build")["ended_at"])
    assert verification.verify_bundle(bundle(made))[1] == []


def test_what_an_agent_calls_provenance_stays_an_artifact(made: Run) -> None:
    with zipfile.ZipFile(bundle(made)) as archive:
        assert archive.read("artifacts/PROVENANCE.json").decode().strip() == FORGED
        assert archive.namelist().count("PROVENANCE.json") == 1
    assert statement(made)["predicate"]["runDetails"]["builder"]["id"] == attestation.BUILDER


def external(found: Any) -> dict[str, Any]:
    return dict(found["predicate"]["buildDefinition"])["externalParameters"]


def internal(found: Any) -> dict[str, Any]:
    return dict(found["predicate"]["buildDefinition"])["internalParameters"]


ZERO = "0" * 64
FORGERIES: list[tuple[Callable[[Any], Any], str]] = [
    (lambda found: external(found).update(debug=True), "unknown external parameter 'debug'"),
    (lambda found: external(found).pop("intake"), "the external parameter 'intake' is missing"),
    (lambda found: external(found)["agents"]["maker"].update(env="X=1"), "external parameter 'env' of the agent 'maker'"),
    (lambda found: external(found)["agents"].update(ghost={"brief_sha256": ZERO, "prompt_template_sha256": ZERO}), "run, phase, feed"),
    (lambda found: external(found).update(run="other"), "run, phase, feedback or agents are not those of the manifest"),
    (lambda found: external(found).update(phase="plan"), "run, phase, feedback or agents are not those of the manifest"),
    (lambda found: external(found).update(feedback=ZERO), "run, phase, feedback or agents are not those of the manifest"),
    (lambda found: found["predicate"]["buildDefinition"].update(extra={}), "unknown parameter 'extra'"),
    (lambda found: found["predicate"]["buildDefinition"].update(buildType="urn:other"), "its build type is 'urn:other'"),
    (lambda found: found["predicate"]["runDetails"]["builder"].update(id="urn:agent"), "its builder is 'urn:agent'"),
    (lambda found: found.update(predicateType="https://slsa.dev/provenance/v0.2"), "its predicate is"),
    (lambda found: found.update(_type="https://in-toto.io/Statement/v0.1"), "its type is"),
    (lambda found: internal(found)["slsa"].update(level="SLSA_BUILD_LEVEL_3"), "the level that it claims"),
    (lambda found: found["subject"][0]["digest"].update(sha256=ZERO), "its subject is not the digest and the files"),
    (lambda found: found["subject"].pop(), "its subject is not the digest and the files"),
    (lambda found: found["predicate"]["buildDefinition"]["resolvedDependencies"][0]["digest"].update(sha256=ZERO), "what it was made from"),
    (lambda found: found["predicate"]["buildDefinition"]["resolvedDependencies"].pop(1), "what it was made from"),
    (lambda found: internal(found)["agents"]["loser"].update(status="succeeded"), "the results of its agents"),
    (lambda found: internal(found)["agents"].pop("loser"), "the results of its agents"),
    (lambda found: internal(found)["checks"][0].update(status="fail"), "the results of its checks"),
    (lambda found: internal(found)["checks"].append(internal(found)["checks"][0]), "the results of its checks"),
    (lambda found: found["predicate"]["runDetails"]["byproducts"].append({"name": "x", "digest": {"sha256": ZERO}}), "bills of materials"),
    (lambda found: found.pop("predicate"), "is not a provenance of Phasegate"),
    (lambda found: found.update(predicate=[]), "is not a provenance of Phasegate"),
    (lambda found: found["predicate"]["buildDefinition"].update(externalParameters=[]), "is not a provenance of Phasegate|missing"),
]  # fmt: skip


@pytest.mark.parametrize("place", range(len(FORGERIES)))
def test_a_statement_that_does_not_agree_is_refused_with_what_differs(made: Run, place: int) -> None:
    change, message = FORGERIES[place]
    found = statement(made)
    change(found)
    forge(bundle(made), json.dumps(found).encode())
    said = verification.verify_bundle(bundle(made))[1]
    assert any(part in text for text in said for part in message.split("|")), said
    assert all(text.startswith("PROVENANCE.json") and "\n" not in text for text in said)


def forge(path: Path, content: bytes | None, forged: str = "PROVENANCE.json") -> None:
    """Put another provenance (or another file of ours, or none) into a bundle, in a zip that is as it has to be."""
    with zipfile.ZipFile(path) as archive:
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    entries = [(name, content if name == forged else data) for name, data in zips.read(path)]
    zips.write(path, [(zips.entry(name, modes[name]), data) for name, data in entries if data is not None])


@pytest.mark.parametrize("content", [None, b"", b"null", b"[]", b"3", b"\xff", b"[" * 100_000, b'{"predicate": {}}'])
def test_a_bundle_without_a_readable_provenance_does_not_verify(made: Run, content: bytes | None) -> None:
    forge(bundle(made), content)
    said = verification.verify_bundle(bundle(made))[1]
    assert len(said) == 1
    assert ("holds no PROVENANCE.json" if content is None else "PROVENANCE.json is not a provenance of Phasegate") in said[0]


def test_verify_holds_it_against_the_records_of_the_run(made: Run) -> None:
    assert proofs._record_problems(made.folder, "build") == []
    for change in (
        lambda row: row["runner"].update(model="a better one"),
        lambda row: row.update(prompt_sha256=ZERO),
        lambda row: row["usage"].update(cost_usd=0.0),
        lambda row: row.update(sandbox="bubblewrap"),
    ):
        kept, found = bundle(made).read_bytes(), statement(made)
        change(internal(found)["agents"]["maker"])
        forge(bundle(made), json.dumps(found).encode())
        said = proofs._record_problems(made.folder, "build")
        assert said == ["bundles/build.zip: PROVENANCE.json: what it says of maker is not what maker/outcome.json says"]
        bundle(made).write_bytes(kept)


def test_same_records_give_the_same_statement(made: Run) -> None:
    manifest = files.read_json(made.folder / "build/manifest.json")
    hashes = {name: files.sha256_bytes(content) for name, content in zips.read(bundle(made)) if name.startswith("SBOM")}
    assert provenance.make(made.folder, manifest, hashes) == statement(made)
