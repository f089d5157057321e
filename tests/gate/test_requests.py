"""REQUEST.md as GitHub renders it: its structure is Phasegate's own, whatever agents call their files and print."""

from __future__ import annotations

import re
import shlex
from html.parser import HTMLParser
from typing import Any

import cmarkgfm
from cmarkgfm.cmark import Options
from runs import Run, check

from workflow.plan.commandline import Command

VOID = {"br", "hr", "img", "input"}
HOSTILE_NAMES = [
    "](http:x)<details>",
    "# 🟢 READY FOR REVIEW",
    "a|b|c",
    "`tick` ``two``",
    "<",  # so that `</details>` below can be a path: the folder `<`, the file `details>`
    "line\n\n# break",
    "<script>alert(1)<",
    "\x1b[31mred\x07",
    "www.evil.example",
    "me@evil.example",
    "![x](y)",
    "- [x] done",
    "<!-- comment",
    "&lt;b&gt;",
    "\u202egnp.exe",
    "*bold* _it_ ~~no~~",
]
LOG = """```
</details>
# 🟢 READY FOR REVIEW
````sh
<h1>approved</h1>
~~~
[link](http://evil.example) https://evil.example www.evil.example
\x1b[2J
| a | b |
|---|---|
"""
SECTIONS = ["Agent outcomes", "Artifact validation", "Checks", "Changed files", "Metrics & Health"]


class Page(HTMLParser):
    """The structure of a rendered page: text per element, links, summaries; it insists on balanced tags."""

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.stack: list[str] = []
        self.found: dict[str, list[str]] = {}
        self.attributes: list[tuple[str, dict[str, str | None]]] = []
        self.deepest = 0
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, Options.CMARK_OPT_UNSAFE))
        assert self.stack == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes.append((tag, dict(attrs)))
        self.found.setdefault(tag, []).append("")
        if tag not in VOID:
            self.stack.append(tag)
        self.deepest = max(self.deepest, self.stack.count("details"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        for tag in set(self.stack):
            self.found[tag][-1] += data

    def texts(self, tag: str) -> list[str]:
        return [" ".join(text.split()) for text in self.found.get(tag, [])]

    def count(self, tag: str) -> int:
        return len(self.found.get(tag, []))


def page(run: Run, phase: str = "plan") -> Page:
    return Page((run.folder / phase / "REQUEST.md").read_text(encoding="utf-8"))


def structure(shown: Page) -> dict[str, Any]:
    """What an agent must not be able to change."""
    return {
        "headings": [shown.texts(tag) for tag in ("h1", "h2", "h3", "h4", "h5", "h6")],
        "summaries": [text.split(" (")[0] for text in shown.texts("summary")],
        "details": (shown.count("details"), shown.deepest),
        "tables": shown.count("table"),
        "links": [shown.count(tag) for tag in ("a", "img", "script", "iframe", "form", "style")],
        "boxes": sum(tag == "input" for tag, _ in shown.attributes),
    }


def whole(run: Run, name: str = "out.md", extra: str = "") -> Page:
    """A phase that is ready for review."""
    run.agent("writer", f"printf x > {shlex.quote(name)}; {extra}")
    run.merge("writer")
    run.validate(("*.md",), checks=(check("good", "sh", "-c", "echo 3 passed"),))
    run.show("writer")
    return page(run)


def test_a_green_request_has_its_ribbon_tables_sections_and_commands(run: Run) -> None:
    shown = whole(run)
    assert shown.texts("h1") == ["🟢 READY FOR REVIEW: plan of demo"]
    assert [text.split(" (")[0] for text in shown.texts("summary")] == SECTIONS
    assert (shown.count("details"), shown.deepest) == (5, 1)
    assert not any("open" in attributes for tag, attributes in shown.attributes if tag == "details")
    cells = shown.texts("td")
    for name, value in {
        "Agents": "1 of 1 succeeded",
        "Artifacts": "1 of 1 patterns found, 1 files",
        "Checks": "1 of 1 passed",
        "Validation": "pass",
        "Changes": "1 files, +1 −0 lines",
        "Cleanliness": "unknown (not measured)",
        "Tokens, cost": "unknown",
    }.items():
        assert cells[cells.index(name) + 1] == value
    assert "✅ pass" in cells
    assert "3 passed" in cells
    digest = (run.folder / "plan/digest").read_text().strip()
    assert {digest, "runs/demo/bundles/plan.zip", "out.md"} <= set(shown.texts("code"))
    commands = "\n".join(shown.found["pre"])
    for line in (
        "touch runs/demo/plan/APPROVED",
        "snakemake --cores 2",
        "snakemake approve --config phase=plan",
        "snakemake request_changes --config phase=plan 'note=what should change'",
        "snakemake --cores 2 --forcerun plan_writer",
    ):
        assert line in commands.splitlines() or any(text.startswith(line) for text in commands.splitlines()), line
    assert shown.count("a") == 0
    assert sum(tag == "input" for tag, _ in shown.attributes) >= 2
    assert not re.search(r"&lt;|\||\*\*|```", " ".join(shown.texts("p")))


def test_commands_are_those_of_the_call_that_made_the_page(run: Run) -> None:
    whole(run)
    run.show("writer", command=Command(("/opt/my tools/snakemake", "-d", "work"), ("run=demo",), "work"))
    commands = "\n".join(page(run).found["pre"]).splitlines()
    assert "touch work/runs/demo/plan/APPROVED" in commands
    assert "'/opt/my tools/snakemake' -d work --cores 2 --config run=demo" in commands


def test_a_yellow_request_names_what_is_missing(run: Run) -> None:
    run.agent("writer", "echo x > out.md")
    run.merge("writer")
    run.validate(("out.md",), ("docs/risks.md",))
    run.show("writer")
    shown = page(run)
    assert shown.texts("h1") == ["🟡 PARTIAL SUCCESS: plan of demo"]
    assert "Optional parts are missing: docs/risks.md. You may approve this." in " ".join(shown.texts("p"))
    assert any(text.startswith("missing: docs/risks.md") for text in shown.texts("li"))
    assert "This phase has no checks." in shown.texts("p")


def test_a_red_request_shows_why_the_end_of_the_log_and_how_to_run_it_again(run: Run) -> None:
    run.agent("writer", "echo x > same.md; seq 3000; echo 'the last words'; exit 3")
    run.agent("one", "echo 1 > same.md")
    run.agent("two", "echo 2 > same.md")
    run.agent("late", "echo x > late.md", needs=["writer"])
    run.merge("writer", "one", "two", "late")
    run.validate(("none.md",), checks=(check("bad", "sh", "-c", "echo broke; exit 1"), check("absent", "no-such-program-here")))
    run.show("writer", "one", "two", "late")
    shown = page(run)
    assert shown.texts("h1") == ["🔴 NEEDS ATTENTION: plan of demo"]
    reasons = " ".join(shown.texts("li"))
    for text in (
        "agent writer: failed",
        "agent late: skipped",
        "merge conflict between one and two in same.md",
        "required artifact is missing: none.md",
        "check bad failed",
        "check absent could not run (unknown is not a pass)",
    ):
        assert text in reasons
    blocks = shown.found["pre"]
    log = next(text for text in blocks if "the last words" in text)
    assert log.strip().endswith("the last words")
    assert "\n1\n" not in log
    assert len(log) < 4000
    assert "snakemake --cores 2 --forcerun plan_writer" in shown.texts("code")
    assert "snakemake retry --config phase=plan" in "\n".join(blocks)
    assert {"❌ fail", "❔ unknown", "broke"} <= set(shown.texts("td"))
    assert sum("open" in attributes for tag, attributes in shown.attributes if tag == "details") >= 3


def test_long_lists_show_the_first_ones_and_how_many_more_but_all_that_is_missing(run: Run) -> None:
    run.agent("writer", "for n in $(seq 101 160); do echo $n > f$n.md; done")
    run.merge("writer")
    run.validate(("*.md", *(f"none{n}.txt" for n in range(12))))
    run.show("writer")
    shown = page(run)
    items = shown.texts("li")
    assert [text for text in items if text.startswith("found:")] == [f"found: f{n}.md" for n in range(101, 111)]
    assert "... and 50 more" in items
    assert sum(text.startswith("missing: none") for text in items) == 12
    row = next(text for text in shown.texts("td") if text.startswith("f101.md, "))
    assert row == "f101.md, f102.md, f103.md, f104.md, f105.md ... and 55 more"
    assert "... and 10 more" in shown.texts("p")


def test_names_and_words_of_agents_cannot_change_the_structure(run: Run) -> None:
    """The same phase twice: with harmless names and texts, and with hostile ones."""
    found = []
    for names, log in (([f"n{place}" for place in range(len(HOSTILE_NAMES))], "harmless\n" * 3), (HOSTILE_NAMES, LOG)):
        quoted = [shlex.quote(name) for name in names if name != "<"]
        odd = "mkdir -p 'q'; printf x > 'q/plain'" if log != LOG else "mkdir -p '<'; printf x > '</details>'"
        script = "; ".join(f"mkdir -p {name}.d 2>/dev/null; printf x > {name}" for name in quoted)
        run.agent("writer", f"{script}; {odd}; printf %s {shlex.quote(log)}; exit 1")
        run.agent("other", f"echo x > keep.md; echo x > ./-odd.md; printf x > {shlex.quote('other' + names[0])}")
        run.merge("writer", "other")
        says = ("echo", log.splitlines()[6 if log == LOG else 0])
        run.validate(
            ("**/*",), tuple(names), checks=(check("says", *says), check("fails", "sh", "-c", f"printf %s {shlex.quote(log)}; exit 1"))
        )
        run.show("writer", "other")
        found.append(structure(page(run)))
    assert found[0] == found[1]
    assert found[1]["links"] == [0] * 6
    assert found[1]["headings"][0] == ["🔴 NEEDS ATTENTION: plan of demo"]
    text = (run.folder / "plan/REQUEST.md").read_text(encoding="utf-8")
    assert [char for char in text if not char.isprintable() and char != "\n"] == []


def test_hostile_names_are_shown_as_they_are(run: Run) -> None:
    shown = whole(run, "](http:x)<details> `a`|*b*.md")
    assert "](http:x)<details> `a`|*b*.md" in shown.texts("code")
    assert shown.texts("h1") == ["🟢 READY FOR REVIEW: plan of demo"]


def test_run_of_an_older_version_that_knows_no_findings_gets_its_request(run: Run) -> None:
    run.agent("writer", "echo x > ./-odd.md")
    run.merge("writer")
    run.validate()
    for name in ("merge.json", "agents/writer/outcome.json"):
        run.rewrite(f"plan/{name}", lambda value: value.pop("findings"))
    run.show("writer")
    assert "Unusual files" not in (run.folder / "plan/REQUEST.md").read_text()
