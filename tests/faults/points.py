"""Where in a run's story a kill landed, read from the journal's files at that moment."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults import census
from faults.census import Process
from faults.history import History

START_UP = "start-up, or between jobs"
BEFORE_BEGIN = "supervisor, before begin.json"
BEGUN = "begin.json .. start of the agent"
WORKS = "the agent works"
ENDED = "end of the agent .. exit.json"
EXITED = "exit.json .. result.json"
SETTLED = "result.json .. outcome.json"
PUBLISHED = "supervisor, after outcome.json"
JOBS = "merge, validate, request and start jobs"
NAMES = (START_UP, BEFORE_BEGIN, BEGUN, WORKS, ENDED, EXITED, SETTLED, PUBLISHED, JOBS)
DELICATE = (EXITED, ENDED, SETTLED, BEGUN, BEFORE_BEGIN, PUBLISHED, WORKS, JOBS, START_UP)


@dataclass(frozen=True)
class Supervisor:
    """A process that carries out the job of one agent."""

    process: Process
    agent_dir: Path


@dataclass(frozen=True)
class Scene:
    """What was alive at a moment."""

    supervisors: tuple[Supervisor, ...]
    jobs: tuple[Process, ...]
    workers: tuple[Process, ...]
    clients: tuple[Process, ...] = ()
    servers: tuple[Process, ...] = ()

    def client_of(self, supervisor: Supervisor) -> Process | None:
        """The process that asked for this supervisor, where it is a fork."""
        wanted = supervisor.process.words[2:5]
        return next((one for one in self.clients if _asked(one.words) == wanted), None)


def _asked(words: list[str]) -> list[str]:
    """Run, phase and agent that a client asks for."""
    at = next((index for index, word in enumerate(words) if word.endswith("/run_agent.py")), len(words))
    return words[at + 1 : at + 4]


def scene(token: str, workdir: Path) -> Scene:
    """The supervisors, other jobs and agents that carry the token now."""
    supervisors, jobs, workers, clients, servers = [], [], [], [], []
    for process in census.carrying(token):
        words = process.words
        script = census.script_of(words)
        if script == "run_agent":
            at = next(index for index, word in enumerate(words) if Path(word).stem == "run_agent")
            supervisors.append(Supervisor(process, workdir / words[at + 1] / words[at + 2] / "agents" / words[at + 3]))
        elif any(word.endswith("/forks/client.py") for word in words):
            clients.append(process)
        elif any(word.endswith("/forks/server.py") for word in words):
            servers.append(process)
        elif script and script != "watch":
            jobs.append(process)
        elif any(word.endswith("/worker.py") for word in words[1:4]) and "bwrap" not in words[0]:
            workers.append(process)
    return Scene(tuple(supervisors), tuple(jobs), tuple(workers), tuple(clients), tuple(servers))


def newest(agent_dir: Path) -> Path | None:
    """The folder of an agent's newest attempt."""
    folder = agent_dir / "attempts"
    names = [path for path in folder.iterdir() if path.name.isdigit()] if folder.is_dir() else []
    return max(names, key=lambda path: int(path.name), default=None)


def newest_of(supervisors: Iterable[Supervisor]) -> set[str]:
    """The folders of the newest attempts of some supervisors' agents, of those that have begun."""
    return {str(folder) for item in supervisors if (folder := newest(item.agent_dir)) and (folder / "begin.json").exists()}


def begun_before(attempt: str, moment: float) -> bool:
    """Whether an attempt was noted before a moment (seconds since the epoch)."""
    try:
        return Path(attempt, "begin.json").stat().st_mtime <= moment
    except FileNotFoundError:
        return False


def whole(path: Path) -> Any:
    """The value of a journal file; None where it is not there. ValueError where it is not whole."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None


def point_of(supervisor: Supervisor, history: History) -> str:
    """Where this supervisor, which lives or was just killed, is in its story."""
    agent_dir = supervisor.agent_dir
    attempt = newest(agent_dir)
    if attempt is None:
        return BEFORE_BEGIN
    if not (attempt / "exit.json").exists():
        return _before_exit(supervisor, attempt, history)
    if not (attempt / "result.json").exists():
        return EXITED
    done = (agent_dir / "outcome.json").exists() and (agent_dir / "published").exists()
    return PUBLISHED if done else SETTLED


def _before_exit(supervisor: Supervisor, attempt: Path, history: History) -> str:
    try:
        written = time.time() - (attempt / "begin.json").stat().st_mtime
    except FileNotFoundError:
        return BEFORE_BEGIN
    if written > supervisor.process.age_s + 0.05:
        return BEFORE_BEGIN  # that attempt is one that was interrupted earlier
    history.read()
    if history.of(str(attempt), "end"):
        return ENDED
    return WORKS if history.of(str(attempt), "begin") else BEGUN


def most_delicate(found: Iterable[str]) -> str:
    """The point that stands for a kill that hit several jobs."""
    return min(found, key=DELICATE.index, default=START_UP)
