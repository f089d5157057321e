"""Snakemake with its imports done: a process that forks once for each call, since they take as long as most calls do.

Each call is a process of its own with its own folder, variables, arguments and streams, and runs Snakemake's real `main`; only what
Snakemake imports is there already (nothing of Phasegate is). One such process serves a test process and ends with it. Stories about
signals, terminals and starts type the command itself. PHASEGATE_COLD=1 lets every call do so.

    request:  one line of JSON: argv, folder, env, out, err (paths of files)
    answer:   one line with the process id, one with the exit code
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def serve() -> None:
    """Fork for each request on standard input until it ends."""
    import snakemake.cli

    snakemake.cli.get_argument_parser()  # collects the plugins
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(json.loads(line))
            snakemake.cli.main()
            sys.exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def _become(wanted: Mapping[str, Any]) -> None:
    """Folder, variables, arguments and streams as asked for."""
    for handle, path, flags in ((0, os.devnull, os.O_RDONLY), (1, wanted["out"], os.O_WRONLY), (2, wanted["err"], os.O_WRONLY)):
        opened = os.open(path, flags)
        os.dup2(opened, handle)
        os.close(opened)
    os.chdir(wanted["folder"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    sys.argv[:] = wanted["argv"]
    sys.path[0] = str(Path(sys.argv[0]).parent)


class Warm:
    """The process, seen from a test: started when it is first needed."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[str] | None = None

    def run(self, argv: Sequence[str], folder: Path, env: Mapping[str, str], timeout_s: float) -> subprocess.CompletedProcess[str]:
        """What `subprocess.run` gives for the command."""
        with self.lock, tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            process = self._started()
            request = {"argv": list(argv), "folder": str(folder), "env": dict(env), "out": out.name, "err": err.name}
            assert process.stdin is not None
            assert process.stdout is not None
            print(json.dumps(request), file=process.stdin, flush=True)
            child = int(process.stdout.readline())
            expired = threading.Event()
            timer = threading.Timer(timeout_s, lambda: (expired.set(), _kill(child)))
            timer.start()
            code = int(process.stdout.readline())
            timer.cancel()
            texts = [Path(file.name).read_text(errors="replace") for file in (out, err)]
        if expired.is_set():
            raise subprocess.TimeoutExpired(list(argv), timeout_s, *texts)
        return subprocess.CompletedProcess(list(argv), code, *texts)

    def _started(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, __file__]
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=clean(os.environ))
        return self.process


def clean(env: Mapping[str, str]) -> dict[str, str]:
    """Variables without those of pytest and git."""
    return {name: value for name, value in env.items() if not name.startswith(("GIT_", "PYTEST"))}


def _kill(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)


WARM = Warm()

if __name__ == "__main__":
    serve()
