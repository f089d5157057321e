"""Conventions: names that tell what a file is: a leftover, a marker that may be empty, or one that a tool finds by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence

CACHES = {
    "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis", ".tox", ".nox", ".eggs", ".venv", "venv", "htmlcov",
    ".ipynb_checkpoints", "node_modules", "bower_components", ".gradle", ".terraform", ".parcel-cache", ".sass-cache", "__MACOSX",
}  # fmt: skip
LEFTOVERS = {
    "a merge or patch": r".*\.(orig|rej)|.*_(BACKUP|BASE|LOCAL|REMOTE)_[0-9]+(\..*)?",
    "an editor or a file manager": r".*\.sw[nop]|\.#.*|#.*#|.*\.te?mp|\.DS_Store|\._.+|Thumbs\.db|desktop\.ini|\.~lock\..*",
    "a backup": r".*~|.*\.(bak|backup|old|save)|Copy of .*|.* - Copy( \([0-9]+\))?(\..*)?|.* copy( [0-9]+)?(\..*)?|.* \([0-9]+\)(\..*)?",
    "a compiler": r".*\.(py[co]|class|o|elc|beam|hi)|.*\.tsbuildinfo",
    "a tool's cache or crash": r"\.coverage(\..+)?|\.eslintcache|npm-debug\.log.*|yarn-error\.log|nohup\.out|core\.[0-9]+|hs_err.*\.log",
}
LEFTOVER = re.compile("|".join(f"({pattern})" for pattern in LEFTOVERS.values()), re.DOTALL)
NO_LEFTOVER = {".coveragerc"}
MARKERS = re.compile(
    r"__init__\.pyi?|py\.typed|\.(git)?keep|\.empty|\.placeholder|\.nojekyll|\.metadata_never_index|\.htaccess|.*\.lock|\..*ignore"
)
DOCUMENTS = (
    "readme|licen[cs]e|copying|notice|authors|contributors|contributing|code[_-]of[_-]conduct|security|support|governance|maintainers"
    "|changelog|changes|history|news|release[_-]?notes|upgrading|roadmap|todo|citation|codeowners|version|install|agents|claude|gemini"
)
WRITTEN = r"([_-][\w-]*(\.[0-9]+)*)?((\.[a-z]{2}(-[a-z]+)?)?\.(md|mdx|rst|txt|adoc|org|html|pdf|cff))?"
BUILD = (
    r"pyproject\.toml|setup\.(py|cfg)|manifest\.in|tox\.ini|pytest\.ini|mypy\.ini|noxfile\.py|conftest\.py|requirements.*\.(txt|in)"
    r"|constraints.*\.txt|pipfile.*|poetry\.(lock|toml)|uv\.(lock|toml)|environment\.ya?ml|alembic\.ini|manage\.py|[aw]sgi\.py|gunicorn.*\.py"
    r"|package(-lock)?\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-.*\.yaml|bun\.lockb?|[jt]sconfig.*\.json|.*\.config\.([cm]?[jt]s|json)"
    r"|(gnu)?makefile|.*\.mk|justfile|taskfile\.ya?ml|rakefile|snakefile|cmakelists\.txt|meson\.build|build\.zig|build(\.bazel)?|workspace"
    r"|(docker|container)file.*|.*\.dockerfile|(docker-)?compose.*\.ya?ml|procfile|vagrantfile|jenkinsfile|skaffold\.ya?ml|chart\.yaml"
    r"|go\.(mod|sum|work)|cargo\.(toml|lock)|build\.rs|gemfile.*|.*\.gemspec|composer\.(json|lock)|pom\.xml|.*\.gradle(\.kts)?|gradlew.*"
    r"|gradle\.properties|.*\.(sln|csproj|fsproj|vbproj|props|targets)|mix\.(exs|lock)|stack\.yaml|.*\.cabal|project\.toml|description"
    r"|mkdocs\.ya?ml|netlify\.toml|vercel\.json|fly\.toml|app\.ya?ml|renovate\.json|robots\.txt|favicon\.ico|manifest\.json|sitemap\.xml"
)
ENTRIES = r"__init__\.pyi?|__main__\.py|py\.typed|index\..+|main\.[a-z]+|lib\.rs|mod\.rs|conf\.py|(404|500)\.html"
TESTS = r"test[_-].*\.[a-z]+|.*[_-]tests?\.[a-z]+|.*\.(test|spec)\.[a-z]+|.*tests?\.(java|kt|cs|php|swift)"
WHOLE_FOLDER = r".*\.(go|cs|tf|swift|proto)"  # the compiler takes what lies there
BY_TOOLS = re.compile(rf"({DOCUMENTS}){WRITTEN}|{BUILD}|{ENTRIES}|{TESTS}|{WHOLE_FOLDER}", re.IGNORECASE | re.DOTALL)
FOUND_FOLDERS = {"test", "tests", "__tests__", "spec", "specs", "e2e", "migrations", "licenses", "meta-inf"}
SOURCE = {
    ".py", ".pyx", ".pyi", ".ipynb", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte", ".rb", ".rs", ".java", ".kt",
    ".scala", ".c", ".cc", ".cpp", ".h", ".hpp", ".m", ".php", ".pl", ".lua", ".ex", ".exs", ".hs", ".jl", ".r", ".sh", ".smk", ".css",
    ".scss", ".sass", ".less", ".rst", ".dart", ".zig",
}  # fmt: skip
TEMPLATES = {"j2", "jinja", "jinja2", "tmpl", "tpl", "template", "in", "erb", "ejs", "mustache", "hbs"}
PROSE = {".md", ".rst", ".txt", ".adoc"}


def cache_folder(path: str) -> str:
    """The outermost folder on the path that is a tool's cache or an installed environment; empty where there is none."""
    parts = path.split("/")[:-1]
    place = next((index for index, part in enumerate(parts) if part in CACHES or part.endswith((".egg-info", ".dist-info"))), None)
    return "" if place is None else "/".join(parts[: place + 1])


def leftover(name: str) -> str:
    """What left a file of this name behind, in words; empty for a file that is no leftover."""
    match = None if name in NO_LEFTOVER else LEFTOVER.fullmatch(name)
    return "" if match is None else next(left for left, pattern in LEFTOVERS.items() if re.fullmatch(pattern, name, re.DOTALL))


def may_be_empty(path: str) -> bool:
    """Whether this file says all that it has to say by being there; so do the fixtures of tests."""
    *folders, name = path.split("/")
    return bool(MARKERS.fullmatch(name)) or _is_found_folder(folders)


def made_name(name: str) -> str:
    """The name of the file that a template of this name makes; the name itself where it is no template."""
    stem, dot, ending = name.rpartition(".")
    return stem if dot and stem and ending.lower() in TEMPLATES else name


def _is_found_folder(folders: Sequence[str]) -> bool:
    return any(part.lower() in FOUND_FOLDERS for part in folders)


def is_found(path: str) -> bool:
    """Whether a tool or a reader finds this file without being told: by its name, or by the folder it lies in."""
    *folders, name = path.split("/")
    hidden = any(part.startswith(".") for part in (*folders, name))
    return hidden or _is_found_folder(folders) or bool(BY_TOOLS.fullmatch(made_name(name)))
