"""What the user typed, read from the raw command line.

Snakemake parses the values of `--config` as YAML, so that `note="fix: the tests"` becomes a mapping, `see #12`
loses its end and `007` becomes 7. Everything that is text, a name or a yes-or-no is read here from the words as
they were typed.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from workflow.errors import UsageError
from workflow.plan import documents

TRUE = {"true", "yes", "on", "1"}
FALSE = {"false", "no", "off", "0"}
LOOKING_MODES = (
    "lint", "list_target_rules", "list_rules", "summary", "detailed_summary", "list_changes", "rulegraph", "dag",
    "filegraph", "d3dag", "unlock", "print_compilation", "containerize", "report",
)  # fmt: skip
PARAMETERS = {
    "type": "project type for quickstart",
    "name": "project name for quickstart",
    "phase": "the phase that is meant",
    "agent": "the agent that is meant",
    "by": "who decides",
    "note": "text that goes with a decision",
    "note_file": "file that holds the note",
    "confirm": "yes to what costs money",
    "format": "table, json or csv",
    "table": "the table that is meant",
    "budget_usd": "what the phases after a gate may cost together",
    "key": "SSH key that signs a decision",
    "waive": "what blocks a gate and is accepted, as item=reason; item=reason",
    "agents": "agents that are asked for changes",
    "tasks": "tasks that are decided on, or all",
    "to": "phase whose gate a rollback goes back to",
    "from": "advisory of the rollback that is undone",
    "apply": "no for a preview of a rollback",
    "against": "base or reviewed",
    "remote": "repository to publish to: a URL or a path",
    "branch": "name of the branch that is published",
    "patches": "folder for patch files",
    "follow": "yes to follow a log while the agent works",
}


@dataclass(frozen=True)
class CommandLine:
    """One call of snakemake: what it is asked for, and the raw values of `--config`."""

    targets: list[str] = field(default_factory=list)
    forced: list[str] = field(default_factory=list)
    force_all: bool = False
    dry_run: bool = False
    looks_only: bool = False
    verbose: bool = False
    deletes_outputs: bool = False
    raw: dict[str, str] = field(default_factory=dict)
    config_files: list[Path] = field(default_factory=list)

    def text(self, name: str, default: str = "") -> str:
        """A text as it was typed; `note` may also come from the file that `note_file` names."""
        if name == "note" and "note_file" in self.raw:
            if "note" in self.raw:
                raise UsageError("--config has both note and note_file; give one of them")
            return _read_note(Path(self.raw["note_file"]))
        return self.raw.get(name, default)

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no. UsageError for any other word."""
        if name not in self.raw:
            return default
        word = self.raw[name].strip().lower()
        if word in TRUE | FALSE:
            return word in TRUE
        raise UsageError(f"--config {name}={self.raw[name]}: say yes or no (true, false, on, off, 1, 0 work too)")

    def amount(self, name: str) -> float | None:
        """A positive number, or None where nothing was typed. UsageError for anything else."""
        if name not in self.raw:
            return None
        try:
            value = float(self.raw[name])
        except ValueError:
            value = 0.0
        if not 0 < value < float("inf"):
            raise UsageError(f"--config {name}={self.raw[name]}: write a positive number, such as {name}=2.50")
        return value

    def choice(self, name: str, allowed: list[str], default: str | None = None) -> str:
        """One of the allowed words. UsageError that lists them for anything else, or where it is missing."""
        value = self.raw.get(name, default)
        if value is None:
            raise UsageError(f"--config {name}=... is missing; allowed: {', '.join(allowed)}")
        if value not in allowed:
            raise UsageError(f"--config {name}={value}: not known; allowed: {', '.join(allowed)}")
        return value


def _read_note(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config note_file={path}: cannot be read ({error})") from error


def parse(arguments: list[str]) -> CommandLine:
    """The command line as Snakemake's own parser sees it, with `--config` unparsed. Raises UsageError."""
    from snakemake.cli import get_argument_parser

    parsed, _ = get_argument_parser().parse_known_args(arguments)
    targets = list(parsed.targets or [])
    return CommandLine(
        targets=targets,
        forced=[*sorted(parsed.forcerun or []), *(targets if parsed.force else [])],
        force_all=bool(parsed.forceall),
        dry_run=bool(parsed.dryrun),
        looks_only=any(bool(getattr(parsed, mode, False)) for mode in LOOKING_MODES),
        verbose=bool(parsed.verbose or parsed.printshellcmds),
        deletes_outputs=bool(parsed.delete_all_output or parsed.delete_temp_output),
        raw=_pairs(parsed.config or []),
        config_files=[Path(name) for name in parsed.configfile or []],
    )


def _pairs(words: list[str]) -> dict[str, str]:
    """`key=value` words as a mapping. UsageError for a word without `=` or a key that stands twice."""
    found: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UsageError(f"--config {word}: write key=value; targets come before --config")
        if key in found:
            raise UsageError(f"--config {key}=... stands twice; give it once")
        found[key] = value
    return found


def setting(value: str) -> Any:
    """The value of a config key that was given on the command line (`4`, `null`, `{compression: 0}`)."""
    try:
        return yaml.load(value, documents.Loader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"--config ...={value}: not a YAML value ({' '.join(str(error).split())})") from error


@dataclass(frozen=True)
class Command:
    """How this snakemake is started again, as a person pastes it.

    `words` are program and options, `config` the `--config` words and `config_files` the files that it needs, `folder`
    the way from where the person stands to the working directory (empty where they are the same).
    """

    words: tuple[str, ...]
    config: tuple[str, ...] = ()
    folder: str = ""
    config_files: tuple[str, ...] = ()

    def line(self, *words: str, config: tuple[str, ...] = ()) -> str:
        """A whole command: targets and options first, all `--config` words last."""
        pairs = (*self.config, *config)
        given = ("--configfile", *self.config_files) if self.config_files else ()
        return shlex.join([*self.words, *words, *given, *(("--config", *pairs) if pairs else ())])

    def path(self, path: Path) -> str:
        """A file of the working directory, quoted for the shell in which the person stands."""
        return shlex.quote(str(Path(self.folder) / path))

    def go_on(self) -> str:
        """The plain command that carries the run on."""
        return self.line("--cores", "2")


def invocation(snakefile: Path, workdir: Path, start: Path, config: tuple[str, ...] = (), config_files: tuple[str, ...] = ()) -> Command:
    """The command that starts this snakemake again from the folder `start`, in which the user stands.

    A bare `snakemake` where that is what the shell finds, else the path of the executable that was invoked;
    with `-s` and `-d` where Snakemake would not find Snakefile and folder on its own.
    """
    program = Path(sys.argv[0])
    found = shutil.which(program.name)
    if found and Path(found).absolute() == program.absolute():
        words = [program.name]
    elif program.name == "snakemake":
        words = [str(_from(start, program.absolute()))]
    else:
        words = [sys.executable, "-m", "snakemake"]
    if snakefile.resolve() not in {(start / name).resolve() for name in ("Snakefile", "workflow/Snakefile")}:
        words += ["-s", str(_from(start, snakefile))]
    if workdir.resolve() != start.resolve():
        words += ["-d", str(_from(start, workdir))]
    folder = "" if workdir.resolve() == start.resolve() else str(_from(start, workdir))
    return Command(tuple(words), config, folder, config_files)


def _from(start: Path, path: Path) -> Path:
    """`path` relative to `start` where it lies below it, else absolute."""
    return path.relative_to(start) if path.is_relative_to(start) else path
