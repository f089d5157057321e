"""Policies: what an approval must be so that it opens a gate.

A policy is one of the words `marker` and `digest`, or the terms of signed approvals. It travels to jobs as JSON: the word, or
a mapping with the terms.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MARKER, DIGEST, SIGNED = "marker", "digest", "signed"


@dataclass(frozen=True)
class Signed:
    """The terms of signed approvals.

    `allowed_signers` is the file that says whose keys count (OpenSSH's format), `approvals` how many different people must
    sign, `approvers` who may (anyone in the file where it is empty), `expires_days` how long an approval counts.
    """

    allowed_signers: str
    approvals: int = 1
    approvers: tuple[str, ...] = ()
    expires_days: float | None = None

    @property
    def public(self) -> dict[str, Any]:
        """The terms that others may read: all but the place of the file."""
        return {"approvals": self.approvals, "approvers": list(self.approvers), "expires_days": _as_text(self.expires_days)}


Policy = str | Signed


def word(policy: Policy) -> str:
    """The policy in one word."""
    return SIGNED if isinstance(policy, Signed) else policy


def as_json(policy: Policy) -> str | dict[str, Any]:
    """The policy as a JSON value."""
    return asdict(policy) if isinstance(policy, Signed) else policy


def read(value: str | Mapping[str, Any] | Signed) -> Policy:
    """The policy that `as_json` gave."""
    if isinstance(value, Mapping):
        return Signed(**{**value, "approvers": tuple(value["approvers"])})
    return value


def _as_text(number: float | None) -> str | None:
    """A number for canonical JSON, which holds no fractions."""
    return None if number is None else f"{number:g}"
