"""Render a folder of templates into an agent's tree.

Files that end in `.j2` are Jinja2 templates (unknown names are errors); every other file is copied byte for
byte. `__package__` in a path becomes the project's Python package name. A file that renders to nothing but
white space is left out, so that a template can decide that it is not wanted.
"""

from __future__ import annotations

import keyword
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from workflow import globs, markup

LIBRARIES = {
    "tests", "src", "data", "flask", "werkzeug", "waitress", "markupsafe", "click", "itsdangerous", "blinker", "pandas",
    "numpy", "scipy", "matplotlib", "sklearn", "joblib", "pytest", "pytest_cov", "coverage", "pluggy", "iniconfig",
    "packaging", "pygments", "jinja2", "ruff", "threadpoolctl",
    "setuptools", "pip", "conftest",
    "dateutil", "six", "pytz", "pil", "cycler", "kiwisolver", "contourpy", "pyparsing", "fonttools", "plain_figures",
}  # fmt: skip

ACRONYMS = {"ai", "api", "csv", "html", "http", "json", "ml", "pdf", "sql", "ui", "url", "xml"}


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


def render_tree(source: Path, target: Path, values: dict[str, Any], only: Sequence[str] | None = None) -> list[str]:
    """Render every file below `source` (that fits one of the globs `only`) into `target`; the relative paths that were written, sorted."""
    made = markup.environment(source)
    written = []
    for path in sorted(p for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        inside = path.relative_to(source).as_posix()
        name = inside.removesuffix(".j2").replace("__package__", values["package"])
        if only is not None and not globs.matches(name, only):
            continue
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
