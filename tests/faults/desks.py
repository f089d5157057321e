"""Working directories with fake agents, and the plain command in them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from conftest import SNAKEMAKE, Desk

from faults import census
from workflow.work import processes

WORKER = Path(__file__).with_name("worker.py")


@dataclass(frozen=True)
class Still:
    """How long things may take to become still."""

    grace_s: float = processes.GRACE_S


STILL = Still()


def worker(*words: str) -> dict[str, Any]:
    """The entry of a runner that is the fake agent."""
    return {"command": [sys.executable, "-I", "-S", str(WORKER), *words], "env": ["FAULTS_HISTORY", census.TOKEN], "prompt": "file"}


def lay_out(folder: Path, settings: Mapping[str, Any]) -> Desk:
    """A new working directory below `folder`; the runners of `settings` are the fake agent's words."""
    desk = Desk(folder / "desk")
    desk.path.mkdir(parents=True)
    desk.brief()
    entries = {name: worker(*words) for name, words in settings["runners"].items()}
    more = {key: value for key, value in settings.items() if key not in ("phases", "runners")}
    desk.configure(settings["phases"], entries, **more)
    return desk


def command(desk: Desk, *words: str) -> list[str]:
    """The plain command."""
    return [str(SNAKEMAKE), "-s", str(desk.root / "Snakefile"), "--cores", "2", *words]


def start(desk: Desk, log: Path, token: str, words: list[str] | None = None) -> subprocess.Popen[bytes]:
    """Start the plain command as the leader of a session of its own; all it starts carries the token."""
    env = desk.environment() | {census.TOKEN: token}
    with log.open("wb") as sink:
        return subprocess.Popen(
            words or command(desk), cwd=desk.path, env=env, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )
