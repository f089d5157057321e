"""Delivered runs that tests share: each type is delivered once for all tests and all workers, then only read.

What changes a run works in a copy of its folder. A delivered project gets a `.venv` made from the environment in which
its checks ran, so that starting it downloads nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from conftest import Desk, Done

NAMES = {"webapp": "my-todo-app", "analytics": "my-analytics", "ml": "my-ml"}
MADE_BY_USE = (".venv", "instance", "out", "model", "__pycache__")


@dataclass(frozen=True)
class Delivery:
    """A run that quickstart began and three approvals carried to the end; `stops` is how each command ended."""

    desk: Desk
    kind: str
    stops: tuple[Done, ...]

    @property
    def run(self) -> str:
        """The name of the run."""
        return NAMES[self.kind]

    @property
    def folder(self) -> Path:
        """The folder of the run."""
        return self.desk.path / "runs" / self.run

    @property
    def project(self) -> Path:
        """The delivered project."""
        return self.folder / "project"

    @property
    def package(self) -> str:
        """The name of its Python package."""
        return self.run.replace("-", "_")

    @property
    def environment(self) -> Path:
        """The environment in which its checks ran."""
        made = self.desk.json(f"runs/{self.run}/development/validation.json")["environment"]["name"]
        return Path(self.desk.environment()["XDG_CACHE_HOME"], "phasegate", "environments", made)

    def start_line(self) -> str:
        """The command that the last stop printed to start the project."""
        return labelled(self.stops[-1], "start")

    def copy(self, target: Path) -> Delivery:
        """The same run in another folder, as if a user had copied it, without what other tests' use leaves in the project."""
        shutil.copytree(self.desk.path, target, symlinks=True, ignore=shutil.ignore_patterns(*MADE_BY_USE))
        return Delivery(Desk(target), self.kind, self.stops)


def labelled(stop: Done, label: str) -> str:
    """What stands behind a label in the last lines of a command."""
    (found,) = [line for line in stop.last[-5:] if line.strip().startswith(f"{label}:")]
    return found.split(":", 1)[1].strip()


def deliver_once(kind: str, root: Path) -> Delivery:
    """The delivered run of a type below `root`, made by whoever comes first."""
    desk, record = Desk(root / kind), root / f"{kind}.json"
    with (root / f"{kind}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not desk.path.exists():
            desk.path.mkdir()
            made = Delivery(desk, kind, deliver(desk, kind))
            furnish(made)
            record.write_text(json.dumps([asdict(stop) for stop in made.stops]))
    assert record.is_file(), f"the run of type {kind} could not be delivered; the first test that asked for it says why"
    return Delivery(desk, kind, tuple(Done(**stop) for stop in json.loads(record.read_text())))


def deliver(desk: Desk, kind: str) -> tuple[Done, ...]:
    """Type quickstart, then paste what each stop prints until the run is delivered; every command ends with 0."""
    stops = [desk.run("quickstart", "--config", f"type={kind}", f"name={NAMES[kind]}")]
    while "waits for your review" in stops[-1].last[-5]:
        assert len(stops) < 9, "the run does not end"
        stops.append(desk.shell(labelled(stops[-1], "approve")))
    return tuple(stops)


def furnish(made: Delivery) -> None:
    """Give the project the `.venv` that its run.sh would make, from the environment of its checks."""
    venv = made.project / ".venv"
    subprocess.run([made.environment / "bin/python", "-m", "venv", "--without-pip", venv], check=True)
    (packages,) = venv.glob("lib/python3*/site-packages")
    (libraries,) = made.environment.glob("lib/python3*/site-packages")
    (packages / "checks.pth").write_text(f"{libraries}\n{made.project / 'src'}\n")
    for name in ("installed-from", "installed"):
        (venv / name).write_text(f"{made.project}\n")


def project_copy(made: Delivery, target: Path) -> Path:
    """The project as it was delivered, without what its use left in it."""
    shutil.copytree(made.project, target, ignore=shutil.ignore_patterns(".git", *MADE_BY_USE))
    return target


def in_environment(made: Delivery, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder as the checks do, in the environment of the project.

    Its temporary folder is its own: a pytest in it would otherwise number its folders among those of the pytest that runs this, and
    delete the oldest of them at its end, which took minutes where a whole suite had left half a million files.
    """
    temporary = folder.with_name(f"{folder.name}-tmp")
    temporary.mkdir(exist_ok=True)
    env: Mapping[str, str] = made.desk.environment() | {
        "TMPDIR": str(temporary),
        "PATH": f"{made.environment / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "src"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    return subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True, timeout=300, check=False)


def own_suite_finds(made: Delivery, target: Path, path: str, old: str, new: str) -> str:
    """Plant a bug in a copy of the project and run its own suite; the test that turned red and is green without the bug."""
    folder = project_copy(made, target)
    source = folder / path
    text = source.read_text()
    assert text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}: plant another bug"
    source.write_text(text.replace(old, new))
    red = in_environment(made, folder, "python", "-m", "pytest", "-q", "-x", "-rf", "-p", "no:cacheprovider")
    assert red.returncode == 1, f"the suite ended with {red.returncode}\n{red.stdout[-3000:]}"
    assert list(target.parent.glob("*-tmp/pytest-of-*")), "the suite kept its temporary files among those of other runs of pytest"
    found = re.search(r"^FAILED (tests/\S+?::\w+)", red.stdout, re.MULTILINE)
    assert found, red.stdout[-3000:]
    source.write_text(text)
    green = in_environment(made, folder, "python", "-m", "pytest", "-q", "-p", "no:cacheprovider", found[1])
    assert green.returncode == 0, f"{found[1]} is red without the bug, too\n{green.stdout[-3000:]}"
    return found[1]
