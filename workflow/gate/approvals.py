"""Approvals: a person's decision as a canonical in-toto Statement that names exactly what was shown.

`APPROVED` holds one Statement (https://in-toto.io/Statement/v1): its subject is the digest of the phase, its predicate
says decision, run, phase, by, at, note and waivers. It is canonical JSON (sorted keys, no blanks) and one line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import UsageError
from workflow.gate import feedback, history
from workflow.proof import verification
from workflow.proof.hygiene import limits
from workflow.work import merging

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "urn:phasegate:approval:v1"
MARKER = "APPROVED"
HEX = set("0123456789abcdef")


@dataclass(frozen=True)
class Approval:
    """What a marker says: the digest that it names, who gave it, when, and what was waived (item -> reason).

    `place` is `run/phase` as the Statement has it; empty for a marker that holds nothing but the digest. `budget_usd` is
    what the phases that follow may cost together; None says nothing about it.
    """

    digest: str
    by: str = ""
    at: str = ""
    note: str = ""
    place: str = ""
    waivers: tuple[tuple[str, str], ...] = ()
    budget_usd: float | None = None


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
        return Approval(str(subjects[0]["digest"]["sha256"]), by, at, note, place, waivers, budget)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def statement(run: str, phase: str, approval: Approval) -> bytes:
    """The bytes of a marker for an approval."""
    predicate = {
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
    subject = [{"name": f"{run}/{phase}", "digest": {"sha256": approval.digest}}]
    made = {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": PREDICATE_TYPE, "predicate": predicate}
    return files.canonical_json(made) + b"\n"


def approve(run_dir: Path, phase: str, after: list[str], by: str, note: str, waive: str, budget_usd: float | None = None) -> Approval:
    """Write APPROVED for what REQUEST.md shows. UsageError, and no file, where that is not what is there now.

    Everything that blocks the gate must be named in `waive` (`item=reason; item=reason`; a `;` inside is written `\\;`);
    a waiver of something that does not block is refused, too. `budget_usd` is what the phases that follow may cost together.
    """
    digest, problems = verification.verify_phase(run_dir, phase, after)
    shown = history.read(run_dir, phase)["shown"]
    if problems or digest is None:
        wrong = "; ".join(problems)
        raise UsageError(f"{phase} is not what REQUEST.md shows: {wrong}; run snakemake again, then read and approve the new request")
    if not shown or shown[-1]["digest"] != digest:
        raise UsageError(f"{phase}: this content has not been shown yet; run snakemake again")
    subject = files.read_json(run_dir / phase / "manifest.json")["subject"]
    pending = feedback.pending(run_dir, phase, subject)
    if pending:
        way = "delete that file" if pending == feedback.UNCHANGED else "run snakemake to have them made, or delete that file"
        raise UsageError(f"{phase}: {pending} ({run_dir / phase / feedback.MARKER}); {way}")
    waivers = _waivers(waive, {item.id: item.text for item in blockers(subject)}, phase)
    approval = Approval(digest, by, files.now(), note, f"{run_dir.name}/{phase}", tuple(waivers), budget_usd)
    files.write_bytes(run_dir / phase / MARKER, statement(run_dir.name, phase, approval))
    return approval


def _waivers(waive: str, wrong: Mapping[str, str], phase: str) -> list[tuple[str, str]]:
    """The waivers in `item=reason; item=reason`, held against what blocks the gate."""
    given: dict[str, str] = {}
    parts = (part.replace("\\;", ";").strip() for part in re.split(r"(?<!\\);", waive))
    for part in filter(None, parts):
        named = next((item for item in sorted(wrong, key=len, reverse=True) if part.startswith(f"{item}=")), None)
        item, equals, reason = (named, "=", part[len(named) + 1 :]) if named else part.partition("=")
        if not equals or not reason.strip():
            raise UsageError(f"waive: `{part}` gives no reason; write item=reason; item=reason")
        if item.strip() not in wrong:
            raise UsageError(f"waive: `{item.strip()}` does not block {phase}; what blocks it: {', '.join(wrong) or 'nothing'}")
        given[item.strip()] = reason.strip()
    missing = [item for item in wrong if item not in given]
    if missing:
        facts = "; ".join(wrong[item] for item in missing)
        raise UsageError(f'{phase} is blocked: {facts}. Mend it, or approve with a reason for each: waive="{how_to_waive(missing)}"')
    return sorted(given.items())


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
        found.append(Blocker(f"conflict:{'+'.join(clash['between'])}", f"merge conflict between {names} in {merging.places(clash)}"))
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
