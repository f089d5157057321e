"""The Python interpreters of this machine on which Phasegate may run, and what packing needs on each of them."""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import uv
from conftest import ROOT

PACKERS = ("isal", "zlib-ng", "zlib_ng", "libdeflate", "deflate", "zopfli")
PLACES = (
    "{pyenv}/versions/3*/bin/python3",
    "/usr/bin/python3.[0-9]*",
    "/usr/local/bin/python3.[0-9]*",
    "/opt/hostedtoolcache/Python/*/*/bin/python3",
)


def found() -> dict[str, Path]:
    """One interpreter per version that Phasegate allows, as `3.12.1`: this one, and those of uv, pyenv, Debian and PATH."""
    listed = subprocess.run([uv.find_uv_bin(), "python", "list", "--only-installed"], capture_output=True, text=True, check=False).stdout
    names = [words[1] for line in listed.splitlines() if len(words := line.split()) > 1]
    pyenv = os.environ.get("PYENV_ROOT", str(Path("~/.pyenv").expanduser()))
    names += [name for place in PLACES for name in sorted(glob.glob(place.format(pyenv=pyenv)))]
    names += [path for minor in range(11, 20) if (path := shutil.which(f"python3.{minor}"))]
    versions = {_version(Path(sys.executable)): Path(sys.executable)}
    for path in map(Path, names):
        version = _version(path)
        if version is not None:
            versions.setdefault(version, path)
    return {version: path for version, path in versions.items() if version is not None}


def _version(path: Path) -> str | None:
    """The version of a working interpreter that is new enough; None for anything else."""
    asked = "import sys, zlib; print('%d.%d.%d' % sys.version_info[:3]); sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([path, "-I", "-c", asked], capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def ready(path: Path, folder: Path) -> Path:
    """An interpreter that can pack: the one given, or one with the compressor that pyproject.toml names, if it names any."""
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    needs = [name for name in wanted if re.split(r"[^A-Za-z0-9_-]", name)[0] in PACKERS]
    if not needs or path == Path(sys.executable):
        return path
    made = folder / "bin/python"
    for words in (["venv", "--quiet", "--python", path, folder], ["pip", "install", "--quiet", "--python", made, *needs]):
        subprocess.run([uv.find_uv_bin(), *words], check=True, capture_output=True)
    return made
