"""The settings of one call: defaults, then the working directory's config, then --configfile, then --config.

Files are laid over each other key by key, except `phases`, which a later file replaces as a whole. Each file is
checked against `workflow/schemas/config.schema.yaml`, so that an error names the file and line it stands in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow.errors import ConfigError, UsageError
from workflow.plan import commandline, documents, presets
from workflow.plan.commandline import CommandLine


@dataclass(frozen=True)
class Settings:
    """All settings, complete with defaults, and where each one stands for messages."""

    values: dict[str, Any]
    sources: list[documents.Document] = field(repr=False, default_factory=list)

    def __getitem__(self, key: str) -> Any:
        """The value of a top-level key."""
        return self.values[key]

    def where(self, *key: str | int) -> str:
        """`file:line` of a key in the last file that has it, or has what is around it."""
        for depth in range(len(key), 0, -1):
            for source in reversed(self.sources):
                if key[:depth] in source.lines:
                    return source.where(*key[:depth])
        return str(self.sources[-1].path) if self.sources else "config"


def load(root: Path, workdir: Path, line: CommandLine) -> Settings:
    """Read and check all settings. ConfigError or UsageError with one line per problem."""
    paths = [root / "config" / "config.yaml"]
    local = workdir / "config" / "config.yaml"
    if local.is_file() and local.resolve() != paths[0].resolve():
        paths.append(local)
    paths += line.config_files
    sources = [_checked(path) for path in paths]
    merged: dict[str, Any] = {}
    for source in sources:
        merged = _merge(merged, source.data)
    ceilings = documents.fill_defaults(merged, documents.schema("config"))["limits"]
    merged = _merge(merged, _overrides(line, ceilings))
    merged["runners"] = presets.laid_under(merged.get("runners", {}))
    settings = Settings(documents.fill_defaults(merged, documents.schema("config")), sources)
    _require_commands(settings)
    return settings


def _require_commands(settings: Settings) -> None:
    """ConfigError for a runner of the user's that has no command, neither of its own nor from a preset."""
    mentioned = {name for source in settings.sources for name in source.data.get("runners", {})}
    for name, entry in settings["runners"].items():
        if name in mentioned and "command" not in entry and name != presets.EMBEDDED:
            known = ", ".join(known for known in presets.names() if "command" in presets.entry(known))
            raise ConfigError(
                f"{settings.where('runners', name)}: `runners.{name}` lacks the required key `command`; presets with one: {known}"
            )


def _checked(path: Path) -> documents.Document:
    try:
        document = documents.load(path)
    except documents.DocumentError as error:
        raise ConfigError(str(error)) from error
    wrong = documents.problems(document, "config")
    if wrong:
        raise ConfigError("\n".join(wrong))
    return document


def _merge(below: dict[str, Any], above: dict[str, Any], top: bool = True) -> dict[str, Any]:
    """`above` laid over `below`, key by key; `phases` is taken whole."""
    merged = dict(below)
    for key, value in above.items():
        whole = top and key == "phases"
        if isinstance(value, dict) and isinstance(merged.get(key), dict) and not whole:
            merged[key] = _merge(merged[key], value, top=False)
        else:
            merged[key] = value
    return merged


def _overrides(line: CommandLine, ceilings: dict[str, Any]) -> dict[str, Any]:
    """The settings among the `--config` words, checked against the schema and the ceilings."""
    known = documents.schema("config")["properties"]
    fixed = {"limits", "phases", "runners"}
    chosen = {}
    for key, value in line.raw.items():
        if key in commandline.PARAMETERS:
            continue
        if key not in known or key in fixed:
            allowed = sorted((set(known) - fixed) | set(commandline.PARAMETERS))
            where = "only config files may set it" if key in fixed else f"known: {', '.join(allowed)}"
            raise UsageError(f"--config {key}={value}: unknown key `{key}`; {where}")
        chosen[key] = value if key in ("run", "intake", "runner", "sandbox") else commandline.setting(value)
        if key == "runner" and "," in value:
            chosen[key] = [name.strip() for name in value.split(",")]
    if chosen.get("run") in ("null", ""):
        chosen["run"] = None
    _check_overrides(chosen, ceilings)
    return chosen


def _check_overrides(chosen: dict[str, Any], ceilings: dict[str, Any]) -> None:
    document = documents.Document(Path("--config"), chosen, {(): 1})
    wrong = documents.problems(document, "config")
    if wrong:
        raise UsageError("\n".join(text.replace("--config:1", "--config") for text in wrong))
    for key, ceiling in ceilings.items():
        if key in chosen and chosen[key] > ceiling:
            raise UsageError(f"--config {key}={chosen[key]}: above the ceiling {ceiling} that limits.{key} sets")


def first(candidates: Iterable[Path]) -> Path | None:
    """The first path that is a file."""
    return next((path for path in candidates if path.is_file()), None)
