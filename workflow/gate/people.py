"""Who decides: the name that a person gives, or the one that git knows them by."""

from __future__ import annotations

import getpass
import os
import subprocess


def name(given: str) -> str:
    """`given`, else `Name <e-mail>` from the person's own git configuration, else the login name."""
    if given.strip():
        return " ".join(given.split())
    found = [_git_config(key) for key in ("user.name", "user.email")]
    if found[0]:
        return f"{found[0]} <{found[1]}>" if found[1] else found[0]
    return getpass.getuser()


def _git_config(key: str) -> str:
    try:
        done = subprocess.run(["git", "config", "--get", key], capture_output=True, text=True, check=False, env=dict(os.environ))
    except OSError:
        return ""
    return " ".join(done.stdout.split())
