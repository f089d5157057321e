"""The run that is attacked, held by its gates, and approvals that are made by hand, since `approve` would refuse them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from runs import Run
from signers import SignedRun, sign

from workflow import files
from workflow.gate import approvals, quorum
from workflow.gate.approvals import Approval
from workflow.plan.policies import Signed


def reopened() -> SignedRun:
    """The run in the current folder."""
    return SignedRun(Run(), Path("keys"), Signed("keys/allowed_signers"))


def by_hand(
    held: SignedRun, name: str, key: str = "", namespace: str = "phasegate-approval", file: str = "APPROVED", **changes: object
) -> Path:
    """Write an approval that says it is by `name`, signed with the key of `key`, without asking `approve`.

    `changes` are laid over what the approval says; a `place` of another run or phase goes into the statement.
    """
    begun = held.run.folder / "run.json"
    names, at = quorum.starters(files.read_json(begun))
    digest = (held.folder / "digest").read_text().strip()
    given = Approval(digest, name, files.now(), place="demo/plan", started_by=names, started_at=at, terms=held.terms.public)
    given = replace(given, **changes)  # type: ignore[arg-type]
    path = held.folder / file
    path.write_bytes(approvals.statement(*given.place.split("/"), given))
    sign(path, held.key(key or name), namespace)
    return path
