"""Scanners: tools that read what an agent wrote run in a process of their own, with a time limit and a limit of memory.

The process is one of the programs beside this module. It reads `<blob>\\0<path>\\0...` from standard input, the contents
from git (nothing is checked out, and no configuration of the tree has an effect), and prints one JSON value:
{scanner, version, rows} or {scanner, missing}.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from workflow.proof.hygiene.inventory import File
from workflow.proof.hygiene.scoring import Unmeasured
from workflow.work import trees
from workflow.work.keeper import die_with_parent

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 120.0
MEMORY_BYTES = 4 << 30
SAID = 200  # characters of what a tool says when it crashes

Scan = Callable[[Iterator[tuple[str, bytes]]], tuple[str, list[dict[str, Any]]]]


def run(program: str, scanner: str, repo: Path, files: Sequence[File], limit_s: float = LIMIT_S) -> dict[str, Any]:
    """What a scanner found in these files: {version, rows}. Raises Unmeasured where it is missing, crashed or was too slow."""
    command = [sys.executable, "-m", f"workflow.proof.hygiene.{program}", str(repo.absolute())]
    asked = "".join(f"{item.blob}\0{item.path}\0" for item in files).encode("utf-8", "surrogateescape")
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))}
    try:
        done = subprocess.run(command, input=asked, capture_output=True, cwd=ROOT, env=env, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise Unmeasured(scanner, f"{scanner} was stopped after {limit_s:g} s") from error
    if done.returncode:
        raise Unmeasured(scanner, f"{scanner} crashed ({_end(done.returncode)}): {_last_words(done.stderr)}")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise Unmeasured(scanner, f"{scanner} gave no answer that can be read") from error
    if "missing" in answer:
        raise Unmeasured(scanner, f"{scanner} is not installed ({answer['missing']}); install Phasegate's dependencies")
    return answer


def _end(code: int) -> str:
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


def _last_words(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:SAID] if lines else "no message"


def serve(scan: Scan) -> None:
    """The life of a scanner's process: `scan` gets (path, content) of each file and gives its version and rows."""
    die_with_parent(os.getppid())
    _limit_memory()
    words = sys.stdin.buffer.read().decode("utf-8", "surrogateescape").split("\0")
    blobs, paths = words[0:-1:2], words[1::2]
    try:
        version, rows = scan(zip(paths, trees.read_objects(Path(sys.argv[1]), blobs), strict=True))
    except ImportError as error:
        answer: dict[str, Any] = {"missing": error.name or str(error)}
    else:
        answer = {"version": version, "rows": rows}
    print(json.dumps(answer))


def _limit_memory() -> None:
    """A file that would take all memory ends this process instead; where the system has no such limit, there is none."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
