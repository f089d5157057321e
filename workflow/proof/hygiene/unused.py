"""The program that looks for dead Python code with vulture; `scanners.py` starts it.

Vulture gets the source code as text: no configuration of the tree reaches it, and no `# noqa` switches it off, since an
agent writes that line. Names that frameworks call by convention are left out, and so are variables and attributes, which
frameworks read in ways that nobody can see in the code (fields of data classes, settings, fixtures).
"""

from __future__ import annotations

import pkgutil
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow.proof.hygiene import scanners

COUNTED = {"class", "function", "import", "method", "property", "unreachable_code"}
CALLED = [
    "pytest_*", "visit_*", "depart_*", "do_*", "handle_*", "on_*", "Meta", "Config", "upgrade", "downgrade", "setUp*", "tearDown*",
    "teardown", "log_message", "default", "__*__",
]  # fmt: skip
REGISTERED = [f"@*.{name}" for name in (
    "route", "get", "post", "put", "patch", "delete", "head", "options", "websocket", "errorhandler", "exception_handler", "middleware",
    "before_*", "after_*", "teardown_*", "context_processor", "template_*", "app_*", "command", "group", "callback", "fixture", "task",
    "on", "on_*", "event", "listener", "listens_for", "register", "receiver", "hookimpl", "*validator", "field_serializer", "setter",
    "singledispatch*", "shared_task", "job", "step", "given", "when", "then", "composite", "tool", "user_loader", "shell_context_processor",
)]  # fmt: skip
REGISTERED += ["@fixture", "@receiver", "@register*", "@task", "@shared_task", "@validator", "@*_validator", "@hookimpl", "@overload"]
LARGEST = 4 << 20  # bytes of one file


def scan(contents: Iterator[tuple[str, bytes]]) -> tuple[str, list[dict[str, Any]]]:
    """vulture's version and, per finding, {path, line, kind, name, text}; a file that cannot be parsed is one, too."""
    from vulture import Vulture, __version__

    class Finder(Vulture):
        """Vulture without `# noqa`."""

        noqa_lines = property(lambda self: defaultdict(set), lambda self, value: None)

    finder = Finder(ignore_names=CALLED, ignore_decorators=REGISTERED)
    rows = [row for path, content in contents if (row := _read(finder, path, content))]
    for module in sorted({item.name for item in finder.defined_imports}):
        known = _known_uses(module)
        if known:
            finder.scan(known, Path("whitelists", f"{module}_whitelist.py"))
    rows += [_row(item) for item in finder.get_unused_code(60) if item.typ in COUNTED and item.filename.is_absolute()]
    return __version__, rows


def _read(finder: Any, path: str, content: bytes) -> dict[str, Any] | None:
    """Let vulture read one file; a row where it cannot be parsed."""
    if len(content) > LARGEST:
        return _unread(path, None, "is too large to be searched for dead code")
    before = finder.exit_code
    try:
        text = content.decode("utf-8-sig", "replace")
        compile(text, "<file>", "exec", dont_inherit=True, flags=ONLY_AST)
        finder.scan(text, Path("/", path))
    except (SyntaxError, ValueError) as error:
        return _unread(path, getattr(error, "lineno", None), "cannot be parsed as Python")
    except (RecursionError, MemoryError):
        return _unread(path, None, "is nested too deeply to be searched for dead code")
    return _unread(path, None, "cannot be parsed as Python") if finder.exit_code != before else None


def _unread(path: str, line: int | None, text: str) -> dict[str, Any]:
    return {"path": path, "line": line, "kind": "unread", "name": "", "text": text}


def _row(item: Any) -> dict[str, Any]:
    text = item.message if item.typ == "unreachable_code" else f"unused {item.typ} {item.name}"
    return {"path": str(item.filename)[1:], "line": item.first_lineno, "kind": item.typ, "name": item.name, "text": text}


def _known_uses(module: str) -> str:
    """What vulture knows of names that a module of the standard library uses by itself."""
    try:
        found = pkgutil.get_data("vulture", f"whitelists/{module}_whitelist.py")
    except (OSError, ValueError):
        return ""
    return found.decode() if found else ""


ONLY_AST = 0x400  # ast.PyCF_ONLY_AST

if __name__ == "__main__":
    sys.setrecursionlimit(5000)
    scanners.serve(scan)
