"""Text as data: what people and agents wrote, made safe for Markdown, Mermaid, source files, terminals.

`environment` is the one way in which templates are rendered: an unknown placeholder is an error, and each place in a
template says by its filter what its text becomes.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2


def environment(folder: Path | Sequence[Path] | None = None) -> jinja2.Environment:
    """A Jinja2 environment in which an unknown placeholder is an error. Of several folders the first one that has a template counts.

    Filters: `json` (a literal for Python, TOML, YAML and JavaScript), `md` (plain text made safe for Markdown),
    `oneline` (white space folded), `slug` (file-name form), `fence` (a fenced block that its content cannot end),
    `code` (an inline code span), `shell` (a list of words as one shell command), `label` (text of a Mermaid node).
    """
    import jinja2  # a tenth of a second, and most of what uses this module renders nothing

    from workflow import compiled

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder) if folder else None,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, Python and TOML: each place names its filter
        bytecode_cache=compiled.MEMORY,
    )
    made.filters.update(json=literal, md=markdown_text, oneline=one_line, slug=slug)
    made.filters.update(fence=fenced, code=code_span, shell=shlex.join, label=mermaid_label)
    return made


def literal(value: Any) -> str:
    """`value` as JSON, which is also a literal of Python (for texts and numbers), TOML, YAML and JavaScript."""
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda c: f"\\u{ord(c.group()):04x}", text)


def one_line(text: str) -> str:
    """`text` with each run of white space folded to one blank."""
    return " ".join(str(text).split())


def markdown_text(text: str) -> str:
    """`text` on one line, with every character that means something in GitHub Markdown or HTML escaped."""
    escaped = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]|#~@])", r"\\\1", escaped)


def fenced(text: str, language: str = "") -> str:
    """`text` as a fenced code block whose fence is longer than any run of backticks in it."""
    bar = "`" * max(3, longest_run(text) + 1)
    return f"{bar}{language}\n{str(text).rstrip()}\n{bar}"


def code_span(text: str) -> str:
    """`text` on one line as inline code, whatever backticks it holds."""
    inside, bar = one_line(text), "`" * (longest_run(text) + 1)
    return f"{bar} {inside} {bar}" if "`" in inside else f"{bar}{inside}{bar}"


def longest_run(text: str) -> int:
    """Length of the longest run of backticks in `text`."""
    return max(map(len, re.findall("`+", str(text))), default=0)


def mermaid_label(text: str, limit: int = 48) -> str:
    """`text` for a quoted Mermaid label: one line, shortened, unsafe characters as entities."""
    short = one_line(text)
    short = short if len(short) <= limit else short[: limit - 1].rstrip() + "…"
    return re.sub(r"[^\w .,:/()…-]", lambda c: f"#{ord(c.group())};", short)


def slug(text: str) -> str:
    """`text` as a lower-case file name: letters, digits and dashes."""
    return re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-") or "untitled"


def visible(text: str, keep: str = "\n\t") -> str:
    """`text` with characters that act on a terminal or on the direction of writing replaced, but for those in `keep`."""
    return "".join(char if char in keep or char.isprintable() else "\ufffd" for char in str(text))


def plain(text: str) -> str:
    """`text` for one line of a terminal: nothing in it can act."""
    return visible(text, keep="")
