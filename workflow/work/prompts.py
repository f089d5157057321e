"""Prompts: what is said to an agent, made from its brief and from the files that upstream phases decided."""

from __future__ import annotations

import codecs
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any

import jinja2

from workflow import markup
from workflow.errors import RunError
from workflow.plan import roles
from workflow.work import trees
from workflow.work.runners import templates

FILE_LIMIT = 24_000
TOTAL_LIMIT = 160_000
LISTED = 500
TEXT_SUFFIXES = {".md", ".yaml", ".yml", ".toml", ".txt", ".rst", ".mmd"}


def render(
    brief: dict[str, Any], repo: Path, base: str, run_dir: Path, parents: list[dict[str, Any]], mine: str | Path | None = None
) -> str:
    """The prompt of one attempt as Markdown; `mine` is a person's own folder of templates.

    RunError for a placeholder that does not exist, another fault of a template, or one that was changed since the brief
    was written. Upstream documents (Markdown, YAML, TOML, plain text) are quoted with their contents, at most 24 kB each
    and 160 kB together; all other files are named.
    """
    if brief.get("prompt_template_sha256") not in (None, roles.prompt_sha256(brief["role"], mine)):
        raise RunError(f"the prompt templates of {brief['role']} were changed after this call began; run snakemake again")
    listed = trees.files(repo, base)
    values = templates.context(brief["intake"]) | {
        "run": brief["run"],
        "phase": brief["phase"],
        "agent": brief["agent"],
        "role": brief["role"],
        "instructions": brief["instructions"],
        "upstream_files": _documents(repo, base, listed),
        "upstream_checks": [{"phase": found["phase"], **check} for found in brief["upstream"] for check in found["checks"]],
        "parents": parents,
        "peers": brief["peers"],
        "artifacts": brief["artifacts"],
        "protected": brief.get("protected", []),
        "owns": brief.get("owns", []),
        "checks": brief["checks"],
        "attachments": [_attachment(run_dir / "attachments", item["path"]) for item in brief["attachments"]],
        "feedback": brief["feedback"],
        "task": brief.get("task"),
        "strict": brief.get("touches") == "strict",
        "conflict": brief.get("conflict"),
        "files": listed[:LISTED],
    }
    name = f"{brief['role']}{roles.SUFFIX}"
    try:
        return markup.environment(roles.folders(mine)).get_template(name).render(values)
    except jinja2.TemplateError as error:
        place = _place(error) or roles.parts(brief["role"], mine).get(name, name)
        raise RunError(f"{place}: the prompt template cannot be rendered: {markup.one_line(str(error))}") from error


def _place(error: jinja2.TemplateError) -> str:
    """`file:line` of the template in which the error came up, as Jinja2 has put it into the traceback."""
    if isinstance(error, jinja2.TemplateSyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    here: TracebackType | None = error.__traceback__
    found = ""
    while here:
        if here.tb_frame.f_code.co_filename.endswith(".j2"):
            found = f"{here.tb_frame.f_code.co_filename}:{here.tb_lineno}"
        here = here.tb_next
    return found


def _documents(repo: Path, base: str, listed: list[str]) -> list[dict[str, Any]]:
    """The documents among the files of the base tree with their contents, those nearest the top first."""
    paths = [path for path in listed if PurePosixPath(path).suffix.lower() in TEXT_SUFFIXES]
    paths.sort(key=lambda name: (name.count("/") > 1, name))
    found, total = [], 0
    for path, content in zip(paths, trees.read_objects(repo, [f"{base}:{path}" for path in paths]), strict=False):
        if total >= TOTAL_LIMIT:
            break
        limit = min(FILE_LIMIT, TOTAL_LIMIT - total)
        total += len(content[:limit])
        found.append({"path": path, "content": _beginning(content, limit, "replace"), "truncated": len(content) > limit})
    return found


def _attachment(folder: Path, name: str) -> dict[str, Any]:
    """An attachment with its text; empty where it is not UTF-8 text."""
    content = (folder / name).read_bytes()
    try:
        text = _beginning(content, FILE_LIMIT, "strict")
    except UnicodeDecodeError:
        return {"path": name, "content": "(not a text file)", "truncated": False}
    return {"path": name, "content": text, "truncated": len(content) > FILE_LIMIT}


def _beginning(content: bytes, limit: int, errors: str) -> str:
    """The first `limit` bytes as text, without the part of a character that the cut may leave at the end."""
    return codecs.getincrementaldecoder("utf-8")(errors).decode(content[:limit], final=len(content) <= limit)
