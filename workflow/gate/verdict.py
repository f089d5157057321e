"""The verdict of a gate, judged live from the files each time it is asked for; never kept.

States: open; waiting (nobody has approved); stale (the approval is for other content); changes_requested (a person
asked for changes that no request has answered); blocked (something that was shown is wrong and not waived). Whatever
goes wrong while judging is a reason to stay closed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import approvals, feedback, history, quorum, signatures
from workflow.gate.approvals import Blocker
from workflow.gate.signatures import SignatureError
from workflow.plan.policies import DIGEST, Policy, Signed, read
from workflow.proof import verification

OPEN, WAITING, STALE, CHANGES, BLOCKED = "open", "waiting", "stale", "changes_requested", "blocked"
HOLDING = (WAITING, STALE, BLOCKED, CHANGES)  # what a person has to do something about


@dataclass(frozen=True)
class Verdict:
    """What a gate says. `trust` is how far the approval can be believed: none, unsigned, recorded, signed.

    `signers` are those whose signatures count: by, key, at, file.
    """

    phase: str
    state: str
    reasons: tuple[str, ...] = ()
    digest: str | None = None
    trust: str = "none"
    by: str = ""
    since: str = ""
    waived: tuple[tuple[str, str], ...] = ()
    by_bare_marker: bool = False
    budget_usd: float | None = None
    signers: tuple[Mapping[str, str], ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether what comes after the gate may run."""
        return self.state == OPEN


def outdated(run_dir: Path, subject: dict[str, Any]) -> str:
    """What a phase builds on that is no longer what its upstream phases show; empty where the chain holds."""
    for name, built_on in subject["upstream"].items():
        path = run_dir / name / "digest"
        now = path.read_text(encoding="ascii").strip() if path.is_file() else "nothing"
        if now != built_on:
            return f"builds on {name} {built_on[:12]}, which is {now[:12]} now"
    return ""


def judge(run_dir: Path, phase: str, gate: str, policy: Policy) -> Verdict:
    """The verdict of one phase's gate. Never raises: an unreadable file keeps the gate closed."""
    try:
        return _judge(run_dir, phase, gate, policy)
    except Exception as error:  # noqa: BLE001 - every error is a reason to stay closed
        return Verdict(phase, BLOCKED, (f"cannot be judged: {type(error).__name__}: {error}",))


def fingerprint(run_dir: Path, phase: str, after: tuple[str, ...], policy: Policy = DIGEST) -> tuple[object, ...]:
    """What tells the files that a verdict depends on from any other state of them: time, size and inode of each.

    Under signed approvals it is their hashes, and the minute, since approvals and keys expire.
    """
    folder = run_dir / phase
    names = [folder / name for name in ("manifest.json", "digest", approvals.MARKER, feedback.MARKER)]
    paths = [*names, *(run_dir / name / "digest" for name in after), history.path(run_dir, phase)]
    if not isinstance(policy, Signed):
        return tuple(files.moment(path) for path in paths)
    signed = [path.with_name(f"{path.name}{end}") for path in quorum.markers(folder) for end in ("", ".sig")]
    paths += [*signed, folder / f"{feedback.MARKER}.sig", run_dir / "run.json", run_dir / "bundles" / f"{phase}.zip"]
    paths.append(Path(policy.allowed_signers))
    return (int(time.time() // 60), *((path.name, files.moment(path), _hash(path)) for path in paths))


def _hash(path: Path) -> str | None:
    try:
        return files.sha256_file(path) if path.is_file() and not path.is_symlink() else None
    except OSError:
        return None


def _judge(run_dir: Path, phase: str, gate: str, policy: Policy) -> Verdict:
    folder = run_dir / phase
    manifest = files.read_json(folder / "manifest.json")
    digest = (folder / "digest").read_text(encoding="ascii").strip()
    subject = manifest["subject"]
    if not is_named(subject, digest) or (subject["run"], subject["phase"]) != (run_dir.name, phase):
        return Verdict(phase, BLOCKED, (f"{folder}/manifest.json is not what {folder}/digest names",), digest)
    old = outdated(run_dir, subject)
    if old:
        return Verdict(phase, STALE, (old,), digest, since=_shown_since(run_dir, phase))
    pending = feedback.pending(run_dir, phase, subject, policy)
    if pending:
        since = _time_of(folder / feedback.MARKER)
        return Verdict(phase, CHANGES, (f"{pending} ({folder / feedback.MARKER})",), digest, since=since)
    wrong = approvals.blockers(subject)
    if isinstance(policy, Signed):
        return _judge_signed(run_dir, phase, gate, policy, digest, wrong)
    marker = _read_if_there(folder / approvals.MARKER)
    if wrong and not _waives(marker, wrong, digest, policy):
        return Verdict(phase, BLOCKED, tuple(item.text for item in wrong), digest, since=_shown_since(run_dir, phase))
    if gate == "none" and not wrong:
        return Verdict(phase, OPEN, ("this phase has no gate, and nothing is wrong",), digest, since=_shown_since(run_dir, phase))
    return _judge_marker(run_dir, marker, phase, policy, digest)


def is_named(subject: Mapping[str, Any], digest: str) -> bool:
    """Whether a digest is that of what was shown."""
    return files.sha256_json(subject) == digest


def _waives(marker: tuple[bytes, int] | str | None, wrong: list[Blocker], digest: str, policy: str) -> bool:
    """Whether a recorded approval of this digest gives a reason for everything that is wrong."""
    approval = approvals.parse(marker[0]) if isinstance(marker, tuple) and policy != "marker" else None
    return approval is not None and approval.digest == digest and {item.id for item in wrong} <= {item for item, _ in approval.waivers}


def _judge_marker(run_dir: Path, marker: tuple[bytes, int] | str | None, phase: str, policy: str, digest: str) -> Verdict:
    since, path = _shown_since(run_dir, phase), run_dir / phase / approvals.MARKER
    if not isinstance(marker, tuple):
        why = f"{marker} ({path})" if marker else f"nobody has approved it: there is no {path}"
        return Verdict(phase, WAITING, (why,), digest, since=since)
    content, mtime_ns = marker
    touched = files.timestamp(datetime.fromtimestamp(mtime_ns / 1e9, UTC))
    if policy == "marker" or not content.strip():
        counts, why = history.bare_marker_counts(history.read(run_dir, phase), digest, mtime_ns, history.place(run_dir))
        if counts:
            return Verdict(phase, OPEN, (f"{path} was touched",), digest, "unsigned", since=touched, by_bare_marker=True)
        return Verdict(phase, STALE, (f"{why} ({path})",), digest, since=since)
    approval = approvals.parse(content)
    if approval is None:
        return Verdict(phase, STALE, (f"APPROVED is neither empty nor names a digest ({path})",), digest, since=since)
    if approval.place not in ("", f"{run_dir.name}/{phase}"):
        return Verdict(phase, STALE, (f"APPROVED was given for {approval.place} ({path})",), digest, by=approval.by, since=since)
    if approval.digest != digest:
        why = f"APPROVED names {approval.digest[:12]}, shown is {digest[:12]} ({path})"
        return Verdict(phase, STALE, (why,), digest, by=approval.by, since=since)
    reasons = [f"approved by {approval.by} ({path})" if approval.by else f"APPROVED names the digest ({path})"]
    reasons += waived_reasons(approval.waivers)
    if approval.budget_usd is not None:
        reasons.append(f"what follows may cost {approval.budget_usd:g} USD")
    facts = (approval.by, approval.at if files.is_time(approval.at) else touched, approval.waivers)
    return Verdict(phase, OPEN, tuple(reasons), digest, "recorded", *facts, budget_usd=approval.budget_usd)


def _judge_signed(run_dir: Path, phase: str, gate: str, terms: Signed, digest: str, wrong: list[Blocker]) -> Verdict:
    """The verdict under signed approvals: the bundle is what the digest names, and enough people have signed that."""
    since = _shown_since(run_dir, phase)
    problems = verification.packed_problems(run_dir, phase, digest)
    if problems:
        return Verdict(phase, BLOCKED, tuple(problems), digest, since=since)
    if gate == "none" and not wrong:
        return Verdict(phase, OPEN, ("this phase has no gate, and nothing is wrong",), digest, since=since)
    try:
        keys = signatures.read_keys(Path(terms.allowed_signers), run_dir)
    except SignatureError as error:
        return Verdict(phase, BLOCKED if wrong else WAITING, (*(item.text for item in wrong), str(error)), digest, since=since)
    found = quorum.count(run_dir / phase, quorum.case_of(run_dir, phase, digest, wrong, terms), keys)
    if len(found.counted) >= terms.approvals:
        return _signed(phase, digest, found)
    missing = f"{len(found.counted)} of {terms.approvals} signed approvals" + (f" (by {', '.join(found.people)})" if found.people else "")
    state = BLOCKED if wrong else STALE if found.refused else WAITING
    return Verdict(phase, state, (*(item.text for item in wrong), missing, *found.refused), digest, since=since)


def _signed(phase: str, digest: str, found: quorum.Quorum) -> Verdict:
    """An open gate, with who signed. What is waived is all that they waived, and the least budget counts."""
    given = [item.approval for item in found.counted]
    waived = tuple(dict.fromkeys(pair for approval in given for pair in approval.waivers))
    reasons = [f"signed by {item.signer.principal} with {item.signer.key} ({item.name})" for item in found.counted]
    budget = min((approval.budget_usd for approval in given if approval.budget_usd is not None), default=None)
    reasons += [*waived_reasons(waived), *([] if budget is None else [f"what follows may cost {budget:g} USD"])]
    facts = (", ".join(found.people), max(approval.at for approval in given), waived)
    return Verdict(phase, OPEN, tuple(reasons), digest, "signed", *facts, budget_usd=budget, signers=tuple(found.signers))


def waived_reasons(waivers: tuple[tuple[str, str], ...]) -> list[str]:
    """Waivers as sentences."""
    return [f"waived {item}: {reason}" for item, reason in waivers]


def _shown_since(run_dir: Path, phase: str) -> str:
    shown = history.read(run_dir, phase)["shown"]
    return str(shown[-1]["at"]) if shown else ""


def _time_of(path: Path) -> str:
    return files.timestamp(datetime.fromtimestamp(path.lstat().st_mtime, UTC))


def _read_if_there(marker: Path) -> tuple[bytes, int] | str | None:
    """Content and time of a marker; None where there is none; why it does not count where it is no plain file."""
    try:
        return approvals.read_marker(marker)
    except FileNotFoundError:
        return None
    except ValueError as error:
        return str(error)


def approvals_of(
    run_dir: Path, gates: Mapping[str, str], policy: Policy, own: Mapping[str, Any] | None = None
) -> dict[str, dict[str, Any]]:
    """How the gates of some phases stand, for manifests and pages: digest, state, kind of gate, trust, by, at, waivers, signers.

    `own` are the policies of phases that have one of their own.
    """
    found: dict[str, dict[str, Any]] = {}
    for phase, kind in gates.items():
        seen = judge(run_dir, phase, kind, read((own or {}).get(phase, policy)))
        waivers = [{"item": item, "reason": reason} for item, reason in seen.waived]
        at = seen.since if seen.trust != "none" else ""
        found[phase] = {
            "digest": seen.digest,
            "state": seen.state,
            "gate": kind,
            "trust": seen.trust,
            "by": seen.by,
            "at": at,
            "waivers": waivers,
        }
        if seen.signers:
            found[phase]["signers"] = [dict(signer) for signer in seen.signers]
    return found
