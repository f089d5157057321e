"""Roles: the prompt templates that there are, a person's own laid over those that Phasegate ships, by file name.

What a role's prompt is made of is read from the templates themselves: all that is included, extended or imported, by a
name that stands there, so that the hash of a role changes exactly when its prompt may.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import meta, nodes

from workflow import files, markup
from workflow.errors import ConfigError
from workflow.plan.settings import Settings

PROMPTS = Path(__file__).resolve().parents[1] / "prompts"
SUFFIX = ".md.j2"
VARIABLES = (
    "agent", "artifacts", "attachments", "checks", "conflict", "feedback", "files", "instructions", "intake", "owns", "package",
    "parents", "peers", "phase", "project", "protected", "role", "run", "strict", "task", "title", "upstream_checks", "upstream_files",
)  # fmt: skip
NAMING = re.compile(r"\{#.*?#\}|\{%[-+]?\s*(?:include|extends|import|from)\b.*?%\}", re.DOTALL)  # comments are passed over
OF_JINJA = {"loop", "self", "super", "caller", "varargs", "kwargs"}
_hashes: dict[tuple[str, str | Path | None], tuple[tuple[str, ...], tuple[object, ...], str]] = {}  # names, their moment, hash


@dataclass(frozen=True)
class Reference:
    """A template that another one names: its name (None where it is computed), the line, whether it may be missing."""

    name: str | None
    line: int
    optional: bool


def own(settings: Settings) -> Path | None:
    """The person's own folder of templates, the setting `prompts`. ConfigError where there is none."""
    if settings["prompts"] is None:
        return None
    folder = Path(settings["prompts"]).expanduser()
    if not folder.is_dir():
        raise ConfigError(f"{settings.where('prompts')}: `prompts`: there is no folder {folder}; make it: cp -r {PROMPTS} {folder}")
    return folder


def folders(mine: str | Path | None) -> tuple[Path, ...]:
    """Where templates are looked for, in this order."""
    return (Path(mine).expanduser(), PROMPTS) if mine else (PROMPTS,)


def names(mine: str | Path | None = None) -> list[str]:
    """The names of all roles."""
    return sorted({path.name.removesuffix(SUFFIX) for folder in folders(mine) for path in folder.glob(f"[!_.]*{SUFFIX}")})


def prompt_sha256(role: str, mine: str | Path | None = None) -> str:
    """Hash of a role's template and of every template that it includes, extends or imports."""
    names, moment, found = _hashes.get((role, mine), ((), (), ""))
    if not found or moment != _moment(names, mine):
        templates = parts(role, mine)
        names = tuple(templates)
        moment = _moment(names, mine)  # before they are read once more
        found = files.sha256_json({name: files.sha256_bytes(_read(path).encode()) for name, path in templates.items()})
        _hashes[role, mine] = names, moment, found
    return found


def _moment(names: Iterable[str], mine: str | Path | None) -> tuple[object, ...]:
    """What changes whenever a template of one of these names does, comes, or goes."""
    return tuple(files.moment(folder / name, follow=True) for name in names for folder in folders(mine))


def parts(role: str, mine: str | Path | None = None) -> dict[str, Path]:
    """The templates that a role's prompt is made of, by name. ConfigError for one that cannot be read."""
    found: dict[str, Path] = {}
    waiting = [f"{role}{SUFFIX}"]
    while waiting:
        name = waiting.pop()
        path = next((folder / name for folder in folders(mine) if (folder / name).is_file()), None)
        if path and name not in found:
            found[name] = path
            waiting += [reference.name for reference in _references(path) if reference.name]
    return found


def check(mine: Path, intake: Mapping[str, Any]) -> None:
    """ConfigError, one line with file and line, for a mistake in the person's own templates that can be seen before any is used."""
    used = {name: path for role in names(mine) for name, path in parts(role, mine).items()}
    for path in sorted(mine.glob("*.j2")):
        if path.name not in used:
            shipped = ", ".join(sorted(path.name for path in PROMPTS.glob("*.j2")))
            raise ConfigError(f"{path}: no role is made of this template; Phasegate's own are: {shipped}")
    trees = {name: _tree(path) for name, path in sorted(used.items())}
    known = {*VARIABLES, *OF_JINJA, *(name for tree in trees.values() for name in _set_in(tree))}
    for name, tree in trees.items():
        if used[name].is_relative_to(mine):
            _check_template(used[name], tree, known, mine)
            _check_keys(used[name], tree, intake)


def _check_template(path: Path, tree: nodes.Template, known: set[str], mine: Path) -> None:
    for reference in _references(path):
        _check_reference(path, reference, mine)
    try:
        used = meta.find_undeclared_variables(tree)
    except jinja2.TemplateSyntaxError as error:  # an unknown filter or test
        raise ConfigError(f"{path}:{error.lineno}: {error.message}") from error
    for wrong in sorted(used - known):
        line = next((node.lineno for node in tree.find_all(nodes.Name) if node.name == wrong), 1)
        raise ConfigError(f"{path}:{line}: unknown placeholder `{wrong}`; known: {', '.join(VARIABLES)}")


def _check_reference(path: Path, reference: Reference, mine: Path) -> None:
    if reference.name is None:
        raise ConfigError(f"{path}:{reference.line}: the name of a template must stand there as text, so that a change of it is noticed")
    if not reference.optional and not any((folder / reference.name).is_file() for folder in folders(mine)):
        raise ConfigError(f"{path}:{reference.line}: there is no template `{reference.name}`, neither in {mine} nor in {PROMPTS}")


def _check_keys(path: Path, tree: nodes.Template, intake: Mapping[str, Any]) -> None:
    """ConfigError for `intake.a.b` where the intake has no such key."""
    if "intake" in _set_in(tree):
        return
    for node in tree.find_all(nodes.Getattr):
        keys: list[str] = []
        inner: nodes.Node = node
        while isinstance(inner, nodes.Getattr):
            keys, inner = [inner.attr, *keys], inner.node
        if not isinstance(inner, nodes.Name) or inner.name != "intake":
            continue
        value: Any = intake
        for count, key in enumerate(keys):
            if not isinstance(value, Mapping) or hasattr(value, key):
                break
            if key not in value:
                here = ".".join(["intake", *keys[:count]])
                raise ConfigError(f"{path}:{node.lineno}: `{here}` has no key `{key}`; known: {', '.join(value)}")
            value = value[key]


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from error


def _tree(path: Path) -> nodes.Template:
    try:
        return _parsed(_read(path))
    except jinja2.TemplateSyntaxError as error:
        raise ConfigError(f"{path}:{error.lineno}: {error.message}") from error


@functools.cache
def _parsed(text: str) -> nodes.Template:
    return markup.environment().parse(text)


def _references(path: Path) -> Iterator[Reference]:
    """All templates that this one includes, extends or imports; only those statements are parsed, which is fast."""
    text = _read(path)
    for match in NAMING.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        try:
            found = _parsed(match[0]).body
        except jinja2.TemplateSyntaxError as error:
            raise ConfigError(f"{path}:{line}: {error.message}") from error
        for template, optional in ((getattr(node, "template", None), getattr(node, "ignore_missing", False)) for node in found):
            named = template.items if isinstance(template, nodes.List | nodes.Tuple) else [template] if template else []
            for item in named:
                name = item.value if isinstance(item, nodes.Const) and isinstance(item.value, str) else None
                yield Reference(name, line, optional or len(named) > 1)


def _set_in(tree: nodes.Template) -> Iterable[str]:
    """All names that a template gives a value to, wherever they count."""
    yield from (node.name for node in tree.find_all(nodes.Name) if node.ctx in ("store", "param"))
    yield from (node.name for node in tree.find_all(nodes.Macro))
    yield from (node.target for node in tree.find_all(nodes.Import))
    for node in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in node.names)
