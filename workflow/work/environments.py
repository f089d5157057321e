"""Python environments made from a project's own dependencies, kept by the hash of what they were made from.

What counts: `dependencies`, the extras test, tests and dev and the dependency groups test and dev of
pyproject.toml, and requirements.txt, requirements-dev.txt, requirements-test.txt. uv makes them (a tenth of pip's
time); since installing may run a package's build script, it works inside the sandbox.
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import files
from workflow.work import processes, sandbox, scratch, trees

EXTRAS = ("test", "tests", "dev")
REQUIREMENT_FILES = ("requirements.txt", "requirements-dev.txt", "requirements-test.txt")
PASSED = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "ALL_PROXY",
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
)
SETUP_TIMEOUT_S = 1200


@dataclass(frozen=True)
class Environment:
    """A Python environment. `error` says why there is none; `setup_s` is 0.0 where it was there already."""

    folder: Path
    setup_s: float
    error: str = ""

    def variables(self, env: Mapping[str, str]) -> dict[str, str]:
        """The variables that put it first on the PATH of `env`."""
        return {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{env['PATH']}",
            "VIRTUAL_ENV": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONNOUSERSITE": "1",
        }


def store(configured: str | None) -> Path:
    """The folder in which environments are kept."""
    if configured:
        return Path(configured).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "phasegate" / "environments"


def requirements(tree: Path) -> list[str]:
    """The requirement lines of a project: those of pyproject.toml sorted, then those of its requirements files in order.

    Files that a line includes (`-r`) are read where they lie inside the tree; the project itself (`.`, `-e .`) is left
    out, because checks find it on PYTHONPATH. ValueError for files that cannot be read.
    """
    found: list[str] = []
    project = tree / "pyproject.toml"
    if project.is_file() and not project.is_symlink():
        found += sorted(set(_declared(tomllib.loads(project.read_text(encoding="utf-8")))))
    for name in REQUIREMENT_FILES:
        found += _lines_of(tree / name, tree, ())
    return list(dict.fromkeys(found))


def _lines_of(path: Path, tree: Path, seen: tuple[Path, ...]) -> Iterator[str]:
    """The requirement lines of one file, continued lines joined, included files in place."""
    if path in seen or path.is_symlink() or not path.is_file() or not path.resolve().is_relative_to(tree.resolve()):
        return
    for raw in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        line = re.split(r"(?:^|\s)#", raw, maxsplit=1)[0].strip()
        word, _, rest = line.replace("=", " ", 1).partition(" ") if line.startswith("--requirement") else line.partition(" ")
        if word in ("-r", "--requirement"):
            yield from _lines_of(path.parent / rest.strip(), tree, (*seen, path))
        elif line and word not in ("-e", "--editable", ".", "-c", "--constraint"):
            yield line


def _declared(data: dict[str, Any]) -> Iterator[str]:
    project = data.get("project", {})
    yield from project.get("dependencies", [])
    for extra in EXTRAS:
        yield from project.get("optional-dependencies", {}).get(extra, [])
        yield from (line for line in data.get("dependency-groups", {}).get(extra, []) if isinstance(line, str))


def prepare(tree: Path, configured: str | None, log: Path) -> Environment:
    """The environment for the project in `tree`, made now where it is not there; uv's words go to `log`."""
    begin = time.monotonic()
    folder = store(configured)
    try:
        wanted = requirements(tree)
    except (ValueError, OSError, AttributeError, TypeError) as unreadable:
        return Environment(folder, 0.0, f"the project's dependencies cannot be read: {unreadable}")
    made_from = [platform.python_version(), platform.machine(), sys.platform, sys.base_prefix, *wanted]
    name = files.sha256_json(made_from)[:24]
    goal = folder / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / f"{name}.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (goal / "made.json").is_file():
                return Environment(goal, 0.0)
            error = _make(goal, wanted, folder, log)
            if not error:
                files.write_json(goal / "made.json", made_from)
    except OSError as failure:
        return Environment(goal, time.monotonic() - begin, f"environments cannot be kept in {folder}: {failure}")
    return Environment(goal, time.monotonic() - begin, error)


def _make(goal: Path, wanted: list[str], folder: Path, log: Path) -> str:
    """Build the environment; returns what went wrong, or nothing.

    Where every package is a wheel nothing of them is executed, and uv's cache is shared. Else build scripts run, and can
    write nothing but this environment and a cache of their own, so that they cannot touch what other projects get.
    """
    trees.remove(goal)
    goal.mkdir()
    cache = folder / "uv-cache"
    cache.mkdir(exist_ok=True)
    with scratch.folder("environment") as place:
        room = sandbox.Room(goal, place / "home", place / "tmp")
        room.home.mkdir()
        room.tmp.mkdir()
        listed = place / "requirements.txt"
        files.write_text(listed, "".join(f"{line}\n" for line in wanted))
        error = _uv(["venv", "--allow-existing", "--python", sys.executable, str(goal)], room, cache, listed, log)
        if error or not wanted:
            return error
        install = ["pip", "install", "--python", str(goal / "bin" / "python"), "-r", str(listed)]
        if not _uv([*install, "--no-build"], room, cache, listed, log):
            return ""
        return _uv(install, room, place / "home" / "uv-cache", listed, log)


def _uv(words: list[str], room: sandbox.Room, cache: Path, listed: Path, log: Path) -> str:
    """Run uv inside the sandbox; returns what went wrong, or nothing."""
    import uv

    names = [name for name in os.environ if name.startswith("UV_") and not name.startswith("UV_PUBLISH")]
    more = {"UV_CACHE_DIR": str(cache), "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never"}
    if "PIP_INDEX_URL" in os.environ:
        more["UV_DEFAULT_INDEX"] = os.environ["PIP_INDEX_URL"]
    env = sandbox.environment(room, [*names, *PASSED], more)
    shared = [] if cache.is_relative_to(room.home) else [cache]
    command = [uv.find_uv_bin(), *words, "--quiet"]
    links = [Path(part) for part in os.environ.get("UV_FIND_LINKS", "").split(",") if os.path.isabs(part)]
    walls = sandbox.Walls(sandbox.choose("auto"), room, (listed, *links), tuple(shared))
    try:
        ended = processes.run(walls.around(command, Path.cwd(), env["PATH"]), room.tree, env, log, SETUP_TIMEOUT_S)
    except OSError as error:
        return f"the environment could not be set up: uv cannot be started ({error.strerror})"
    if ended.timed_out:
        return f"setting up the environment took more than {SETUP_TIMEOUT_S} s"
    return f"the environment could not be set up (exit code {ended.exit_code}): {_last_line(log)}" if ended.exit_code else ""


def _last_line(log: Path) -> str:
    from workflow.work.logs import log_end

    lines = [line.strip() for line in log_end(log, 2000).splitlines() if line.strip()]
    return lines[-1] if lines else "no message"
