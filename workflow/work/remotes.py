"""Remotes: repositories that are not the run's own, how they are addressed, reached and pushed to.

Nothing of a person's git configuration counts here but how a host is reached (`REACHING`). Hooks on this side never
run; a push is never forced.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from workflow.errors import GitError, UsageError
from workflow.work import trees

PROTOCOLS = ("file", "git", "http", "https", "ssh")
REACHING = r"^(credential|http|https|ssh|url)\.|^core\.(sshcommand|gitproxy|askpass)$"
GITHUB = re.compile(r"(?:https?://(?:[^/@]*@)?github\.com/|(?:ssh://)?git@github\.com[:/])([\w.-]+/[\w.-]+?)(?:\.git)?/?")
REASONS = {
    "non-fast-forward": "holds other commits, and a push is never forced; publish under another name, or delete that branch first",
    "fetch first": "holds other commits, and a push is never forced; publish under another name, or delete that branch first",
    "branch is currently checked out": "is checked out there, and git does not change it under its owner; "
    "check out another branch there, or publish under another name",
    "pre-receive hook declined": "is refused by a rule of that repository (pre-receive hook)",
    "failed to update ref": "cannot be made beside the branches that are there; publish under another name",
}


def address(remote: str) -> str:
    """A remote as git is given it: a URL, `host:path`, or an absolute path. UsageError for what is none or must not be used."""
    shown = redacted(remote)
    if remote.startswith("-") or not remote.isprintable() or not remote.strip():
        raise UsageError(f"--config remote={shown!r}: not an address; give a URL or the path of a repository")
    protocol = re.match(r"([A-Za-z0-9+.-]+)(?:://|::)", remote)
    if protocol:
        if "::" in protocol[0] or protocol[1].lower() not in PROTOCOLS:
            raise UsageError(f"--config remote={shown}: `{protocol[1]}` is not allowed; allowed: {', '.join(PROTOCOLS)}, or a path")
        return remote
    if ":" in remote.split("/")[0]:
        return remote
    path = Path(remote).expanduser().resolve()
    if not path.is_dir():
        raise UsageError(f"--config remote={shown}: there is no folder {path}; make the repository there: git init --bare {shown}")
    return str(path)


def redacted(text: str) -> str:
    """`text` without the names and passwords in its URLs; the name that ssh needs stays."""
    return re.sub(r"(?i)\b(?!ssh://[^/@:\s]*@)([a-z][a-z0-9+.-]*://)[^/\s]*@", r"\1...@", text)


def github(remote: str | None) -> str | None:
    """`owner/name` of a repository on GitHub; None for any other."""
    match = GITHUB.fullmatch(remote or "")
    return match[1] if match else None


def require_branch(name: str) -> None:
    """UsageError for what git does not take as the name of a branch."""
    try:
        good = name.isprintable() and not name.startswith("-") and name != "HEAD"
        trees.git("check-ref-format", f"refs/heads/{name if good else '..'}")
    except GitError as error:
        raise UsageError(f"--config branch={name!r}: git does not take this as the name of a branch") from error


def reaching() -> dict[str, str]:
    """The environment in which git reaches a host as the person does: credential helpers, proxies, certificates, rewritten URLs."""
    env = {key: os.environ[key] for key in ("GIT_SSH", "GIT_SSH_COMMAND", "GIT_ASKPASS") if key in os.environ}
    found = [*_configured("--system"), *_configured("--global")]
    env |= {"GIT_ALLOW_PROTOCOL": ":".join(PROTOCOLS), "GIT_CONFIG_COUNT": str(len(found))}
    for number, (key, value) in enumerate(found):
        env |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return env


def _configured(place: str) -> list[tuple[str, str]]:
    """(key, value) of what one of the person's git configurations says about reaching hosts."""
    command = ["git", "config", place, "--includes", "-z", "--get-regexp", REACHING]
    said = subprocess.run(command, capture_output=True, check=False).stdout.decode("utf-8", "surrogateescape")
    pairs = (entry.partition("\n") for entry in said.split("\0") if entry)
    return [(key, value if equals else "true") for key, equals, value in pairs]


def push(repo: Path, commit: str, remote: str, branch: str) -> bool:
    """Let `branch` of the remote name a commit; False where it did already. GitError, one line, for a refusal."""
    words = (
        "push",
        "--porcelain",
        "--no-verify",
        "--no-recurse-submodules",
        "--no-follow-tags",
        "--",
        remote,
        f"{commit}:refs/heads/{branch}",
    )
    try:
        said = trees.git(*words, repo=repo, env=reaching(), ok=(0, 1))
    except GitError as error:
        raise GitError(f"{redacted(remote)} cannot be pushed to: {redacted(str(error))}") from None
    rows = [line.split("\t") for line in said.splitlines() if line.count("\t") == 2]
    flag, _, summary = rows[0] if rows else ("!", "", "git gave no reason")
    if flag in "*= ":
        return flag != "="
    reason = summary.partition("(")[2].rstrip(")") or summary
    raise GitError(f"`{branch}` in {redacted(remote)} {REASONS.get(reason, f'is refused: {reason}')}")
