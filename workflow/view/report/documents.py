"""Markdown of agents as HTML: no raw HTML, no picture from elsewhere, no link that could be a program.

A link to a web address shows where it leads; a link to a file that is on the page leads there; any other one is text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from markupsafe import Markup, escape

from workflow.view.report import highlighting

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

WEB = ("http", "https", "mailto")
DEEPEST = 6


def render(text: str, path: str, anchors: Mapping[str, str], level: int) -> Markup:
    """`text` as HTML. `path` is its own, `anchors` map paths on the page to their ids, `level` is that of its first headings."""
    places = {"path": path, "anchors": anchors, "level": level, "last": level - 1}
    return Markup(_parser().render(text, places))  # noqa: S704 - the parser escapes, and has raw HTML switched off


@lru_cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False, "linkify": False, "maxNesting": 30})
    made.enable(["table", "strikethrough"])
    made.validateLink = lambda url: True  # type: ignore[method-assign]  # judged when rendered, so that the text stays
    for name, rule in RULES.items():
        made.add_render_rule(name, rule)
    return made


def _heading_open(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    """A heading one step below the one before at most, so that the outline of the page has no holes."""
    wanted = env["level"] + int(tokens[index].tag[1]) - 1
    env["last"] = min(wanted, env["last"] + 1, DEEPEST)
    return f"<h{env['last']}>"


def _heading_close(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    return f"</h{env['last']}>\n"


def _link_open(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    target = str(tokens[index].attrGet("href") or "")
    anchor = env["anchors"].get(_beside(env["path"], target))
    if anchor:
        opened, closed = f'<a href="#{escape(anchor)}">', "</a>"
    elif _scheme(target) in WEB:
        opened, closed = (
            f'<a href="{escape(target)}" rel="noopener noreferrer nofollow">',
            f'</a> <span class="to">({escape(target)})</span>',
        )
    else:
        opened, closed = "<span>", f'</span> <span class="to">({escape(target)})</span>'
    env.setdefault("open", []).append(closed)
    return opened


def _link_close(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    return str(env["open"].pop())


def _image(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    """A picture by its words; one that is on the page is linked."""
    token = tokens[index]
    source = str(token.attrGet("src") or "")
    words = escape(token.content or source)
    anchor = env["anchors"].get(_beside(env["path"], source))
    if anchor and not env.get("open"):
        return f'<a href="#{escape(anchor)}">[picture: {words}]</a>'
    return f'<span class="to">[picture: {words} ({escape(source)}), not loaded]</span>'


def _fence(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    token = tokens[index]
    word = re.split(r"\s", token.info.strip(), maxsplit=1)[0].lower() if token.info else ""
    name = word if word in highlighting.LANGUAGES else highlighting.language(f"x.{word}")
    inside = Markup("\n").join(highlighting.lines(token.content.rstrip("\n"), name))
    return f'<pre class="code" tabindex="0"><code>{inside}</code></pre>\n'


def _table_open(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    return '<div class="scroll" tabindex="0"><table>\n'


def _table_close(self: Any, tokens: Sequence[Any], index: int, options: Any, env: Any) -> str:
    return "</table></div>\n"


RULES = {
    "heading_open": _heading_open,
    "heading_close": _heading_close,
    "link_open": _link_open,
    "link_close": _link_close,
    "image": _image,
    "fence": _fence,
    "code_block": _fence,
    "table_open": _table_open,
    "table_close": _table_close,
}


def _scheme(target: str) -> str:
    """The scheme of an address; empty where it has none or cannot be read."""
    try:
        return urlsplit(target.strip()).scheme.lower() if not re.search(r"[\x00-\x20]", target) else ""
    except ValueError:
        return ""


def _beside(path: str, target: str) -> str:
    """The path in the project that a relative link names."""
    bare = unquote(target.split("#", 1)[0].split("?", 1)[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), bare)) if bare and not _scheme(target) else ""
