"""Approvals: a person's decision as a canonical in-toto Statement that names exactly what was shown.

`APPROVED` holds one Statement (https://in-toto.io/Statement/v1): its subject is the digest of the phase, its predicate
says decision, run, phase, by, at, note and waivers; one that is signed also who started the run, when, and the terms. It is
canonical JSON (sorted keys, no blanks) and one line. Standard library only.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files
from workflow.proof.hygiene import limits
from workflow.work import clashes

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:phasegate:approval:v1"
MARKER = "APPROVED"
MARKER_LIMIT = 1 << 20
HEX = set("0123456789abcdef")


@dataclass(frozen=True)
class Approval:
    """What a marker says: the digest that it names, who gave it, when, and what was waived (item -> reason).

    `place` is `run/phase` as the Statement has it; empty for a marker that holds nothing but the digest. `budget_usd` is
    what the phases that follow may cost together; None says nothing about it. `started_by`, `started_at` and `terms` are
    there in one that is signed.
    """

    digest: str
    by: str = ""
    at: str = ""
    note: str = ""
    place: str = ""
    waivers: tuple[tuple[str, str], ...] = ()
    budget_usd: float | None = None
    started_by: tuple[str, ...] = ()
    started_at: str = ""
    terms: Mapping[str, Any] = field(default_factory=dict)


def parse(content: bytes) -> Approval | None:
    """The approval in a marker: a Statement, or 64 hexadecimal digits; None for anything else."""
    text = content.decode("utf-8", "replace").strip()
    if len(text) == 64 and set(text) <= HEX:
        return Approval(text)
    try:
        statement = json.loads(text)
        predicate, subjects = statement["predicate"], statement["subject"]
        right = statement["_type"] == STATEMENT_TYPE and statement["predicateType"] == PREDICATE_TYPE
        if not right or len(subjects) != 1 or predicate["decision"] != "approved":
            return None
        given = [(str(item["item"]), str(item["reason"]).strip()) for item in predicate.get("waivers", [])]
        waivers = tuple((item, reason) for item, reason in given if reason)
        by, at, note = (str(predicate.get(key, "")) for key in ("by", "at", "note"))
        place, budget = f"{predicate['run']}/{predicate['phase']}", predicate.get("budget_usd")
        budget = None if budget is None else float(budget)
        started, terms = predicate.get("started", {}), predicate.get("terms", {})
        begun = (tuple(str(name) for name in started.get("by", [])), str(started.get("at", "")))
        return Approval(str(subjects[0]["digest"]["sha256"]), by, at, note, place, waivers, budget, *begun, dict(terms))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def statement(run: str, phase: str, approval: Approval) -> bytes:
    """The bytes of a marker for an approval."""
    predicate: dict[str, Any] = {
        "decision": "approved",
        "run": run,
        "phase": phase,
        "by": approval.by,
        "at": approval.at,
        "note": approval.note,
        "waivers": [{"item": item, "reason": reason} for item, reason in approval.waivers],
    }
    if approval.budget_usd is not None:
        predicate["budget_usd"] = str(approval.budget_usd)  # a text: canonical JSON holds no fractions
    if approval.started_by:
        predicate["started"] = {"by": list(approval.started_by), "at": approval.started_at}
        predicate["terms"] = dict(approval.terms)
    subject = [{"name": f"{run}/{phase}", "digest": {"sha256": approval.digest}}]
    made = {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": predicate}
    return files.canonical_json(made) + b"\n"


def read_marker(marker: Path) -> tuple[bytes, int]:
    """Content and modification time of a marker. ValueError for anything but a plain small file; links are not followed."""
    if marker.is_symlink():
        raise ValueError(f"{marker.name} is a link, which does not count; make it a plain file")
    handle = os.open(marker, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        found = os.fstat(handle)  # before fdopen, which refuses a folder in its own words
        if not stat.S_ISREG(found.st_mode):
            raise ValueError(f"{marker.name} is not a plain file")
        if found.st_size > MARKER_LIMIT:
            raise ValueError(f"{marker.name} is larger than {MARKER_LIMIT} bytes")
        return os.read(handle, MARKER_LIMIT), found.st_mtime_ns
    finally:
        os.close(handle)


def how_to_waive(items: Iterable[str]) -> str:
    """The value of `waive=` that names these items, with a reason to fill in for each."""
    return "; ".join(item.replace(";", r"\;") + "=why" for item in items)


@dataclass(frozen=True)
class Blocker:
    """One thing that keeps a gate closed: the id under which it can be waived, and a sentence."""

    id: str
    text: str


def blockers(subject: Mapping[str, Any]) -> list[Blocker]:
    """What is wrong with what was shown."""
    found = []
    for agent in subject["agents"]:
        if agent["status"] != "succeeded":
            found.append(Blocker(f"agent:{agent['name']}", f"agent {agent['name']}: {agent['status'].replace('_', ' ')}"))
    for clash in subject["conflicts"]:
        names = " and ".join(clash["between"])
        found.append(Blocker(f"conflict:{'+'.join(clash['between'])}", f"merge conflict between {names} in {clashes.places(clash)}"))
    validation = subject["validation"]
    for row in validation["artifacts"]:
        if row["required"] and not row["found"]:
            found.append(Blocker(f"artifact:{row['pattern']}", f"required artifact is missing: {row['pattern']}"))
    words = {"fail": "failed", "unknown": "could not run (unknown is not a pass)"}
    for check in validation["checks"]:
        if check["status"] != "pass":
            since = f", since {check['culprit']} was merged" if check.get("culprit") else ""
            found.append(Blocker(f"check:{check['name']}", f"check {check['name']} {words.get(check['status'], check['status'])}{since}"))
    for row in validation.get("plans", []):
        if row["status"] != "pass":
            found.append(Blocker(f"plan:{row['path']}", f"the plan {row['path']} is not one that tasks can be made of ({row['status']})"))
    if validation["scan"] == "unknown":
        found.append(Blocker("secrets:scan", "the scan for secrets could not be done (unknown is not a pass)"))
    for row in validation["secrets"]:
        place = f"{row['path']}:{row['line']}"
        found.append(Blocker(f"secret:{place.replace(';', '%3B')}", f"{row['place']} {place} holds a secret: {row['kind']}"))
    held = subject.get("hygiene", {"violations": []})  # it is there where limits are set
    found += [Blocker(f"hygiene:{name}", limits.sentence(held, name)) for name in held["violations"]]
    return found
