"""Decisions: what a person approves is written down as what REQUEST.md shows, or refused with the reason.

Under signed approvals the statement is signed, and held against everything that opens the gate, before anything is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from workflow import files
from workflow.errors import UsageError
from workflow.gate import feedback, history, people, quorum, signatures
from workflow.gate.approvals import MARKER, Approval, blockers, how_to_waive, statement
from workflow.gate.quorum import Case, Given
from workflow.gate.requests import KEY
from workflow.gate.signatures import Keys, SignatureError
from workflow.plan.policies import DIGEST, Policy, Signed
from workflow.proof import verification


def approve(
    run_dir: Path,
    phase: str,
    after: list[str],
    by: str,
    note: str,
    waive: str,
    budget_usd: float | None = None,
    policy: Policy = DIGEST,
    key: Path | None = None,
) -> Approval:
    """Write APPROVED for what REQUEST.md shows. UsageError, and no file, where that is not what is there now.

    Everything that blocks the gate must be named in `waive` (`item=reason; item=reason`; a `;` inside is written `\\;`);
    a waiver of something that does not block is refused, too. `budget_usd` is what the phases that follow may cost together.
    Under signed approvals `key` signs it.
    """
    digest = shown_digest(run_dir, phase, after)
    subject = files.read_json(run_dir / phase / "manifest.json")["subject"]
    pending = feedback.pending(run_dir, phase, subject, policy)
    if pending:
        done = pending.startswith((feedback.UNCHANGED, feedback.UNSIGNED))
        way = "delete that file" if done else "run snakemake to have them made, or delete that file"
        raise UsageError(f"{phase}: {pending} ({run_dir / phase / feedback.MARKER}); {way}")
    wrong = blockers(subject)
    waivers = _waivers(waive, {item.id: item.text for item in wrong}, phase)
    approval = Approval(digest, by, files.now(), note, f"{run_dir.name}/{phase}", tuple(waivers), budget_usd)
    if isinstance(policy, Signed):
        return _approve_signed(run_dir, phase, approval, policy, key)
    if key is not None:
        raise UsageError(f"key={key}: the policy of {phase} is `{policy}`, which reads no signature; leave key out, or set `signed`")
    files.write_bytes(run_dir / phase / MARKER, statement(run_dir.name, phase, approval))
    return approval


def shown_digest(run_dir: Path, phase: str, after: list[str]) -> str:
    """The digest that REQUEST.md shows. UsageError where it is not what is there now."""
    digest, problems = verification.verify_phase(run_dir, phase, after)
    shown = history.read(run_dir, phase)["shown"]
    if problems or digest is None:
        wrong = "; ".join(problems)
        raise UsageError(f"{phase} is not what REQUEST.md shows: {wrong}; run snakemake again, then read and approve the new request")
    if not shown or shown[-1]["digest"] != digest:
        raise UsageError(f"{phase}: this content has not been shown yet; run snakemake again")
    return digest


def _approve_signed(run_dir: Path, phase: str, approval: Approval, terms: Signed, key: Path | None) -> Approval:
    """Sign an approval, and write it where it counts. The signature is there before what it signs."""
    key, keys = require_key(phase, terms, key), keys_of(terms, run_dir)
    names, at = quorum.starters(files.read_json(run_dir / "run.json"))
    made = replace(approval, by=signer_name(approval.by, key, keys), started_by=names, started_at=at, terms=terms.public)
    content = statement(run_dir.name, phase, made)
    signature = signatures.sign(content, key, signatures.APPROVAL)
    case = quorum.case_of(run_dir, phase, made.digest, (), terms)
    try:
        given = Given(MARKER, made, signatures.verify(content, signature, made.by, keys, signatures.APPROVAL))
    except SignatureError as error:
        raise UsageError(
            f"your approval of {phase} {error}; sign with a key that stands in {terms.allowed_signers} as {made.by}"
        ) from error
    _refuse(phase, given, case)
    path = run_dir / phase / quorum.file_name(made.by, terms)
    files.write_bytes(path.with_name(f"{path.name}.sig"), signature)
    files.write_bytes(path, content)
    return made


def _refuse(phase: str, given: Given, case: Case) -> None:
    for check in quorum.CHECKS:
        why = check(given, case)
        if why:
            raise UsageError(f"your approval of {phase} would not count: it {why}")


def require_key(phase: str, terms: Signed, key: Path | None) -> Path:
    """The key that was named. UsageError where there is none."""
    if key is None:
        raise UsageError(f"{phase} wants signatures of those in {terms.allowed_signers}: add key=PATH, such as {KEY}")
    return key.expanduser()


def keys_of(terms: Signed, run_dir: Path) -> Keys:
    """The keys that count. UsageError where the file cannot be used."""
    try:
        return signatures.read_keys(Path(terms.allowed_signers), run_dir)
    except SignatureError as error:
        raise UsageError(f"{error}; mend it, then sign again") from error


def signer_name(by: str, key: Path, keys: Keys) -> str:
    """The name under which a key signs: the one that was given, else the only one under which it is listed."""
    if by:
        return by
    names = list(signatures.names_of_key(key, keys))
    if len(names) != 1:
        why = f"the key stands for {', '.join(names)}" if names else f"{key}.pub is not there, or not in allowed_signers"
        raise UsageError(f"say by=NAME, as allowed_signers has it ({why})")
    return names[0]


def request_changes(
    run_dir: Path, phase: str, note: str, agents: list[str], by: str, policy: Policy = DIGEST, key: Path | None = None
) -> Path:
    """Write CHANGES_REQUESTED, signed under signed approvals. UsageError, and no file, where nobody would act on it."""
    if not isinstance(policy, Signed):
        if key is not None:
            raise UsageError(f"key={key}: the policy of {phase} is `{policy}`, which reads no signature; leave key out, or set `signed`")
        return feedback.write(run_dir, phase, note, agents, people.name(by))
    mine, keys = require_key(phase, policy, key), keys_of(policy, run_dir)
    name = signer_name(by, mine, keys)
    if policy.approvers and name not in policy.approvers:
        raise UsageError(f"{name} may not decide about {phase}; may: {', '.join(policy.approvers)}")

    def sign(content: bytes) -> bytes:
        signature = signatures.sign(content, mine, signatures.FEEDBACK)
        try:
            signatures.verify(content, signature, name, keys, signatures.FEEDBACK)
        except SignatureError as error:
            raise UsageError(f"your request {error}; sign with a key that stands in {policy.allowed_signers} as {name}") from error
        return signature

    return feedback.write(run_dir, phase, note, agents, name, sign)


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
