"""Reproducible bundles: the same outcomes give the same bytes, whoever packs them, wherever, whenever and with what."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import interpreters
import pytest
from conftest import ROOT
from runs import Run

TIMES = 20
UMASKS = ("022", "000", "077", "027")
ZONES = ("UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Kiritimati", "")
LOCALES = ("C", "C.UTF-8", "de_DE.UTF-8", "tr_TR.UTF-8", "POSIX")
CLOCKS = ("", "1980-01-01 00:00:00", "2038-01-20 03:14:08", "-40y", "+60y", "2024-02-29 23:59:59", "2107-12-31 23:59:58")
SCRIPT = r"""
mkdir -p docs/deep src; for n in 1 2 3 4 5 6 7 8 9; do seq $((n * 1000)) > src/file_$n.txt; done
echo text > docs/deep/a.md; printf '#!/bin/sh\n' > run.sh; chmod +x run.sh; : > empty; ln -s docs/deep/a.md link
printf odd > "$(printf 'caf\351')"; echo x > 'Zoë ünïcode.md'; echo i > I.md; echo j > ı.md; head -c 300000 /dev/zero > zeros
awk 'BEGIN { srand(7); for (i = 0; i < 40000; i++) printf "%c", 33 + int(rand() * 90) }' > noise
"""


@pytest.fixture
def made(run: Run) -> Run:
    """A phase with files of all sorts, ready to be packed."""
    run.agent("writer", SCRIPT)
    run.merge("writer")
    run.validate()
    return run


@pytest.fixture(scope="module")
def pythons(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every interpreter that is found, ready to pack."""
    root = tmp_path_factory.mktemp("pythons")
    return {version: interpreters.ready(path, root / version) for version, path in interpreters.found().items()}


def elsewhere(run: Run, folder: Path, seed: int) -> Path:
    """A copy of the run whose files were made in another order, at other times, with git's objects stored in another way."""
    chance = random.Random(seed)
    paths = [path for path in run.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    chance.shuffle(paths)
    for path in paths:
        goal = folder / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, goal)
        os.utime(goal, (chance.randrange(2**31), chance.randrange(2**31)))
    for empty in (item for item in run.folder.rglob("*") if item.is_dir()):
        (folder / empty).mkdir(parents=True, exist_ok=True)
    if seed % 2:
        subprocess.run(["git", "--git-dir", folder / run.repo, "gc", "--quiet"], check=True)
    return folder


def packed(folder: Path, python: Path, umask: str, clock: str, env: dict[str, str], compression: int = 6) -> tuple[str, bytes]:
    """(version of Python, bytes of the bundle) of one repack."""
    late = ["faketime", "-f", f"@{clock}" if " " in clock else clock] if clock else []
    command = [*late, str(python), str(ROOT / "tests/packing.py"), "again.zip", str(compression)]
    words = ["sh", "-c", f'umask {umask}; exec "$@"', "sh", *command]
    done = subprocess.run(words, cwd=folder, env={"PATH": os.environ["PATH"], **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), (folder / "again.zip").read_bytes()


def surroundings(number: int) -> dict[str, str]:
    """The variables of one repack."""
    env = {"TZ": ZONES[number % len(ZONES)], "LC_ALL": LOCALES[(number // 2) % len(LOCALES)], "PYTHONHASHSEED": str(number)}
    return env | {"PYTHONUTF8": str(number % 2), "PYTHONCOERCECLOCALE": "0", "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.skipif(not shutil.which("faketime"), reason="faketime is not installed, which sets the clock")
def test_twenty_repacks_are_the_same_bytes_whatever_differs_around_them(
    made: Run, pythons: dict[str, Path], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    made.show("writer")
    kept = (made.folder / "bundles/plan.zip").read_bytes()
    with zipfile.ZipFile(made.folder / "bundles/plan.zip") as archive:
        assert sum(info.filename.startswith("artifacts/") for info in archive.infolist()) == 19
    wanted, seen = itertools.cycle(pythons.values()), {}
    for number in range(TIMES):
        folder = elsewhere(made, tmp_path / f"copy{number}", number)
        clock, umask = CLOCKS[number % len(CLOCKS)], UMASKS[number % len(UMASKS)]
        version, content = packed(folder, next(wanted), umask, clock, surroundings(number))
        seen[number] = (version, hashlib.sha256(content).hexdigest())
        shutil.rmtree(folder)
    record_property("versions", sorted(pythons))
    alike = sum(digest == hashlib.sha256(kept).hexdigest() for _, digest in seen.values())
    print(f"{alike} of {TIMES} repacks alike, with Python {', '.join(sorted(pythons))}")
    assert alike == TIMES, seen
    assert {version for version, _ in seen.values()} == set(pythons)


@pytest.mark.parametrize("compression", [0, 1, 9])
def test_every_python_gives_the_same_bytes_at_other_levels(made: Run, pythons: dict[str, Path], compression: int) -> None:
    found = {version: packed(Path.cwd(), path, "022", "", {}, compression)[1] for version, path in pythons.items()}
    assert len(set(found.values())) == 1, {version: hashlib.sha256(content).hexdigest() for version, content in found.items()}


@pytest.mark.skipif(not shutil.which("strip-nondeterminism"), reason="strip-nondeterminism is not installed (Debian has it)")
def test_nothing_is_left_to_strip(made: Run, tmp_path: Path) -> None:
    made.show("writer")
    before = (made.folder / "bundles/plan.zip").read_bytes()
    stripped = Path(shutil.copy(made.folder / "bundles/plan.zip", tmp_path / "stripped.zip"))
    subprocess.run(["strip-nondeterminism", "--type", "zip", stripped], check=True, capture_output=True)
    assert stripped.read_bytes() == before
    with zipfile.ZipFile(stripped, "w") as archive:  # it does strip what a clock leaves
        archive.writestr(zipfile.ZipInfo("a", (2020, 1, 1, 0, 0, 0)), "a")
    ticking = stripped.read_bytes()
    subprocess.run(["strip-nondeterminism", "--type", "zip", stripped], check=True, capture_output=True)
    assert stripped.read_bytes() != ticking


@pytest.mark.skipif(not shutil.which("diffoscope"), reason="diffoscope is not installed (Debian's diffoscope-minimal is enough)")
def test_diffoscope_is_silent(made: Run, tmp_path: Path) -> None:
    def compare(left: Path, right: Path) -> tuple[int, str]:
        done = subprocess.run(["diffoscope", "--no-progress", left, right], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    made.show("writer")
    first = Path(shutil.copy(made.folder / "bundles/plan.zip", tmp_path / "first.zip"))
    made.show("writer")
    assert compare(first, made.folder / "bundles/plan.zip") == (0, "")
    made.shown("something else", phase="build", after=("plan",))
    code, said = compare(first, made.folder / "bundles/build.zip")
    assert (code, bool(said)) == (1, True)
