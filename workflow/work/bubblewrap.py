"""Bubblewrap: a program sees a file system of its own, made of the places that it may see, and no process but its own.

Capabilities are dropped: root would otherwise mount the machine writable again. Where root may make a user namespace, the
program is `nobody` in it, which the sandboxes of command-line agents need in order to work inside this one, and some of
these agents too (they refuse to work as root).
"""

from __future__ import annotations

import functools
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from workflow.work.places import TEMPORARY, View

APART = ("--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try")
BASE = (*APART, "--die-with-parent", "--new-session", "--cap-drop", "ALL")
KERNEL = ("sys", "sysrq-trigger", "irq", "bus", "fs")  # of /proc: root may write there without any capability
NO_NETWORK = "--unshare-net"


def manner() -> tuple[str, ...] | None:
    """The options with which bubblewrap works here (it is tried, not assumed); None where it does not work."""
    program = shutil.which("bwrap")
    return next((words for words in _manners() if _works(program, words)), None) if program else None


def closes_network() -> bool:
    """Whether it can take the network away."""
    program, words = shutil.which("bwrap"), manner()
    return program is not None and words is not None and _works(program, (*words, NO_NETWORK))


def _manners() -> list[tuple[str, ...]]:
    if os.getuid():
        return [()]
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return [()]
    return [("--unshare-user", "--uid", str(nobody.pw_uid), "--gid", str(nobody.pw_gid)), ()]


@functools.cache
def _works(program: str, words: tuple[str, ...]) -> bool:
    command = [program, *BASE, *words, "--ro-bind", "/", "/", *_devices(), "true"]
    try:
        return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def forget() -> None:
    """Try anew the next time."""
    _works.cache_clear()


def _devices() -> list[str]:
    """Devices and processes of its own; what of /proc belongs to the whole machine cannot be written."""
    covers = [f"/proc/{name}" for name in KERNEL if os.path.exists(f"/proc/{name}")] if os.getuid() == 0 else []
    return ["--dev", "/dev", "--proc", "/proc", *(word for cover in covers for word in ("--ro-bind", cover, cover))]


def around(command: Sequence[str], seen: View, writable: Iterable[Path], workdir: Path, network: bool) -> list[str]:
    """`command` as it must be started to see only `seen`, write only in `writable`, and begin in `workdir`."""
    words = ["bwrap", *BASE, *(manner() or ()), *(() if network else (NO_NETWORK,))]
    words += [word for name in TEMPORARY for word in ("--tmpfs", name)]
    covered = [Path("/")]
    for place, visible in seen.in_order():
        words += _bound(place) if visible else _covered(place)
        covered += [place] if not visible and place.is_dir() else []
    words += _devices()
    for place in writable:
        words += ["--bind", str(place), str(place)]
    for cover in covered:
        words += ["--remount-ro", str(cover)]  # last, since what is bound inside needs a place first
    return [*words, "--chdir", str(workdir), "--", *command]


def _bound(place: Path) -> list[str]:
    if place.is_symlink() and place.parent == Path("/"):  # /bin is usr/bin
        return ["--symlink", os.readlink(place), str(place)]
    return ["--ro-bind", str(place), str(place)]


def _covered(place: Path) -> list[str]:
    return ["--tmpfs", str(place)] if place.is_dir() else ["--ro-bind", os.devnull, str(place)]
