"""Syntax colours change nothing of the text, and cost nothing where a text is made to."""

from __future__ import annotations

import re
import time
from html import unescape

import pytest
from conftest import ROOT
from pages import ATTACK

from workflow.view.report import highlighting

SOURCES = sorted((ROOT / "workflow/view").glob("*.py"))[:4] + [ROOT / "README.md", ROOT / "pyproject.toml", ROOT / "config/config.yaml"]


def plain(html: str) -> str:
    """The text of some HTML."""
    return unescape(re.sub(r"<[^>]*>", "", html))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_text_is_what_it_was_line_by_line(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    made = highlighting.lines(text, highlighting.language(str(path)))
    assert [plain(line) for line in made] == text.split("\n")
    assert any("<i class=" in line for line in made)
    assert all(line.count("<i ") == line.count("</i>") for line in made)


@pytest.mark.parametrize("name", [*highlighting.LANGUAGES, None])
def test_every_language_is_known_and_escapes(name: str | None) -> None:
    text = f'"""{ATTACK}\n{ATTACK}"""\n# {ATTACK} // {ATTACK} /* {ATTACK} */ <!-- {ATTACK} -->\n'
    made = "\n".join(highlighting.lines(text, name))
    assert plain(made) == text
    assert not re.search(r"<(?!/?i\b)", made)


def test_long_texts_and_long_lines_stay_plain_and_quick() -> None:
    began = time.process_time()
    for text in ("(" * 50_000, "a = 1\n" * 30_000, "'" * 3_000 + "\n"):
        assert "<i" not in str(highlighting.code(text, "x.py"))
    assert time.process_time() - began < 20, "an expression of the highlighter takes for ever"


def test_language_follows_from_the_name() -> None:
    assert highlighting.language("a/b.py") == "python"
    assert highlighting.language("deploy/Dockerfile") == "docker"
    assert highlighting.language("notes") is None
