"""What a program can see and change while it runs: bubblewrap where it works, nothing elsewhere, and it is said which.

Inside, the machine is read-only; the home folder, /tmp and the run's working directory are empty but for the
program's own tree, home and temporary folder and for what it needs to run. Process ids are its own, so nothing of
it outlives it. The network stays.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow.errors import RunError

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR")
BASE = ("--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "--unshare-ipc", "--die-with-parent", "--new-session")


@dataclass(frozen=True)
class Room:
    """The only places that a program may write: its tree, a private home, private temporary files."""

    tree: Path
    home: Path
    tmp: Path

    @classmethod
    def inside(cls, folder: Path) -> Room:
        """The three folders below `folder`; home and tmp are made."""
        room = cls(folder.absolute() / "tree", folder.absolute() / "home", folder.absolute() / "tmp")
        for path in (room.home, room.tmp):
            path.mkdir(parents=True, exist_ok=True)
        return room


@functools.cache
def works() -> bool:
    """Whether bubblewrap can be used here (it is tried, not assumed)."""
    program = shutil.which("bwrap")
    if not program:
        return False
    try:
        return subprocess.run([program, *BASE, "true"], capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def choose(mode: str) -> str:
    """The protection that `sandbox: auto | require | off` gives here: bubblewrap or none. RunError for a broken require."""
    if mode == "off":
        return "none"
    if works():
        return "bubblewrap"
    if mode == "require":
        raise RunError("sandbox: require, but bubblewrap does not work here; install bubblewrap, or allow user namespaces")
    return "none"


def environment(room: Room, allowed: Iterable[str], more: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program: a few harmless ones, those allowed by name, its own home and temporary folder."""
    kept = {name: os.environ[name] for name in (*KEPT_VARIABLES, *allowed) if name in os.environ}
    kept.setdefault("PATH", os.defpath)
    return kept | {"HOME": str(room.home), "TMPDIR": str(room.tmp), "GIT_CONFIG_NOSYSTEM": "1"} | dict(more)


@dataclass(frozen=True)
class Walls:
    """What stands around a program: the protection, its room, what it may read and share, whether it reaches a network."""

    protection: str
    room: Room
    reads: tuple[Path, ...] = ()
    shared: tuple[Path, ...] = ()
    network: bool = True

    def around(self, command: Sequence[str], workdir: Path, path: str) -> list[str]:
        """`command` as it must be started to run inside; see `wrap`."""
        return wrap(self.protection, command, self.room, workdir, self.reads, path, self.shared, self.network)


def closes_network(protection: str) -> bool:
    """Whether `network: off` can be kept under this protection."""
    return protection == "bubblewrap"


def wrap(
    protection: str,
    command: Sequence[str],
    room: Room,
    workdir: Path,
    reads: Iterable[Path],
    path: str,
    shared: Iterable[Path] = (),
    network: bool = True,
) -> list[str]:
    """`command` as it must be started to run inside `room` under the chosen protection.

    `workdir` is hidden; `reads` and the folders on `path` stay readable also where they lie in a hidden place, and
    `shared` writable. Without `network` there is nothing but a loopback of its own.
    """
    if protection != "bubblewrap":
        return list(command)
    hidden = [place for place in (Path.home(), Path("/tmp"), Path("/var/tmp"), workdir.absolute()) if place != Path("/")]  # noqa: S108
    words = ["bwrap", *BASE, *(() if network else ("--unshare-net",))]
    for place in sorted({place.resolve() for place in hidden if place.is_dir()}):
        words += ["--tmpfs", str(place)]
    bound: list[Path] = []
    for place in _readable(command, reads, path):
        inside = any(place.is_relative_to(outer) for outer in bound)  # bwrap cannot bind over a link, such as .venv/bin/python
        if not inside and any(place.is_relative_to(cover.resolve()) for cover in hidden):
            words += ["--ro-bind", str(place), str(place)]
            bound.append(place)
    for place in (room.tree, room.home, room.tmp, *shared):
        words += ["--bind", str(place), str(place)]
    return [*words, "--chdir", str(room.tree), "--", *command]


def _readable(command: Sequence[str], reads: Iterable[Path], path: str) -> list[Path]:
    """Existing places that the program needs: interpreters, PATH, files that the command names. Outer ones first."""
    places = [Path(sys.prefix), Path(sys.base_prefix), *reads]
    places += [Path(part) for part in path.split(os.pathsep) if part and part != "."]
    places += [Path(word) for word in command if os.path.isabs(word)]
    found = {place.absolute() for place in places if place.exists() and place != Path("/")}
    return sorted(found | {place.resolve() for place in found})
