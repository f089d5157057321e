"""Markdown of agents: rendered, and nothing in it acts or loads."""

from __future__ import annotations

import re

import pytest
from pages import EVIL_MARKDOWN

from workflow.view.report import documents


def render(text: str, level: int = 4) -> str:
    """As an artifact `docs/a.md` beside `docs/b.md`, `pic.png`."""
    return str(documents.render(text, "docs/a.md", {"docs/b.md": "file-1-2", "pic.png": "file-1-3"}, level))


def test_nothing_of_a_hostile_document_becomes_an_element_or_attribute() -> None:
    made = render(EVIL_MARKDOWN)
    tags = set(re.findall(r"<([a-z0-9]+)", made))
    assert tags <= {"h4", "h5", "p", "a", "span", "code", "pre", "div", "table", "thead", "tbody", "tr", "th", "td", "i"}
    names = set(re.findall(r"<[a-z0-9]+((?:\s[^<>]*?)?)>", made))
    assert not any(re.search(r"\bon\w+=|\bsrc=|\bstyle=", name) for name in names)
    assert all(target.startswith(("#", "http://", "https://", "mailto:")) for target in re.findall(r'href="([^"]*)"', made))


@pytest.mark.parametrize(
    "target",
    ["javascript:alert(1)", "JaVaScRiPt:alert(1)", "data:text/html,x", "vbscript:x", "file:///etc/passwd", "&#106;avascript:x", "//host/x"],
)
def test_links_that_could_act_are_text_with_their_target(target: str) -> None:
    made = render(f"[words]({target})")
    assert "<a" not in made
    assert "words" in made


def test_links_to_the_web_say_where_they_lead() -> None:
    made = render("[words](https://example.org/a?b=c&d)")
    assert 'href="https://example.org/a?b=c&amp;d" rel="noopener noreferrer nofollow"' in made
    assert "(https://example.org/a?b=c&amp;d)" in made


def test_files_on_the_page_are_linked_and_pictures_are_named() -> None:
    assert '<a href="#file-1-2">b</a>' in render("[b](b.md#part)")
    assert '<a href="#file-1-3">[picture: far &amp; near]</a>' in render("![far & near](../pic.png)")
    made = render("![far](http://example.org/x.png)")
    assert "<img" not in made
    assert "[picture: far (http://example.org/x.png), not loaded]" in made


def test_headings_leave_no_holes() -> None:
    made = render("### Deep\n\n# Top\n\n#### Deeper\n\n###### Deepest\n")
    assert re.findall(r"<(h\d)>", made) == ["h4", "h4", "h5", "h6"]
    assert re.findall(r"</(h\d)>", made) == ["h4", "h4", "h5", "h6"]


def test_code_has_the_colours_of_its_language() -> None:
    assert '<i class="k">def </i>' in render("```python\ndef f(): pass\n```")
    assert "<i" not in render("```nonsense <b>\ndef f(): pass\n```")


def test_deep_nesting_ends() -> None:
    assert len(render("> " * 5000 + "x")) < 100_000
    assert len(render("[" * 20_000)) < 200_000
