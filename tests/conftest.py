"""What the tests share: a working directory as a user has it, and the real snakemake run in it.

Agents are small real programs (`agents.py` makes them); git, snakemake, bubblewrap and uv are the real ones.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from warm import WARM

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

for number in (signal.SIGINT, signal.SIGHUP):  # a script's job in the background ignores INT, and so would all that tests start
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

pytest_plugins = ["browsing"]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
INTAKE = {
    "project": {"name": "demo", "type": "other", "description": "A demonstration."},
    "goals": {"primary": "Show that it works."},
}


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def last(self) -> list[str]:
        """The lines of standard error."""
        return self.err.splitlines()

    @property
    def said(self) -> str:
        """Standard error without Snakemake's line about the profile."""
        return "\n".join(line for line in self.last if not line.startswith("Using workflow specific profile"))

    @property
    def next_command(self) -> str:
        """The command that the last line tells the user to paste."""
        return self.last[-1].split(":", 1)[1].strip()


def judged(done: subprocess.CompletedProcess[str], command: Any, check: int | None) -> Done:
    """How a command ended; AssertionError where it is not as expected."""
    if check is not None and done.returncode != check:
        raise AssertionError(f"{command} ended with {done.returncode}, not {check}\n{done.stdout}\n{done.stderr}")
    return Done(done.returncode, done.stdout, done.stderr)


@dataclass
class Desk:
    """A user's working directory: config, intake, and commands typed in it."""

    path: Path
    root: Path = ROOT
    env: dict[str, str] = field(default_factory=dict)

    def configure(self, phases: Mapping[str, Any], runners: Mapping[str, Any] | None = None, **more: Any) -> None:
        """Write config/config.yaml. `runners` maps names to entries, or to an argument list."""
        entries = {name: entry if isinstance(entry, dict) else {"command": entry} for name, entry in (runners or {}).items()}
        self.write("config/config.yaml", yaml.safe_dump({"runners": entries, "phases": dict(phases), **more}, sort_keys=False))

    def brief(self, **more: Any) -> None:
        """Write config/intake.yaml: a minimal intake, with `more` laid over its top-level keys."""
        self.write("config/intake.yaml", yaml.safe_dump({**INTAKE, **more}, sort_keys=False))

    def write(self, name: str, text: str) -> Path:
        """Write a text file below the working directory."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def read(self, name: str) -> str:
        """The text of a file below the working directory."""
        return (self.path / name).read_text()

    def json(self, name: str) -> Any:
        """The value of a JSON file below the working directory."""
        return json.loads(self.read(name))

    def outcome(self, phase: str, agent: str, run: str = "demo") -> dict[str, Any]:
        """The outcome of an agent."""
        return self.json(f"runs/{run}/{phase}/agents/{agent}/outcome.json")

    def attempts(self, phase: str, agent: str, run: str = "demo") -> int:
        """How many attempts an agent has made, that is, what was paid for."""
        return len(list((self.path / f"runs/{run}/{phase}/agents/{agent}/attempts").glob("*/begin.json")))

    def touch(self, phase: str, run: str = "demo") -> None:
        """Approve a phase as the README says: touch its marker."""
        time.sleep(0.02)  # a kernel's file times are as coarse as a tick
        (self.path / "runs" / run / phase / "APPROVED").touch()

    def run(self, *words: str, check: int | None = 0, cores: int = 2, timeout: float = 300) -> Done:
        """Type `snakemake ...` in this folder. `check` is the exit code that is expected (None: any)."""
        command = [str(SNAKEMAKE), "-s", str(self.root / "Snakefile"), "--cores", str(cores), *words]
        if "PHASEGATE_COLD" in os.environ:
            return self.shell(command, check, timeout)
        return judged(WARM.run(command, self.path, self.environment(), timeout), command, check)

    def shell(self, command: list[str] | str, check: int | None = 0, timeout: float = 300) -> Done:
        """Run any command in this folder; a text is a line that a person pastes."""
        env = self.environment()
        done = subprocess.run(
            command,
            cwd=self.path,
            env=env,
            capture_output=True,
            text=True,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
            shell=isinstance(command, str),
        )
        return judged(done, command, check)

    def start(self, *words: str, cores: int = 2) -> subprocess.Popen[str]:
        """Type `snakemake ...` and do not wait for its end; its output goes to started.log."""
        command = [str(SNAKEMAKE), "-s", str(self.root / "Snakefile"), "--cores", str(cores), *words]
        with (self.path / "started.log").open("w") as log:
            return subprocess.Popen(
                command, cwd=self.path, env=self.environment(), stdout=log, stderr=log, text=True, stdin=subprocess.DEVNULL
            )

    def environment(self) -> dict[str, str]:
        """The variables of a user who has just logged in: an own home, and nothing of this test run."""
        env = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "PYTEST"))}
        env |= {
            "HOME": str(self.path / "home"),
            "PWD": str(self.path),
            "XDG_CACHE_HOME": env.get("XDG_CACHE_HOME") or cache_home(),
        } | self.env
        Path(env["HOME"]).mkdir(exist_ok=True)
        return env


def cache_home() -> str:
    """The user's cache, so that environments of generated projects are made once for all tests."""
    return str(Path("~/.cache").expanduser())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty working directory with a minimal intake."""
    folder = tmp_path / "desk"
    folder.mkdir()
    made = Desk(folder)
    made.brief()
    return made


def sh(script: str) -> list[str]:
    """An agent that is a shell script; it runs in its own tree."""
    return ["sh", "-c", script]


def most_at_once(outcomes: Iterable[Mapping[str, Any]]) -> int:
    """How many agents worked at the same moment at most, from the times in their outcomes."""
    spans = [(outcome["started_at"], outcome["ended_at"]) for outcome in outcomes]
    return max(sum(begin <= start < end for begin, end in spans) for start, _ in spans)


def snapshot(folder: Path, *without: str) -> dict[str, tuple[bytes, int]]:
    """Bytes and modification time of every file below a folder, except in the top-level folders named."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.relative_to(folder).parts[0] not in without]
    return {str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def wait_for(happened: Callable[[], bool], limit_s: float = 60) -> None:
    """Wait until something has happened in a process that was started."""
    deadline = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A run (tests/runs.py) in an empty working directory, made without snakemake; its first phase may begin."""
    from runs import Run

    monkeypatch.chdir(tmp_path)
    made = Run()
    made.start()
    made.phase()
    yield made
    if sys.platform == "linux":  # running a program made this process the reaper of its orphans
        ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)


@pytest.fixture(scope="session")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    """`delivered("webapp")`: a run of that type, delivered once for all tests and workers (tests/deliveries.py)."""
    from deliveries import deliver_once

    root = tmp_path_factory.getbasetemp()
    shared = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    return lambda kind: deliver_once(kind, shared)


@pytest.fixture
def scripted() -> Iterator[Callable[..., Any]]:
    """`scripted(works(...))`: a scripted model (tests/models/server.py) that listens on loopback until the test ends."""
    from models.server import serve

    with contextlib.ExitStack() as stack:
        yield lambda *scripts: stack.enter_context(serve(*scripts))
