"""What works here: for each runner whether its program is found, its version and what it reports, and the sandbox."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import Any

from workflow.markup import plain
from workflow.plan import presets
from workflow.view import tables
from workflow.work import sandbox
from workflow.work.runners import from_brief

VERSION_TIMEOUT_S = 10
VERSION_CHARACTERS = 60
NAMES = ("runner", "found", "version", "reports", "model", "home", "network", "to_do")


def rows(runners: Mapping[str, Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One row per runner, the embedded one first; nothing but version commands is run."""
    return [_row(name, runners.get(name, {})) for name in dict.fromkeys([presets.EMBEDDED, *runners])]


def show(runners: Mapping[str, Mapping[str, Any]], mode: str, form: str = "table") -> int:
    """Print the rows and what protects agents here, as a table or as JSON; 1 where `sandbox: require` cannot be met."""
    protection = sandbox.choose("auto")
    ready = protection != "none" or mode != "require"
    if form == "json":
        tables.print_rows([{"sandbox": protection, "mode": mode, "runners": rows(runners)}], (), form)
        return 0 if ready else 1
    tables.print_rows(rows(runners), NAMES, form)
    print(f"\nsandbox:  {_protection(protection, mode)}")
    return 0 if ready else 1


def _protection(protection: str, mode: str) -> str:
    if mode == "off":
        return "off in the configuration: agents and checks run unprotected"
    if protection == "none":
        return f"none works here (sandbox: {mode}); install bubblewrap and allow user namespaces, or use Linux 6.2 or newer"
    better = "; bubblewrap, which hides more, does not" if protection == "landlock" else ""
    return f"{protection} works here (sandbox: {mode}){better}"


def _row(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    about = presets.about(name)
    row = {"runner": name, "found": None, "version": None, "reports": _reports(about, entry), "to_do": ""}
    row |= {"model": entry.get("model"), "home": entry.get("home", "private"), "network": entry.get("network", "on")}
    if name != presets.EMBEDDED and not entry.get("command"):
        return row | {"to_do": about.install if about else f"give runners.{name}.command"}
    runner = from_brief({"name": name, **entry})
    program = runner.program()
    row["found"] = shutil.which(program)
    if row["found"] is None:
        return row | {"to_do": about.install if about and about.source != "yours" else f"put {program} on PATH"}
    if name == presets.EMBEDDED:
        return row | {"found": "embedded", "version": runner.version}
    own = about.version if about and entry.get("command", [""])[0] == presets.entry(name).get("command", [None])[0] else ()
    version = _version([runner.program(word) for word in own]) if own else None
    return row | {"version": version, "to_do": about.install if about and own and version is None else ""}


def _reports(about: presets.About | None, entry: Mapping[str, Any]) -> str:
    """What is known of its usage: as the preset says, else by the reader that was chosen."""
    if about and about.reports:
        return ", ".join(about.reports)
    return "nothing" if entry.get("usage", "none") == "none" else f"as {entry['usage']}"


def _version(command: list[str]) -> str | None:
    """The first line that a version command prints, shortened and without anything that acts; None where it fails."""
    with tempfile.TemporaryFile() as sink:
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, timeout=VERSION_TIMEOUT_S, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        sink.seek(0)
        said = sink.read(4096).decode("utf-8", "replace")
    first = next((line.strip() for line in said.splitlines() if line.strip()), "")
    return plain(first)[:VERSION_CHARACTERS] if first and done.returncode == 0 else None
