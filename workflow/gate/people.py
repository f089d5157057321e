"""Who decides: the name that a person gives, or the one that git knows them by."""

from __future__ import annotations

import getpass
import os
import pwd
import subprocess


def name(given: str) -> str:
    """`given`, else `Name <e-mail>` from the person's own git configuration, else the login name."""
    if given.strip():
        return " ".join(given.split())
    found = [_git_config(key) for key in ("user.name", "user.email")]
    if found[0]:
        return f"{found[0]} <{found[1]}>" if found[1] else found[0]
    return getpass.getuser()


def identities() -> list[str]:
    """The names by which the person who types this command is known here: login, and name and address in git's configuration."""
    found = [_login(), getpass.getuser(), _git_config("user.name"), _git_config("user.email")]
    return list(dict.fromkeys(name for name in found if name))


def _login() -> str:
    """The name of this process's user, whatever its environment says; empty where the system knows none."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return ""


def _git_config(key: str) -> str:
    try:
        done = subprocess.run(["git", "config", "--get", key], capture_output=True, text=True, check=False, env=dict(os.environ))
    except OSError:
        return ""
    return " ".join(done.stdout.split())
