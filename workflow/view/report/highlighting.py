"""Syntax colours: source text as HTML, in a few classes that the style sheet gives a colour in either theme.

Tokens come from Pygments, for the languages listed here. Text is escaped; what is long or has very long lines stays plain,
so that no lexer takes long over it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Any

from markupsafe import Markup, escape

LONGEST_TEXT, LONGEST_LINE = 120_000, 2_000
LANGUAGES = {
    "python": (".py", ".pyi", ".pyw"), "javascript": (".js", ".mjs", ".cjs", ".jsx"), "typescript": (".ts", ".tsx"),
    "json": (".json", ".jsonl"), "yaml": (".yaml", ".yml"), "toml": (".toml",), "ini": (".ini", ".cfg", ".conf"),
    "html": (".html", ".htm"), "xml": (".xml", ".svg"), "css": (".css",), "bash": (".sh", ".bash"), "sql": (".sql",),
    "markdown": (".md",), "go": (".go",), "rust": (".rs",), "java": (".java",), "c": (".c", ".h"), "cpp": (".cpp", ".hpp", ".cc"),
    "ruby": (".rb",), "r": (".r", ".R"), "docker": ("Dockerfile",), "make": ("Makefile",),
}  # fmt: skip
LANGUAGE_OF = {ending: name for name, endings in LANGUAGES.items() for ending in endings}
CLASSES = {
    "Token.Keyword": "k", "Token.Keyword.Constant": "n", "Token.Operator.Word": "k", "Token.Name.Tag": "k",
    "Token.Name.Function": "f", "Token.Name.Class": "f", "Token.Name.Attribute": "f", "Token.Name.Exception": "f",
    "Token.Name.Builtin": "b", "Token.Name.Decorator": "b", "Token.Name.Constant": "b", "Token.Literal.String": "s",
    "Token.Literal.Number": "n", "Token.Comment": "c", "Token.Generic.Heading": "k", "Token.Generic.Subheading": "k",
}  # fmt: skip


def language(path: str) -> str | None:
    """The language of a file, by its name; None where none is known."""
    name = PurePosixPath(path)
    return LANGUAGE_OF.get(name.name) or LANGUAGE_OF.get(name.suffix)


def code(text: str, path: str) -> Markup:
    """Source text with syntax colours."""
    return Markup("\n").join(lines(text, language(path)))


def lines(text: str, name: str | None) -> list[Markup]:
    """Source text line by line, each with its own markup; as many lines as `text.split(newline)` has."""
    plain = text.split("\n")
    if name is None or len(text) > LONGEST_TEXT or max(map(len, plain)) > LONGEST_LINE:
        return [escape(line) for line in plain]
    made: list[list[str]] = [[]]
    for kind, value in _tokens(text, name):
        for index, part in enumerate(value.split("\n")):
            if index:
                made.append([])
            if part:
                made[-1].append(f'<i class="{kind}">{escape(part)}</i>' if kind else str(escape(part)))
    return [Markup("".join(parts)) for parts in made]  # noqa: S704 - each part was escaped


def _tokens(text: str, name: str) -> Iterator[tuple[str, str]]:
    """(class, text) of runs of tokens that look the same."""
    last, held = "", ""
    for token, value in _lexer(name).get_tokens(text):
        kind = _class(token) if value.strip() else last
        if kind != last:
            yield last, held
            last, held = kind, ""
        held += value
    yield last, held


@lru_cache
def _lexer(name: str) -> Any:
    from pygments.lexers import get_lexer_by_name

    return get_lexer_by_name(name, stripnl=False, ensurenl=False)


@lru_cache(maxsize=1000)
def _class(token: Any) -> str:
    """The class of a token type, or of the nearest one above it that has one."""
    while token is not None:
        if str(token) in CLASSES:
            return CLASSES[str(token)]
        token = token.parent
    return ""
