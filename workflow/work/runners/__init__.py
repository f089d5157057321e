"""Runners: how an agent is executed. The embedded scaffolder, or any program that the config names."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import __version__

ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Runner:
    """A program that can be an agent.

    `command` is an argument list with placeholders (a tuple in it is a group that is left out where there is no model);
    `prompt` says how the prompt reaches it (stdin, argument, file); `env` names variables that it may see, `variables`
    holds those that are set; `reads` are folders that it must be able to read; `usage` names the reader of its events;
    `files` are written into a private home; `shares` are the parts of the user's home that `home: shared` shows it.
    """

    name: str
    command: tuple[str | tuple[str, ...], ...]
    prompt: str
    env: tuple[str, ...]
    reads: tuple[Path, ...] = ()
    version: str | None = None
    usage: str = "none"
    model: str | None = None
    home: str = "private"
    shares: tuple[str, ...] = ()
    network: str = "on"
    setup: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)

    def argv(self, prompt: str, prompt_file: Path, brief_file: Path, tree: Path | None = None, home: Path | None = None) -> list[str]:
        """The argument list of one attempt; `tree` and `home` are its folders."""
        words = [part for part in self.command if isinstance(part, str) or self.model is not None]
        flat = [word for part in words for word in ([part] if isinstance(part, str) else part)]
        value = prompt if self.prompt == "argument" else str(prompt_file)
        filled = [self._filled(word, tree, home).replace("{brief}", str(brief_file)) for word in flat]
        return [word.replace("{prompt}", value) for word in filled]

    def program(self, word: str | None = None) -> str:
        """The program that is started (or another word of a command) with its placeholders filled."""
        first = self.command[0] if word is None else word
        return self._filled(first if isinstance(first, str) else first[0], None, None)

    def home_files(self, tree: Path, home: Path) -> dict[str, str]:
        """The files to write into a private home, path relative to it to text; none for a shared home."""
        return {name: self._filled(text, tree, home) for name, text in self.files.items()} if self.home == "private" else {}

    def _filled(self, text: str, tree: Path | None, home: Path | None) -> str:
        values = {"{python}": sys.executable, "{phasegate}": str(ROOT), "{model}": self.model or ""}
        values |= {"{tree}": str(tree or "."), "{home}": str(home or "~")}
        return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], text)


def from_brief(spec: Mapping[str, Any]) -> Runner:
    """The runner that a brief names: `scaffold`, or the entry of `runners` that the brief carries."""
    own = (ROOT / "workflow", ROOT / "scripts")
    if spec["name"] == "scaffold" and "command" not in spec:
        program = str(ROOT / "scripts" / "scaffold.py")
        command = (sys.executable, program, "--brief", "{brief}")
        return Runner("scaffold", command, "file", (), own, __version__)
    env = [word.partition("=") for word in spec.get("env", ())]
    words = spec["command"]
    return Runner(
        name=spec["name"],
        command=tuple(part if isinstance(part, str) else tuple(part) for part in words),
        prompt=spec.get("prompt", "stdin"),
        env=tuple(name for name, equals, _ in env if not equals),
        reads=own if any("{phasegate}" in part for part in words) else (),
        usage=spec.get("usage", "none"),
        model=spec.get("model"),
        home=spec.get("home", "private"),
        shares=tuple(spec.get("shares", ())),
        network=spec.get("network", "on"),
        setup=tuple(spec.get("setup", ())),
        variables={name: value for name, equals, value in env if equals},
        files=dict(spec.get("files", {})),
    )
