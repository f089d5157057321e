"""The scripted model's wishes as calls of the tools that a client offers.

A client's tool is recognised by its name (`write`, `Write`, `write_file`...), and its parameters by theirs, because
every client spells `path` and `content` its own way. Where it offers no such tool, its shell does the work.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from models.scripts import Action, Edit, Read, Shell, Tool, Write

WRITERS = ("write", "Write", "write_file", "create_file")
EDITORS = ("edit", "Edit", "replace", "edit_file")
READERS = ("read", "Read", "read_file")
SHELLS = ("bash", "Bash", "exec_command", "shell", "shell_command", "run_shell_command", "run")
PARAMETERS = {
    "path": ("path", "filePath", "file_path"),
    "content": ("content",),
    "old": ("oldString", "old_string", "oldText", "old"),
    "new": ("newString", "new_string", "newText", "new"),
    "line": ("command", "cmd"),
}


@dataclass(frozen=True)
class Call:
    """A tool call as every dialect can write it."""

    name: str
    arguments: dict[str, Any]


def call_for(action: Action, offered: Mapping[str, Mapping[str, Any]]) -> Call | None:
    """The call that carries out `action` with the tools offered (name to JSON schema); None where none can."""
    if isinstance(action, Tool):
        return Call(action.name, dict(action.arguments))
    if isinstance(action, Write):
        return _named(WRITERS, offered, path=action.path, content=action.content) or _shell(_writing(action), offered)
    if isinstance(action, Edit):
        return _named(EDITORS, offered, path=action.path, old=action.old, new=action.new) or _shell(_editing(action), offered)
    if isinstance(action, Read):
        return _named(READERS, offered, path=action.path) or _shell(f"cat {shlex.quote(action.path)}", offered)
    assert isinstance(action, Shell)
    return _shell(action.line, offered)


def _named(names: tuple[str, ...], offered: Mapping[str, Mapping[str, Any]], **values: str) -> Call | None:
    name = next((name for name in names if name in offered), None)
    if name is None:
        return None
    known = offered[name].get("properties", {})
    if "edits" in known:  # pi: a list of replacements
        return Call(name, {"path": values["path"], "edits": [{"oldText": values["old"], "newText": values["new"]}]})
    return Call(name, {_spelled(key, known): value for key, value in values.items()})


def _spelled(key: str, known: Mapping[str, Any]) -> str:
    return next((name for name in PARAMETERS[key] if name in known), key)


def _shell(line: str, offered: Mapping[str, Mapping[str, Any]]) -> Call | None:
    name = next((name for name in SHELLS if name in offered), None)
    if name is None:
        return None
    known = offered[name].get("properties", {})
    key = _spelled("line", known)
    words = ["sh", "-c", line] if known.get(key, {}).get("type") == "array" else line
    more = {"description": "as scripted"} if "description" in offered[name].get("required", ()) else {}
    return Call(name, {key: words, **more})


def _writing(action: Write) -> str:
    data = base64.b64encode(action.content.encode()).decode()
    path = shlex.quote(action.path)
    return f'mkdir -p "$(dirname {path})" && printf %s {data} | base64 -d > {path}'


def _editing(action: Edit) -> str:
    program = "import sys, pathlib as p; f = p.Path(sys.argv[1]); f.write_text(f.read_text().replace(sys.argv[2], sys.argv[3], 1))"
    return f"python3 -c {shlex.quote(program)} {shlex.quote(action.path)} {shlex.quote(action.old)} {shlex.quote(action.new)}"
