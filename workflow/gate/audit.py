"""The audit: a whole run verified from a copy of its bundles and markers, and from what the auditor brings along.

What must hold is taken from the bundles and the signed statements alone, since everything else in a copy (run.json, manifests beside
the bundles, status) may have been written by anybody: each bundle is what its digest names, the phases build on each other's
digests, and enough people have signed each digest, under the terms that the statements themselves name. Standard library
only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import quorum, signatures
from workflow.gate.approvals import Blocker, blockers
from workflow.gate.quorum import Case, Given, Quorum
from workflow.gate.signatures import Keys, SignatureError
from workflow.plan.policies import Signed
from workflow.proof.verification import verify_bundle

Found = tuple[dict[str, Any] | None, list[str]]  # the manifest of a bundle, and what is wrong with it


def verify_copy(folder: Path, signers: Path, approvals: int = 1, at: str = "", ungated: Collection[str] = ()) -> list[dict[str, Any]]:
    """A row for each bundle in the copy: verified, problems, digest, trust, signers, waivers. Never raises for a bad copy.

    `approvals` people at least must have signed; keys and approvals must be valid `at` that moment (now, where it is empty);
    `ungated` are the phases that the auditor knows to need no approval.
    """
    paths = sorted((folder / "bundles").glob("*.zip"))
    found = {path.stem: verify_bundle(path) for path in paths}
    try:
        moment = files.parse_time(at).astimezone(UTC) if at else None
        keys = signatures.read_keys(signers)
    except (SignatureError, ValueError) as error:
        return [_row(path, {}, [str(error)], Quorum((), ()), "none") for path in paths] or [_nothing(folder, str(error))]
    if not paths:
        return [_nothing(folder, "holds no bundles/*.zip; copy bundles/ and the APPROVED* files of each phase")]
    runs = {str(manifest["subject"].get("run")) for manifest, wrong in found.values() if manifest is not None and not wrong}
    rows = []
    for path in paths:
        try:
            rows.append(_judge(path, folder / path.stem, found, runs, keys, approvals, moment, ungated))
        except Exception as error:  # noqa: BLE001 - whatever a stranger's copy does to the reader, it is not verified
            rows.append(_row(path, {}, [f"cannot be read: {type(error).__name__}: {error}"], Quorum((), ()), "none"))
    _same_start(rows)
    return rows


def _judge(
    path: Path,
    folder: Path,
    found: Mapping[str, Found],
    runs: set[str],
    keys: Keys,
    approvals: int,
    moment: datetime | None,
    ungated: Collection[str],
) -> dict[str, Any]:
    """The row of one bundle; `folder` holds the markers of its phase."""
    manifest, problems = found[path.stem]
    if problems or manifest is None:
        return _row(path, {}, problems, Quorum((), ()), "none")
    chain = list(_chain(path.stem, manifest, found, runs))
    counted, missing = _approved(folder, manifest, keys, approvals, moment)
    trust = "signed" if not missing else "none"
    if manifest["phase"] in ungated and not blockers(manifest["subject"]):
        missing = []
    return _row(path, manifest, [*chain, *missing], counted, trust)


def _nothing(folder: Path, why: str) -> dict[str, Any]:
    return _row(folder, {}, [why], Quorum((), ()), "none")


def _row(path: Path, manifest: Mapping[str, Any], problems: list[str], found: Quorum, trust: str) -> dict[str, Any]:
    named = {key: manifest.get(key) for key in ("run_id", "phase", "digest", "artifact_count")}
    given = [item.approval for item in found.counted]
    starts = sorted({(approval.started_by, approval.started_at) for approval in given})
    return {
        "bundle": str(path),
        "verified": not problems,
        "problems": problems,
        **named,
        "trust": trust,
        "signers": found.signers,
        "waivers": [{"item": item, "reason": reason} for approval in given for item, reason in approval.waivers],
        "started": [{"by": list(by), "at": at} for by, at in starts],
    }


def _chain(name: str, manifest: Mapping[str, Any], found: Mapping[str, Found], runs: set[str]) -> Iterator[str]:
    """What is wrong with the place of a bundle among the others."""
    subject = manifest["subject"]
    if subject["phase"] != name:
        yield f"is the bundle of {subject['phase']}, not of {name}"
    if len(runs) > 1:
        yield f"the bundles are of several runs: {', '.join(sorted(runs))}"
    for other, digest in subject["upstream"].items():
        before = found.get(other, (None, []))[0]
        if before is None:
            yield f"builds on {other}, whose bundle is not in the copy"
        elif before["digest"] != digest:
            yield f"builds on {other} {digest[:12]}, the copy holds {before['digest'][:12]}"


def _approved(folder: Path, manifest: Mapping[str, Any], keys: Keys, approvals: int, moment: datetime | None) -> tuple[Quorum, list[str]]:
    """The approvals of a bundle that count, and what is missing."""
    wrong = blockers(manifest["subject"])
    found, refused = [], []
    for path in quorum.markers(folder):
        try:
            found.append(_judged(path, manifest, wrong, keys, moment))
        except (SignatureError, OSError, ValueError, TypeError) as error:
            refused.append(f"{path.name} {error}")
    counted, same = quorum.distinct(found)
    needed = max([approvals, *(int(item.approval.terms["approvals"]) for item in counted)])
    missing = [*(item.text for item in wrong if not counted), f"{len(counted)} of {needed} signed approvals", *refused, *same]
    if manifest["gate"]["kind"] == "none" and not counted:
        missing.append(f"its manifest says that it needs none; if you know that to be so: --ungated {manifest['phase']}")
    return Quorum(tuple(counted), tuple(refused)), missing if len(counted) < needed else []


def _judged(path: Path, manifest: Mapping[str, Any], wrong: list[Blocker], keys: Keys, moment: datetime | None) -> Given:
    """An approval that counts under the terms that it names itself, which are signed with it."""
    _, approval = quorum.read(path)
    subject, named = manifest["subject"], approval.terms
    try:
        days = named["expires_days"]
        terms = Signed("", int(named["approvals"]), tuple(named["approvers"]), None if days is None else float(days))
    except KeyError as error:
        raise SignatureError("names no terms: it was not made as a signed approval") from error
    place = f"{subject['run']}/{subject['phase']}"
    case = Case(place, manifest["digest"], None, wrong, terms, moment or datetime.now(UTC))
    return quorum.judged(path, case, keys, moment)


def _same_start(rows: list[dict[str, Any]]) -> None:
    """All who signed must speak of one start of the run."""
    starts = {repr(start) for row in rows for start in row["started"]}
    for row in rows if len(starts) > 1 else ():
        row["problems"].append("the approvals speak of different starts of the run")
        row["verified"] = False
