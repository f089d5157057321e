"""Runners: how an agent is executed. The embedded scaffolder, or any program that the config names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import __version__

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Runner:
    """A program that can be an agent.

    `command` is an argument list with the placeholders {prompt} and {brief}; `prompt` says how the prompt reaches
    it (stdin, argument, file); `env` names variables that it may see; `reads` are folders that it must be able to read.
    """

    name: str
    command: tuple[str, ...]
    prompt: str
    env: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    version: str | None = None

    def argv(self, prompt: str, prompt_file: Path, brief_file: Path) -> list[str]:
        """The argument list of one attempt."""
        value = prompt if self.prompt == "argument" else str(prompt_file)
        return [word.replace("{brief}", str(brief_file)).replace("{prompt}", value) for word in self.command]


def from_brief(spec: Mapping[str, Any]) -> Runner:
    """The runner that a brief names: `scaffold`, or the entry of `runners` that the brief carries."""
    if spec["name"] == "scaffold" and "command" not in spec:
        program = str(ROOT / "scripts" / "scaffold.py")
        command = (sys.executable, program, "--brief", "{brief}")
        return Runner("scaffold", command, "file", (), (ROOT / "workflow", ROOT / "scripts"), __version__)
    return Runner(spec["name"], tuple(spec["command"]), spec.get("prompt", "stdin"), tuple(spec.get("env", ())))
