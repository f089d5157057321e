"""`diff`: the change of a phase, with git's colours and a pager on a terminal, and without the secrets in it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from workflow import files
from workflow.errors import UsageError
from workflow.gate import feedback
from workflow.markup import visible
from workflow.work import leaks, trees
from workflow.work.redaction import Values

COLOUR = re.compile("(\x1b\\[[0-9;]*m|\x1b\\[K)")


def show(run_dir: Path, phase: str, against: str, secret: Values) -> int:
    """Show what a phase changed since its base, or since it was last reviewed. UsageError where there is nothing yet."""
    merge = files.try_read_json(run_dir / phase / "merge.json")
    if merge is None:
        raise UsageError(f"{phase} has no merged result yet; run snakemake first")
    old = merge["base"]["commit"]
    if against == "reviewed":
        answered = feedback.rounds(run_dir, phase)
        if not answered:
            raise UsageError(f"no changes were requested in {phase}, so no version of it was reviewed before this one")
        old = answered[-1]["reviewed"]["commit"]
    terminal = sys.stdout.isatty()
    colour = "always" if terminal and "NO_COLOR" not in os.environ else "never"
    options = ["--stat", "-p", f"--color={colour}", "--no-ext-diff", "--no-textconv", "--find-renames"]
    command = ["git", *trees.QUIET, "--git-dir", str(run_dir / "project.git"), "diff", *options, old, merge["commit"]]
    done = subprocess.run(command, env=trees.environment(), stdout=subprocess.PIPE, check=False)
    shown = _harmless(leaks.redact(done.stdout, secret).decode("utf-8", "replace"), colour == "always").encode()
    sys.stdout.flush()
    if terminal and _paged(shown):
        return done.returncode
    sys.stdout.buffer.write(shown)
    sys.stdout.flush()
    return done.returncode


def _harmless(text: str, coloured: bool) -> str:
    """A diff in which nothing acts on a terminal but colours."""
    parts = COLOUR.split(text) if coloured else [text]
    return "".join(part if COLOUR.fullmatch(part) else visible(part) for part in parts)


def _paged(content: bytes) -> bool:
    """Show text in the user's pager; False where there is none."""
    words = shlex.split(os.environ.get("PAGER", "less"))
    env = os.environ | {"LESS": os.environ.get("LESS", "FRX")}
    try:
        subprocess.run(words, input=content, env=env, check=False)
    except OSError:
        return False
    return True
