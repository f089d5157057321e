"""What a program can see and change while it runs: bubblewrap where it works, else Landlock, else nothing, and it is said which.

Inside, only the program's own tree, home and temporary folder can be written, and of the machine it sees what `places.py`
lists. Bubblewrap gives it process ids, /tmp and shared memory of its own, too; what Landlock leaves open is told in
config/README.md.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workflow.errors import RunError
from workflow.work import bubblewrap, places

KEPT_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TERM", "SSL_CERT_FILE", "SSL_CERT_DIR")
KINDS = ("bubblewrap", "landlock")  # the best one first
TRIED = "PHASEGATE_SANDBOXES"  # names the kinds that are tried, separated by commas; for tests and for comparing them
LANDLOCK = Path(__file__).with_name("landlock.py")
UNNESTED = {'sandbox_mode="workspace-write"': 'sandbox_mode="danger-full-access"'}  # codex' own sandbox mounts, Landlock forbids that
REFUSED = (
    "sandbox: require, but neither bubblewrap nor Landlock works here; "
    "install bubblewrap and allow user namespaces, or use Linux 6.2 or newer"
)


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


def works(kind: str = "bubblewrap") -> bool:
    """Whether a kind of sandbox can be used here (it is tried, not assumed)."""
    return bubblewrap.manner() is not None if kind == "bubblewrap" else _landlock_works()


@functools.cache
def _landlock_works() -> bool:
    """Whether a program under Landlock starts, and cannot read a file that is not shown to it."""
    with tempfile.NamedTemporaryFile() as unseen:
        unseen.write(b"unseen")
        unseen.flush()
        seen = [Path(name) for name in places.SYSTEM]
        command = _restricted(["/bin/sh", "-c", f"! cat {unseen.name} 2>/dev/null"], seen, [], False)
        try:
            return subprocess.run(command, capture_output=True, timeout=20, check=False).returncode == 0
        except (OSError, subprocess.TimeoutExpired):
            return False


def choose(mode: str) -> str:
    """The protection that `sandbox: auto | require | off` gives here: a kind, or none. RunError for a broken require."""
    if mode == "off":
        return "none"
    tried = os.environ.get(TRIED, ",".join(KINDS)).split(",")
    found = next((kind for kind in KINDS if kind in tried and works(kind)), "none")
    if found == "none" and mode == "require":
        raise RunError(REFUSED)
    return found


def forget() -> None:
    """Try anew what works, the next time that it matters."""
    _landlock_works.cache_clear()
    bubblewrap.forget()


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
    return protection == "landlock" or (protection == "bubblewrap" and bubblewrap.closes_network())


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
    """`command` as it must be started, in the room's tree, to run inside `room` under the chosen protection.

    `workdir` is hidden; `reads` and what the program needs to run (places.py) can be read also where they lie in a hidden
    place, and `shared` can be written. Without `network` there is nothing but, with bubblewrap, a loopback of its own.
    """
    if protection == "none":
        return list(command)
    seen = places.view(command, reads, path, workdir)
    writable = [room.tree, room.home, room.tmp, *shared]
    if protection == "bubblewrap":
        return bubblewrap.around(command, seen, writable, room.tree, network)
    return _restricted([UNNESTED.get(word, word) for word in command], seen.parts(), writable, network)


def _restricted(command: Sequence[str], read: Iterable[Path], write: Iterable[Path], network: bool) -> list[str]:
    """`command` behind the program that puts it under Landlock and then becomes it."""
    spec = {"read": [str(path) for path in read], "write": [str(path) for path in write], "network": network}
    return [sys.executable, "-I", "-S", str(LANDLOCK), json.dumps(spec), "--", *command]
