"""Orphans: what nobody needs is found, and what somebody needs is not."""

from __future__ import annotations

from typing import Any

import pytest
from runs import Run

from workflow.proof.hygiene import conventions

NAMED_BY_NOTHING = "is named by no other file, no convention and no artifact pattern"


def orphans(record: dict[str, Any]) -> list[tuple[str, str]]:
    return [(row["path"], row["reason"]) for row in record["findings"] if row["component"] == "orphans"]


def paths(record: dict[str, Any]) -> list[str]:
    return [path for path, _ in orphans(record)]


@pytest.mark.parametrize(
    ("name", "left"),
    [
        ("app.py.orig", "a merge or patch"), ("app.rej", "a merge or patch"), ("app_BACKUP_4711.py", "a merge or patch"),
        (".app.py.swp", "an editor"), ("#app.py#", "an editor"), (".#app.py", "an editor"), (".DS_Store", "an editor"),
        ("x.tmp", "an editor"), ("app.py~", "a backup"), ("app.bak", "a backup"), ("notes.old", "a backup"), ("notes copy.txt", "a backup"),
        ("a (1).csv", "a backup"), ("app.pyc", "a compiler"), ("Main.class", "a compiler"), ("x.o", "a compiler"),
        (".coverage", "a tool's cache"), ("npm-debug.log", "a tool's cache"), ("core.4711", "a tool's cache"),
    ],
)  # fmt: skip
def test_name_tells_what_left_it_behind(run: Run, name: str, left: str) -> None:
    record = run.scored({"README.md": f"see {name}", f"src/{name}": "x"})
    assert [(path, reason.startswith(f"looks like a leftover of {left}")) for path, reason in orphans(record)] == [(f"src/{name}", True)]
    assert record["components"]["orphans"]["points"] == 27


@pytest.mark.parametrize("name", [".coveragerc", "core.py", "backup.py", "copy.py", "old.py", "template.html", "original.txt", "a.templ"])
def test_name_that_only_sounds_like_a_leftover_is_none(name: str) -> None:
    assert conventions.leftover(name) == ""


def test_folder_that_a_tool_makes_again_is_one_finding(run: Run) -> None:
    record = run.scored({f"web/node_modules/left/{n}.js": "x" for n in range(4)} | {"src/__pycache__/a.cpython-311.pyc": "x"})
    assert orphans(record) == [
        ("src/__pycache__", "is a folder that a tool makes again (1 files)"),
        ("web/node_modules", "is a folder that a tool makes again (4 files)"),
    ]


def test_file_that_gitignore_names_is_found_by_git_itself(run: Run) -> None:
    content = {
        "build/made.txt": "x",
        "run.log": "x",
        "keep.log": "x",
        "sub/local.cfg": "x",
        "README.md": "made.txt run.log keep.log local.cfg",
    }
    record = run.scored(content, "printf 'build/\\n*.log\\n!keep.log\\n' > .gitignore; echo /local.cfg > sub/.gitignore")
    why = "is committed although .gitignore names it"
    assert orphans(record) == [("build/made.txt", why), ("run.log", why), ("sub/local.cfg", why)]


def test_ignore_file_of_the_user_says_nothing_about_the_project(run: Run, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "xdg/git").mkdir(parents=True)
    (tmp_path / "xdg/git/ignore").write_text("*.md\n")
    record = run.scored({"README.md": "hello"}, "echo '*.log' > .gitignore")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
    assert orphans(run.score()) == orphans(record) == []


def test_empty_file_is_found_unless_it_is_a_marker(run: Run) -> None:
    content = {
        "src/a/__init__.py": "",
        "src/a/py.typed": "",
        "logs/.gitkeep": "",
        "docs/plan.md": "",
        "README.md": "plan.md",
        "tests/e.out": "",
    }
    assert orphans(run.scored(content)) == [("docs/plan.md", "is empty")]


def test_file_that_nothing_names_is_found(run: Run) -> None:
    record = run.scored(
        {"README.md": "A project.", "scratch.py": "print(1)", "data/old_export.csv": "a,b", "docs/ideas.md": "scratch that"}
    )
    assert orphans(record) == [("data/old_export.csv", NAMED_BY_NOTHING), ("docs/ideas.md", NAMED_BY_NOTHING)]
    assert record["components"]["orphans"] | {"scanner": 0} == {
        "status": "measured", "weight": 30, "points": 26, "found": 2, "listed": 2, "reason": "", "scanner": 0
    }  # fmt: skip


def test_file_is_needed_where_another_one_names_it(run: Run) -> None:
    record = run.scored(
        {
            "README.md": "Start with run.sh. The plan is in docs/plan.md; the logo is `my logo.svg`.",
            "run.sh": "python -m app",
            "docs/plan.md": "x",
            "my logo.svg": "<svg/>",
            "app/__main__.py": "from app.pages import show\nopen('style.css')",
            "app/pages.py": "def show(): return render('about.html')",
            "app/templates/about.html": "<p>",
            "app/static/style.css": "p {}",
        }
    )
    assert orphans(record) == []


def test_file_that_only_names_itself_is_found(run: Run) -> None:
    assert paths(run.scored({"README.md": "x", "scratch.py": "# scratch.py: scratch", "notes.txt": "these are notes.txt"})) == [
        "notes.txt",
        "scratch.py",
    ]


def test_stem_counts_for_source_code_only(run: Run) -> None:
    assert paths(run.scored({"README.md": "our helper knows prices", "helper.py": "x = 1", "prices.csv": "a,b"})) == ["prices.csv"]


def test_template_is_named_by_what_it_makes(run: Run) -> None:
    record = run.scored({"README.md": "It writes plan.md.", "parts/plan.md.j2": "x", "parts/prose.md.j2": "x"})
    assert paths(record) == ["parts/prose.md.j2"]


def test_what_a_leftover_or_a_binary_file_says_makes_nothing_needed(run: Run) -> None:
    record = run.scored({"README.md": "x", "a.txt.bak": "wanted.txt", "b.bin": b"\0wanted.txt", "wanted.txt": "x"})
    assert paths(record) == ["a.txt.bak", "b.bin", "wanted.txt"]


def test_artifact_patterns_of_this_phase_and_of_those_before_make_a_file_needed(run: Run) -> None:
    content = {"README.md": "x", "plan/one.md": "x", "plan/two.md": "x", "other.md": "x"}
    assert paths(run.scored(content)) == ["other.md", "plan/one.md", "plan/two.md"]
    assert paths(run.scored(content, required=("plan/one.md",), optional=("*/two.md",))) == ["other.md"]
    assert paths(run.scored(content, before=("plan/*.md",))) == ["other.md"]


@pytest.mark.parametrize(
    "path",
    [
        "templates/README.md.j2",
        "README.de.md", "LICENSE", "LICENSE-2.0.txt", "CHANGELOG.md", "VERSION", "pyproject.toml", "requirements-dev.txt", "Dockerfile",
        ".github/workflows/ci.yml", ".editorconfig", "tests/data/prices.csv", "src/test_prices.py", "web/vite.config.ts", "Makefile",
        "go.mod", "cmd/tool/run.go", "docs/index.md", "docs/conf.py", "db/migrations/0001_first.py", "package-lock.json", "Cargo.lock",
    ],
)  # fmt: skip
def test_tools_and_readers_find_these_by_themselves(path: str) -> None:
    assert conventions.is_found(path)


@pytest.mark.parametrize(
    "path", ["history.py", "src/security.py", "scratch.py", "data/prices.csv", "docs/ideas.md", "contest.py", "make.py"]
)
def test_these_have_to_be_named(path: str) -> None:
    assert not conventions.is_found(path)


def test_folder_stands_for_a_collection_of_data_and_not_for_a_few_files(run: Run) -> None:
    many = {f"images/{n}.png": b"\x89\0" for n in range(5)}
    few = {f"sounds/{n}.wav": b"\0" for n in range(4)}
    assert paths(run.scored({"README.md": "See images and sounds."} | many | few)) == [f"sounds/{n}.wav" for n in range(4)]
    assert len(paths(run.scored({"README.md": "See nothing."} | many))) == 5


def test_links_are_not_followed_and_not_judged(run: Run) -> None:
    record = run.scored({"README.md": "x", "secret.txt": "x"}, "ln -s secret.txt link.txt; ln -s loop loop; echo y > y.py")
    assert paths(record) == ["secret.txt", "y.py"]
