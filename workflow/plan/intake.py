"""The intake: the brief of one run, checked, completed with defaults, and frozen at the start.

The frozen intake is `runs/<run>/intake.yaml`; attachments are copied to `runs/<run>/attachments/`, so that a run
does not change when the files that it was started from do.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from workflow import files
from workflow.errors import IntakeError
from workflow.plan import documents

ATTACHMENT_LIMIT = 10 * 1024 * 1024


def read(path: Path) -> dict[str, Any]:
    """The intake in `path`, with all defaults. IntakeError with one line per problem."""
    try:
        document = documents.load(path)
    except documents.DocumentError as error:
        raise IntakeError(f"{error}; an example is config/intake.yaml of Phasegate") from error
    wrong = documents.problems(document, "intake")
    if wrong:
        raise IntakeError("\n".join(wrong))
    intake = documents.fill_defaults(document.data, documents.schema("intake"))
    _refuse_credentials(intake["project"]["source"], document.where("project", "source"))
    for index, name in enumerate(intake["attachments"]):
        problem = _refused_attachment(path.parent, name)
        if problem:
            wrong.append(f"{document.where('attachments', index)}: attachment {documents.show(name)} {problem}")
    if wrong:
        raise IntakeError("\n".join(wrong))
    return intake


def _refused_attachment(folder: Path, name: str) -> str:
    """What is wrong with an attachment: it must be a plain file inside the intake's folder, at most 10 MB."""
    path = folder / name
    try:
        if Path(name).is_absolute() or not path.resolve().is_relative_to(folder.resolve()):
            return f"leads out of {folder}; copy it into that folder"
        if path.is_symlink():
            return "is a link; put the file itself there"
        if not path.is_file():
            return f"is missing: there is no such file in {folder}"
        return f"is larger than {ATTACHMENT_LIMIT} bytes" if path.stat().st_size > ATTACHMENT_LIMIT else ""
    except (OSError, ValueError) as error:
        return f"cannot be read ({error})"


def _refuse_credentials(source: str | None, where: str) -> None:
    """Credentials in a URL would stand in every prompt."""
    if source and re.match(r"[a-z+]+://[^/@]*:[^/@]*@", source, re.IGNORECASE):
        raise IntakeError(f"{where}: `project.source` holds a password or token; take it out and use git's credential helper")


def freeze(intake: dict[str, Any], source: Path, run_dir: Path) -> None:
    """Write the intake and its attachments into the run's folder. An existing frozen intake is left as it is."""
    goal = run_dir / "intake.yaml"
    if goal.exists():
        return
    for name in intake["attachments"]:
        files.write_bytes(run_dir / "attachments" / name, (source.parent / name).read_bytes())
    frozen = dict(intake, project=_absolute_source(intake["project"], source.parent))
    text = yaml.safe_dump(frozen, sort_keys=False, allow_unicode=True, width=100)
    files.write_text(goal, f"# Frozen when the run started. It is what agents are told: whoever changes it lets them work again.\n{text}")


def _absolute_source(project: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`project` with a relative `source` path made absolute (it was relative to the intake's folder)."""
    source = project["source"]
    if source and "://" not in source and not _is_scp(source):
        return dict(project, source=str((folder / Path(source).expanduser()).resolve()))
    return project


def _is_scp(source: str) -> bool:
    """Whether a git source has the form `host:path`."""
    head, colon, _ = source.partition(":")
    return bool(colon) and "/" not in head


def frozen(run_dir: Path) -> dict[str, Any] | None:
    """The frozen intake of a run, or None where the run has not started."""
    path = run_dir / "intake.yaml"
    return read_frozen(path) if path.is_file() else None


def read_frozen(path: Path) -> dict[str, Any]:
    """A frozen intake; its attachments lie in the folder `attachments` beside it."""
    document = documents.load(path)
    wrong = documents.problems(document, "intake")
    if wrong:
        raise IntakeError("\n".join(wrong))
    return documents.fill_defaults(document.data, documents.schema("intake"))


def from_template(kind: str, name: str, folder: Path) -> dict[str, Any]:
    """A full intake of one type from `config/intakes/<type>.yaml`, under another name."""
    intake = read(folder / f"{kind}.yaml")
    return dict(intake, project=dict(intake["project"], name=name))
