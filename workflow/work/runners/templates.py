"""Render a folder of templates into an agent's tree.

Files that end in `.j2` are Jinja2 templates (unknown names are errors); every other file is copied byte for
byte. `__package__` in a path becomes the project's Python package name. A file that renders to nothing but
white space is left out, so that a template can decide that it is not wanted.
"""

from __future__ import annotations

import json
import keyword
import re
import shlex
import sys
from pathlib import Path
from typing import Any

import jinja2

LIBRARIES = {
    "tests", "src", "data", "flask", "werkzeug", "waitress", "markupsafe", "click", "itsdangerous", "blinker", "pandas",
    "numpy", "scipy", "matplotlib", "sklearn", "joblib", "pytest", "pytest_cov", "coverage", "pluggy", "iniconfig",
    "packaging", "pygments", "jinja2", "ruff", "threadpoolctl",
    "setuptools", "pip", "conftest",
    "dateutil", "six", "pytz", "pil", "cycler", "kiwisolver", "contourpy", "pyparsing", "fonttools", "plain_figures",
}  # fmt: skip

ACRONYMS = {"ai", "api", "csv", "html", "http", "json", "ml", "pdf", "sql", "ui", "url", "xml"}


def environment(folder: Path | None = None) -> jinja2.Environment:
    """A Jinja2 environment in which an unknown placeholder is an error.

    Filters: `json` (a literal for Python, TOML, YAML and JavaScript), `md` (plain text made safe for Markdown),
    `oneline` (white space folded), `slug` (file-name form), `fence` (a fenced block that its content cannot end),
    `code` (an inline code span), `shell` (a list of words as one shell command), `label` (text of a Mermaid node).
    """
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder) if folder else None,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - Markdown, Python and TOML: each place names its filter
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


def package_name(name: str) -> str:
    """The Python package name of a project: `my-todo-app` becomes `my_todo_app`.

    Names that begin with a digit get a prefix; keywords, standard modules and the libraries that scaffolded
    projects import get a suffix, so that the package hides none of them.
    """
    made = re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")
    if not re.match(r"[a-z]", made):
        return f"project_{made}"
    taken = keyword.iskeyword(made) or made in sys.stdlib_module_names or made in LIBRARIES
    return f"{made}_project" if taken else made


def context(intake: dict[str, Any]) -> dict[str, Any]:
    """What every scaffold template may use: `intake`, `project`, `package`, `title`."""
    project = intake["project"]
    words = [word for word in re.split(r"[._-]+", project["name"]) if word]
    title = " ".join(word.upper() if word.lower() in ACRONYMS else word[0].upper() + word[1:] for word in words)
    return {"intake": intake, "project": project, "package": package_name(project["name"]), "title": title}


def render_tree(source: Path, target: Path, values: dict[str, Any]) -> list[str]:
    """Render every file below `source` into `target`; return the relative paths that were written, sorted."""
    made = environment(source)
    written = []
    for path in sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        inside = path.relative_to(source).as_posix()
        name = inside.removesuffix(".j2").replace("__package__", values["package"])
        if inside.endswith(".j2"):
            content = made.get_template(inside).render(values).encode()
            if not content.strip():
                continue
        else:
            content = path.read_bytes()
        goal = target / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        goal.write_bytes(content)
        goal.chmod(0o755 if name.endswith(".sh") else 0o644)
        written.append(name)
    return sorted(written)
