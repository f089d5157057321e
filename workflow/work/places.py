"""Places: what of the machine a program in a sandbox sees, whichever kind of sandbox it is.

It is a list of what is shown, and everything else is hidden: system folders, the interpreter, the folders on PATH with the
libraries beside them, the program itself, and what it is given to read. In particular the home folder, the working
directory with its runs, Phasegate's own folder, /run with its sockets, and /tmp are not there.
"""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc", "/opt", "/nix", "/gnu", "/snap", "/sys")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")  # variables that name what programs trust
LINKED = ("/etc/resolv.conf", "/etc/localtime", "/etc/ssl/certs", "/etc/hosts")  # they may lead to /run or /var
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108
PEOPLE = ("/home", "/root", "/run", *TEMPORARY)
KEYS = ("shadow", "shadow-", "gshadow", "gshadow-", "sudoers", "sudoers.d", "ssh", "ssl/private")  # of /etc; root could read them
KERNEL = ((), ("dev",), ("proc",))  # each kind of sandbox has its own way with these
LIBRARIES = ("lib", "lib64", "libexec")


@dataclass(frozen=True)
class View:
    """What is shown and what is hidden; of two that contain each other the inner one counts. Both are sorted, outer ones first."""

    shown: tuple[Path, ...]
    hidden: tuple[Path, ...]

    def in_order(self) -> Iterator[tuple[Path, bool]]:
        """Each place that differs from what is around it, and whether it is shown; outer ones first."""
        told: list[tuple[Path, bool]] = []
        both = [(place, True) for place in self.shown] + [(place, False) for place in self.hidden]
        for place, visible in sorted(both):
            around = next((seen for outer, seen in reversed(told) if place.is_relative_to(outer)), False)
            if visible != around:
                told.append((place, visible))
                yield place, visible

    def parts(self) -> list[Path]:
        """The shown places, cut up where something in them is hidden, so that each may be shown as a whole."""
        return [part for place in self.shown for part in _cut(place, [one for one in self.hidden if one.is_relative_to(place)])]


def _cut(place: Path, hidden: list[Path]) -> Iterator[Path]:
    inside = [one for one in hidden if one.is_relative_to(place)]
    if not inside:
        yield place
    elif place not in inside and os.access(place, os.R_OK):
        for child in place.iterdir():
            if not child.is_symlink():
                yield from _cut(child, inside)


def view(command: Sequence[str], reads: Iterable[Path], path: str, workdir: Path) -> View:
    """What `command`, looked for on `path`, sees beside `reads`; `workdir` is hidden."""
    keys = [Path("/etc", name) for name in KEYS]
    hidden = _both([*_homes(), workdir, ROOT, *map(Path, PEOPLE), *(keys if os.getuid() == 0 else [])])
    folders = [Path(part) for part in path.split(os.pathsep) if part and part != "."]
    wanted = [Path(sys.prefix), Path(sys.base_prefix), *reads, *(Path(word) for word in command if os.path.isabs(word))]
    wanted += [Path(os.environ[name]) for name in CERTIFICATES if os.path.isabs(os.environ.get(name, ""))]
    wanted += [place for folder in folders for place in _tools(folder)]
    wanted += _program(shutil.which(command[0], path=path), 3)
    shown = _both([*map(Path, SYSTEM), *wanted]) | {Path(name).resolve() for name in LINKED if _leads_away(name)}
    return View(tuple(sorted(shown - hidden)), tuple(sorted(hidden)))


def _homes() -> list[Path]:
    """The user's home folder, by HOME and by the list of users."""
    try:
        return [Path.home(), Path(pwd.getpwuid(os.getuid()).pw_dir)]
    except KeyError:
        return [Path.home()]


def _both(places: Iterable[Path]) -> set[Path]:
    """The existing ones, as they are named and where they really are."""
    found = {Path(os.path.abspath(place)) for place in places if place.exists()}
    return {place for place in found | {place.resolve() for place in found} if place.parts[1:2] not in KERNEL}


def _leads_away(name: str) -> bool:
    return os.path.exists(name) and not Path(name).resolve().is_relative_to("/etc")


def _tools(folder: Path) -> Iterator[Path]:
    """A folder with programs, and what lies beside it that they need: libraries, a whole environment, node's modules."""
    yield folder
    real = folder.resolve()
    prefix = real.parent
    if real.name == ".bin" and prefix.name == "node_modules":
        yield prefix
    elif real.name in ("bin", "sbin") and prefix != Path("/"):
        whole = (prefix / "pyvenv.cfg").is_file() or (prefix / "conda-meta").is_dir()
        yield from [prefix] if whole else [prefix / name for name in LIBRARIES]


def _program(found: str | None, depth: int) -> list[Path]:
    """A program, the links that lead to it, what lies beside it, and its interpreter where its first line names one."""
    if not found or not depth:
        return []
    path, places = Path(found), [Path(found)]
    while path.is_symlink():
        path = Path(os.path.normpath(path.parent / path.readlink()))
        places.append(path)
    real = path.resolve()
    modules = [parent for parent in real.parents if parent.name == "node_modules"]
    places += [modules[-1]] if modules else _tools(real.parent) if real.parent.name == "bin" else [real]
    return places + _program(_interpreter(real), depth - 1)


def _interpreter(script: Path) -> str | None:
    """The program that the first line of a script names by its path."""
    try:
        with script.open("rb") as file:
            line = file.readline(300).decode("utf-8", "replace")
    except OSError:
        return None
    words = line.removeprefix("#!").split() if line.startswith("#!") else []
    return words[0] if words and os.path.isabs(words[0]) else None
