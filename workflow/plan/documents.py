"""YAML documents that know their lines, and their check against a schema.

PyYAML keeps the last of two equal keys silently and forgets where a value stood; here both are mended, so that
each error can name file, line and key. Schemas are JSON Schema 2020-12, written as YAML in `workflow/schemas/`.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"
Key = tuple[str | int, ...]
SHAPES: dict[type, str] = {dict: "a mapping of keys to values", list: "a list"}


@dataclass(frozen=True)
class Document:
    """A YAML file: its data, and the line (from 1) on which each key stands."""

    path: Path
    data: Any
    lines: dict[Key, int] = field(repr=False)

    def where(self, *key: str | int) -> str:
        """`file:line` of a key, or of the nearest one around it."""
        at: Key = key
        while at and at not in self.lines:
            at = at[:-1]
        return f"{self.path}:{self.lines.get(at, 1)}"


class DocumentError(ValueError):
    """The document cannot be read as YAML; the text names file and line."""


Safe: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml reads ten times faster, where PyYAML was built with it


class Loader(Safe):
    """PyYAML's safe loader with the booleans of YAML 1.2: `off`, `no` and `yes` are texts."""

    yaml_implicit_resolvers = {
        letter: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:bool"]
        for letter, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
for _letter in "+-.":  # `.nan` and `.inf` stay texts: no key has a use for them, and no limit holds against them
    _kept = [pair for pair in Loader.yaml_implicit_resolvers.get(_letter, []) if pair[0] != "tag:yaml.org,2002:float"]
    _number = ("tag:yaml.org,2002:float", re.compile(r"^[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+][0-9]+)?$"))
    Loader.yaml_implicit_resolvers[_letter] = [*_kept, _number]


def load(path: Path) -> Document:
    """Read one YAML mapping. DocumentError for bad YAML, duplicate keys, or anything but a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise DocumentError(f"{path}: there is no such file") from error
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentError(f"{path}: cannot be read ({error})") from error
    return parse(text, path)


def parse(text: str, path: Path, kind: type = dict) -> Document:
    """`load` for text that is already there; `path` is what messages name, `kind` what the whole has to be (dict or list)."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        lines: dict[Key, int] = {(): 1}
        if node is None:
            return Document(path, kind(), lines)
        _walk(node, (), lines, path)
        data = loader.construct_document(node)
    except DocumentError:
        raise
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise DocumentError(f"{path}:{line}: not valid YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DocumentError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from error
    finally:
        loader.dispose()
    if data is None:
        return Document(path, kind(), lines)
    if not isinstance(data, kind):
        raise DocumentError(f"{path}:1: must be {SHAPES[kind]}, not a {type(data).__name__}")
    return Document(path, data, lines)


def _walk(node: yaml.Node, key: Key, lines: dict[Key, int], path: Path) -> None:
    """Collect the lines of all keys below `node`; refuse keys that stand twice."""
    lines.setdefault(key, node.start_mark.line + 1)
    if isinstance(node, yaml.ScalarNode) and any("\ud800" <= char <= "\udfff" for char in node.value):
        raise DocumentError(f"{path}:{node.start_mark.line + 1}: `{dotted(key)}` holds half of a character (a lone surrogate)")
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(child, (*key, index), lines, path)
    elif isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for name, child in node.value:
            line = name.start_mark.line + 1
            if name.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                shown = f"`{name.value}` " if isinstance(name, yaml.ScalarNode) else ""
                raise DocumentError(f"{path}:{line}: key {shown}is not a text; put it in quotes")
            if name.value in seen:
                first = seen[name.value]
                raise DocumentError(f"{path}:{line}: key `{name.value}` stands twice (first on line {first}); keep one")
            seen[name.value] = line
            lines[(*key, name.value)] = line
            _walk(child, (*key, name.value), lines, path)


@functools.cache
def schema(name: str) -> dict[str, Any]:
    """The schema `workflow/schemas/<name>.schema.yaml`."""
    return read_own(SCHEMAS / f"{name}.schema.yaml")


def read_own(path: Path) -> Any:
    """The value in a YAML file that ships with Phasegate."""
    return yaml.load(path.read_text(encoding="utf-8"), Safe)  # noqa: S506 - a safe loader


def problems(document: Document, schema_name: str) -> list[str]:
    """What is wrong with the document, one line each (`file:line: key: fact; what is allowed`), in line order."""
    found = []
    for error in _validator()(schema(schema_name)).iter_errors(document.data):
        for key, text in _explain(error):
            line = document.lines.get(key) or document.lines.get(tuple(error.absolute_path), 1)
            found.append((line, f"{document.where(*key)}: {text}"))
    return [text for _, text in sorted(set(found))]


@functools.cache
def _validator() -> Any:
    """jsonschema's validator, in which 2.0 is no integer and a line break at the end matches no pattern."""
    import jsonschema  # 0.1 s: only where a document is checked

    plain = jsonschema.Draft202012Validator
    whole = plain.TYPE_CHECKER.redefine("integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool))

    def pattern(_validator: Any, wanted: str, value: Any, _schema: Any) -> Iterable[Any]:
        if isinstance(value, str) and (value.endswith("\n") or not re.search(wanted, value)):
            yield jsonschema.ValidationError(f"{value!r} does not match {wanted!r}")

    return jsonschema.validators.extend(plain, {"pattern": pattern}, type_checker=whole)


def _explain(error: Any) -> Iterable[tuple[Key, str]]:
    """One or more (key, text) for one error of jsonschema."""
    key: Key = tuple(error.absolute_path)
    name = f"`{dotted(key)}`" if key else "the file"
    if error.validator == "additionalProperties":
        known = sorted(error.schema.get("properties", {}))
        for extra in sorted(set(map(str, error.instance)) - set(known)):
            near = difflib.get_close_matches(extra, known, n=1)
            hint = f"did you mean `{near[0]}`? " if near else ""
            yield (*key, extra), f"unknown key `{dotted((*key, extra))}`; {hint}known: {', '.join(known)}"
    elif error.validator == "required":
        for missing in error.validator_value:
            if missing not in error.instance:
                yield key, f"{name} lacks the required key `{missing}`"
    elif error.validator == "enum":
        yield key, f"{name} is {show(error.instance)}; allowed: {', '.join(map(str, error.validator_value))}"
    elif error.validator == "type":
        wanted = error.validator_value
        yield key, f"{name} is {show(error.instance)}; allowed: {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
    elif error.validator == "pattern" and "propertyNames" in error.absolute_schema_path:
        yield (*key, error.instance), f"{name} has the name {show(error.instance)}; allowed: names that match {error.validator_value}"
    elif error.validator == "pattern":
        yield key, f"{name} is {show(error.instance)}; allowed: text that matches {error.validator_value}"
    elif error.validator in ("minimum", "maximum", "exclusiveMinimum"):
        words = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}[error.validator]
        yield key, f"{name} is {show(error.instance)}; allowed: {words} {error.validator_value}"
    elif error.validator in ("minLength", "minItems"):
        yield key, f"{name} is empty; it needs a value"
    else:
        yield key, f"{name}: {error.message}"


def dotted(key: Key) -> str:
    """A key as people write it: `phases.testing.checks.0`."""
    return ".".join(map(str, key))


def show(value: Any) -> str:
    """A value for a message, short and on one line."""
    text = {"None": "null", "True": "true", "False": "false"}.get(repr(value)) or " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."


def fill_defaults(value: Any, wanted: dict[str, Any]) -> Any:
    """`value` with the schema's defaults in every place that was left out (the argument is not changed)."""
    if isinstance(value, dict) and "properties" in wanted:
        filled = dict(value)
        for name, part in wanted["properties"].items():
            if name in filled:
                filled[name] = fill_defaults(filled[name], part)
            elif "default" in part:
                filled[name] = fill_defaults(part["default"], part)
        return filled
    if isinstance(value, dict) and isinstance(wanted.get("additionalProperties"), dict):
        return {name: fill_defaults(item, wanted["additionalProperties"]) for name, item in value.items()}
    if isinstance(value, list) and "items" in wanted:
        return [fill_defaults(item, wanted["items"]) for item in value]
    return value
