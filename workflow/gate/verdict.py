"""The verdict of a gate, judged live from the files each time it is asked for; never kept.

States: open; waiting (nobody has approved); stale (the approval is for other content); blocked (something that was
shown is wrong). Whatever goes wrong while judging is a reason to stay closed.
"""

from __future__ import annotations

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import history

OPEN, WAITING, STALE, BLOCKED = "open", "waiting", "stale", "blocked"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
MARKER_LIMIT = 65_536


@dataclass(frozen=True)
class Verdict:
    """What a gate says. `trust` is how far the approval can be believed: none, unsigned, recorded."""

    phase: str
    state: str
    reasons: tuple[str, ...] = ()
    digest: str | None = None
    trust: str = "none"
    by_bare_marker: bool = False

    @property
    def is_open(self) -> bool:
        """Whether what comes after the gate may run."""
        return self.state == OPEN


def judge(run_dir: Path, phase: str, gate: str, policy: str) -> Verdict:
    """The verdict of one phase's gate. Never raises: an unreadable file keeps the gate closed."""
    try:
        return _judge(run_dir, phase, gate, policy)
    except Exception as error:  # noqa: BLE001 - every error is a reason to stay closed
        return Verdict(phase, BLOCKED, (f"cannot be judged: {type(error).__name__}: {error}",))


def _judge(run_dir: Path, phase: str, gate: str, policy: str) -> Verdict:
    folder = run_dir / phase
    manifest = files.read_json(folder / "manifest.json")
    digest = (folder / "digest").read_text(encoding="ascii").strip()
    subject = manifest["subject"]
    if files.sha256_json(subject) != digest or (subject["run"], subject["phase"]) != (run_dir.name, phase):
        return Verdict(phase, BLOCKED, (f"{folder}/manifest.json is not what {folder}/digest names",), digest)
    wrong = blockers(subject)
    if wrong:
        return Verdict(phase, BLOCKED, tuple(wrong), digest)
    if gate == "none":
        return Verdict(phase, OPEN, ("this phase has no gate, and nothing is wrong",), digest)
    return _judge_marker(run_dir, folder / "APPROVED", phase, policy, digest)


def blockers(subject: dict[str, Any]) -> list[str]:
    """What is wrong with what was shown, one sentence each."""
    found = [f"agent {agent['name']}: {agent['status'].replace('_', ' ')}" for agent in subject["agents"] if agent["status"] != "succeeded"]
    for clash in subject["conflicts"]:
        found.append(f"merge conflict between {' and '.join(clash['between'])} in {', '.join(clash['files'])}")
    validation = subject["validation"]
    for row in validation["artifacts"]:
        if row["required"] and not row["found"]:
            found.append(f"required artifact is missing: {row['pattern']}")
    words = {"fail": "failed", "unknown": "could not run (unknown is not a pass)"}
    for check in validation["checks"]:
        if check["status"] != "pass":
            found.append(f"check {check['name']} {words.get(check['status'], check['status'])}")
    return found


def _judge_marker(run_dir: Path, marker: Path, phase: str, policy: str, digest: str) -> Verdict:
    try:
        content, mtime_ns = read_marker(marker)
    except FileNotFoundError:
        return Verdict(phase, WAITING, ("nobody has approved it",), digest)
    except ValueError as error:
        return Verdict(phase, WAITING, (str(error),), digest)
    if policy == "marker" or not content.strip():
        counts, why = history.bare_marker_counts(history.read(run_dir, phase), digest, mtime_ns, history.place(run_dir))
        if counts:
            return Verdict(phase, OPEN, ("APPROVED was touched",), digest, "unsigned", by_bare_marker=True)
        return Verdict(phase, STALE, (why,), digest)
    named, who = read_statement(content)
    if named == digest:
        return Verdict(phase, OPEN, (f"approved by {who}" if who else "APPROVED names the digest",), digest, "recorded")
    if named is None:
        return Verdict(phase, STALE, ("APPROVED is neither empty nor names a digest",), digest)
    return Verdict(phase, STALE, (f"APPROVED names {named[:12]}, shown is {digest[:12]}",), digest)


def read_marker(marker: Path) -> tuple[bytes, int]:
    """Content and modification time of a marker. ValueError for anything but a plain small file; links are not followed."""
    handle = os.open(marker, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) if not marker.is_symlink() else None
    if handle is None:
        raise ValueError("APPROVED is a link, which does not count; make it a plain file")
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("APPROVED is not a plain file")
        if found.st_size > MARKER_LIMIT:
            raise ValueError(f"APPROVED is larger than {MARKER_LIMIT} bytes")
        return file.read(), found.st_mtime_ns


def read_statement(content: bytes) -> tuple[str | None, str]:
    """The digest that an approval names, and who gave it; (None, "") where it names none."""
    text = content.decode("utf-8", "replace").strip()
    if len(text) == 64 and all(char in "0123456789abcdef" for char in text):
        return text, ""
    try:
        statement = json.loads(text)
        predicate, subjects = statement["predicate"], statement["subject"]
        if statement["_type"] != STATEMENT_TYPE or len(subjects) != 1 or predicate["decision"] != "approved":
            return None, ""
        return str(subjects[0]["digest"]["sha256"]), str(predicate.get("by", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None, ""
