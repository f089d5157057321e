"""The quorum: which signed approvals of a phase count, and why the others do not.

`APPROVED` and `APPROVED.<name>` hold a statement each, and the file with `.sig` behind its name the signature. Each is judged
by itself, by all of `CHECKS`; of those that count, only different people make a quorum. Standard library only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import approvals, signatures
from workflow.gate.approvals import MARKER, Approval, Blocker
from workflow.gate.signatures import Keys, SignatureError, Signer
from workflow.markup import plain
from workflow.plan.policies import Signed

MOST_MARKERS = 50
SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class Case:
    """What approvals are held against: the run and phase, the digest that is shown, who started the run, and the terms.

    `started` is None where that is known from the statements alone (a copy without run.json).
    """

    place: str
    digest: str
    started: tuple[tuple[str, ...], str] | None
    wrong: Sequence[Blocker]
    terms: Signed
    moment: datetime


@dataclass(frozen=True)
class Given:
    """One approval: the name of its file, what it says, and who signed it."""

    name: str
    approval: Approval
    signer: Signer


@dataclass(frozen=True)
class Quorum:
    """The approvals that count, by different people, and a sentence for each one that does not."""

    counted: tuple[Given, ...]
    refused: tuple[str, ...]

    @property
    def people(self) -> list[str]:
        """Who signed."""
        return [item.signer.principal for item in self.counted]

    @property
    def signers(self) -> list[dict[str, str]]:
        """Who signed, with which key, when, in which file; for manifests and pages."""
        return [{"by": item.signer.principal, "key": item.signer.key, "at": item.approval.at, "file": item.name} for item in self.counted]


def count(folder: Path, case: Case, keys: Keys, at: datetime | None = None) -> Quorum:
    """The quorum of the approvals in a phase's folder. `at` is the moment at which keys must be valid, now where it is None."""
    found, refused = [], []
    for path in markers(folder):
        try:
            found.append(judged(path, case, keys, at))
        except (SignatureError, OSError, ValueError) as error:
            refused.append(f"{path.name} {plain(str(error))}")
    counted, same = distinct(found)
    return Quorum(tuple(counted), (*refused, *same))


def markers(folder: Path) -> list[Path]:
    """The files of a phase that may be approvals, APPROVED first."""
    found = sorted(path for path in folder.glob(f"{MARKER}*") if path.name == MARKER or path.name.startswith(f"{MARKER}."))
    return [path for path in found if path.suffix != ".sig"][:MOST_MARKERS]


def read(path: Path) -> tuple[bytes, Approval]:
    """Bytes and meaning of an approval. SignatureError for what is not a statement."""
    content, _ = approvals.read_marker(path)
    if not content.strip():
        raise SignatureError("is empty: a touched marker is not signed")
    approval = approvals.parse(content)
    if approval is None or not approval.place:
        raise SignatureError("is not a statement")
    return content, approval


def judged(path: Path, case: Case, keys: Keys, at: datetime | None) -> Given:
    """An approval that counts. SignatureError with the reason for one that does not."""
    content, approval = read(path)
    signer = _signer(path, content, approval, keys, at)
    given = Given(path.name, approval, signer)
    for check in CHECKS:
        why = check(given, case)
        if why:
            raise SignatureError(why)
    return given


def _signer(path: Path, content: bytes, approval: Approval, keys: Keys, at: datetime | None) -> Signer:
    try:
        signature, _ = approvals.read_marker(path.with_name(f"{path.name}.sig"))
    except FileNotFoundError as error:
        raise SignatureError(f"is not signed: there is no {path.name}.sig") from error
    return signatures.verify(content, signature, approval.by, keys, signatures.APPROVAL, at)


def names_the_place(given: Given, case: Case) -> str:
    """The approval is of this run and phase."""
    return "" if given.approval.place == case.place else f"was given for {given.approval.place}"


def names_the_digest(given: Given, case: Case) -> str:
    """The approval is of what is shown."""
    return "" if given.approval.digest == case.digest else f"names {given.approval.digest[:12]}, shown is {case.digest[:12]}"


def names_the_start(given: Given, case: Case) -> str:
    """The approval is of the run that this person or machine has started; a statement that says nothing of it does not count."""
    known = (given.approval.started_by, given.approval.started_at)
    if not known[0] or (case.started is not None and case.started != known):
        return "was given for a run that somebody else started, or at another time"
    return ""


def is_an_approver(given: Given, case: Case) -> str:
    """The signer is one of those who may approve this phase."""
    allowed = case.terms.approvers
    return "" if not allowed or given.signer.principal in allowed else f"is by {given.signer.principal}; may approve: {', '.join(allowed)}"


def is_not_the_starter(given: Given, case: Case) -> str:
    """The signer did not start the run, under none of the names of the key."""
    own = sorted(name for name in given.signer.names if any(same_person(name, other) for other in given.approval.started_by))
    return f"is by {own[0]}, who started the run; somebody else has to approve it" if own else ""


def is_in_time(given: Given, case: Case) -> str:
    """The approval has a time that has come and has not expired."""
    if not files.is_time(given.approval.at):
        return "carries no time"
    signed = files.parse_time(given.approval.at)
    if signed > case.moment + SLACK:
        return f"carries a time in the future ({given.approval.at})"
    days = case.terms.expires_days
    if days is not None and signed + timedelta(days=days) <= case.moment:
        return f"has expired: it was given at {given.approval.at} and counts for {days:g} days"
    return ""


def waives_what_is_wrong(given: Given, case: Case) -> str:
    """The approval gives a reason for everything that blocks the gate."""
    missing = {item.id for item in case.wrong} - {item for item, _ in given.approval.waivers}
    return f"gives no reason for {', '.join(sorted(missing))}" if missing else ""


Check = Callable[[Given, Case], str]
CHECKS: tuple[Check, ...] = (
    names_the_place,
    names_the_digest,
    names_the_start,
    is_an_approver,
    is_not_the_starter,
    is_in_time,
    waives_what_is_wrong,
)


def distinct(found: Iterable[Given]) -> tuple[list[Given], list[str]]:
    """Of these approvals one for each person, and a sentence for each other one. A key that two share is one person."""
    counted: list[Given] = []
    same = []
    for item in found:
        twin = next((other for other in counted if is_the_same(item.signer, other.signer)), None)
        if twin is None:
            counted.append(item)
        else:
            same.append(f"{item.name} is by {item.signer.principal}, who has signed {twin.name}; somebody else is needed")
    return counted, same


def is_the_same(one: Signer, other: Signer) -> bool:
    """Whether two signatures are by one person: the same key, or a name in common."""
    return one.key == other.key or bool({name.casefold() for name in one.names} & {name.casefold() for name in other.names})


def same_person(principal: str, other: str) -> bool:
    """Whether a name in allowed_signers is that of a person known by login, name or e-mail address: `ann` is `ann@example.org`."""
    one, two = principal.casefold(), other.casefold()
    return one == two or ("@" not in two and one.partition("@")[0] == two) or ("@" not in one and two.partition("@")[0] == one)


def starters(begun: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The names of who started a run, and when, from its run.json. ValueError where it does not say."""
    names = begun.get("starter") or [begun.get("started_by")]
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) and name for name in names)
        or not files.is_time(begun.get("started_at"))
    ):
        raise ValueError("run.json does not say who started the run and when")
    return tuple(names), begun["started_at"]


def file_name(principal: str, terms: Signed) -> str:
    """The name of the file for a person's approval: APPROVED where one is enough, else one for each person."""
    if terms.approvals == 1:
        return MARKER
    safe = re.sub(r"[^A-Za-z0-9@._-]", "_", principal)[:80]
    unsure = safe != principal or safe.endswith(".sig")
    return f"{MARKER}.{safe}" + (f"-{files.sha256_bytes(principal.encode())[:8]}" if unsure else "")


def case_of(run_dir: Path, phase: str, digest: str, wrong: Sequence[Blocker], terms: Signed) -> Case:
    """What approvals of a phase are held against now. RunError or ValueError where run.json does not say who started the run."""
    started = starters(files.read_json(run_dir / "run.json"))
    return Case(f"{run_dir.name}/{phase}", digest, started, wrong, terms, datetime.now(UTC))
