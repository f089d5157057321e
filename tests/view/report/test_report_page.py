"""The page as a whole: the same run, the same bytes; the figures are those of `figures`; what is not known says so."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import sys
import time
from contextlib import chdir
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from pages import ATTACK, Figures, plan_of, report_of, subject_of
from planted import TOKENS
from runs import Run

from workflow.gate import decisions, rollback
from workflow.plan.commandline import Command
from workflow.view import figures as measured
from workflow.view.report import page, room
from workflow.view.report.texts import is_unknown

PLAN = plan_of({"plan": {"writer": ()}})
TWO = plan_of({"plan": {"writer": ()}, "build": {"maker": (), "tester": ("maker",)}})
LOST = {  # what the page says of a file of a phase that is missing, and of a damaged one
    "digest": ("No such file or directory: 'runs/demo/build/digest'", "manifest.json is not what runs/demo/build/digest names"),
    "manifest.json": ("Nothing was packed yet.", "manifest.json of this phase cannot be read"),
    "validation.json": ("merged, checked (unknown), packed",) * 2,
    "hygiene.json": ("cleanliness of the files there is no hygiene.json", "score_hygiene is missing or failed"),
    "merge.json": ("There is no merged result yet.",) * 2,
    "agents/maker/outcome.json": ("maker: no result yet", "maker: unknown"),
    "REQUEST.md": ("Nothing was packed yet.", "build/REQUEST.md shows another digest than build/digest"),
    "criteria.json": ("merged, checked (unknown), packed",) * 2,
}
VOID = {"meta", "link", "br", "img", "input", "hr", "path", "rect", "line", "marker"}


class Outline(HTMLParser):
    """Elements that stay open, ids that stand twice, and headings in their order."""

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []
        self.wrong: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.ids += [value or "" for name, value in attrs if name == "id"]
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close it."""
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f"</{tag}> at {self.getpos()}")


def words(html: str) -> str:
    """What a reader sees, as one line: without style, script and the footer that explains."""
    seen = re.sub(r"<(script|style|footer)\b.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(seen).split())


def test_the_same_run_gives_the_same_bytes(run: Any) -> None:
    run.shown()
    first = report_of(run.folder, PLAN)
    time.sleep(1.1)
    assert report_of(run.folder, PLAN) == first
    run.marker().touch()
    assert report_of(run.folder, PLAN) != first


def test_figures_on_the_page_are_those_that_figures_computes(crowd: tuple[Path, Any]) -> None:
    subject = subject_of(*crowd)
    wanted = measured.compute(subject.record, subject.figures().as_of)
    shown = Figures(page.render(subject)).found
    expected: dict[str, Any] = {f"run/{name}": value for name, value in wanted.run.items()}
    for kind in ("phases", "agents"):
        for row in getattr(wanted, kind).to_dict("records"):
            place = f"{kind}/{row['phase']}" + (f"/{row['agent']}" if kind == "agents" else "")
            expected |= {f"{place}/{name}": value for name, value in row.items()}
    assert len(shown) > 5_000
    for name, values in shown.items():
        (value,) = values
        assert value == ("" if is_unknown(expected[name]) else str(expected[name])), name


def test_a_changed_outcome_changes_the_page(run: Any) -> None:
    run.shown()
    run.rewrite("plan/agents/writer/outcome.json", lambda outcome: outcome["usage"].update(cost_usd=1.25, input_tokens=4321))
    html = report_of(run.folder, PLAN)
    assert "1.25 USD" in html
    assert "4,321" in html


def test_what_was_not_measured_reads_unknown(run: Any) -> None:
    run.shown()
    html = report_of(run.folder, PLAN)
    shown = Figures(html).found
    assert shown["run/cost_usd"] == shown["agents/plan/writer/cost_usd"] == {""}
    assert "0 USD" not in html
    assert "Cleanliness was not measured" in html


def test_elements_are_closed_ids_are_single_and_headings_have_no_holes(hostile_page: Path, waiting_page: Path) -> None:
    for path in (hostile_page, waiting_page):
        found = Outline(path.read_text(encoding="utf-8"))
        assert found.wrong == []
        assert found.open == []
        assert len(found.ids) == len(set(found.ids))
        assert found.headings[0] == 1
        assert found.headings.count(1) == 1
        assert all(later <= earlier + 1 for earlier, later in zip(found.headings, found.headings[1:], strict=False))


def test_the_policy_names_the_script_and_the_style_by_hash_and_allows_nothing_else(waiting_page: Path) -> None:
    html = waiting_page.read_text(encoding="utf-8")
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    rules = dict(rule.strip().split(" ", 1) for rule in policy.replace("&#39;", "'").split(";"))
    for element, rule in (("script", "script-src"), ("style", "style-src")):
        (text,) = re.findall(f"<{element}>(.*?)</{element}>", html, re.DOTALL)
        assert rules.pop(rule) == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    assert rules.pop("img-src") == "data:"
    assert set(rules.values()) == {"'none'"}
    assert "default-src" in rules
    assert not re.search(r"\s(style|on\w+)=", re.sub(r"<(script|style)>.*?</\1>", "", html, flags=re.DOTALL).replace("&", ""))


def test_hostile_texts_stand_on_the_page_as_text(hostile_page: Path) -> None:
    html = hostile_page.read_text(encoding="utf-8")
    assert ATTACK not in html
    assert html.count("&lt;img src=x onerror=window.pwned=1&gt;") > 10
    assert html.count("<script") == 1
    assert "\u202e" not in html
    assert "\x1b" not in html


def test_secrets_do_not_reach_the_page(run: Any) -> None:
    token, key = TOKENS["GitHub Token"], "correct horse battery"
    run.agent("writer", f"echo '{token} {key}' | tee plan.md notes.py '{token}.txt'; echo '{token} {key}'; exit 3")
    run.merge("writer")
    run.validate(("plan.md",), checks=({"name": "c", "command": ["echo", token], "purpose": key, "timeout_s": 20, "environment": "none"},))
    run.show("writer")
    run.rewrite("plan/agents/writer/outcome.json", lambda outcome: outcome["errors"].append(f"{key} {token}"))
    html = report_of(run.folder, PLAN, secret={"KEY": key}, description=key)
    assert token not in html
    assert key not in html
    assert html.count("[redacted: ") >= 4


def test_a_run_that_has_just_begun_has_a_page(run: Any) -> None:
    html = report_of(run.folder, TWO)
    assert "No agent has worked yet." in html
    assert html.count("Nothing was merged, checked or packed yet.") == 2
    assert "No phase has asked for a review yet." in html


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with a run that waits in its second phase."""
    folder = tmp_path_factory.mktemp("whole")
    with chdir(folder):
        run = Run()
        run.start()
        run.shown()
        decisions.approve(run.folder, "plan", [], "somebody", "", "")
        run.phase("build", ("plan",))
        run.agent("maker", "echo x > x.py", "build")
        run.agent("tester", "echo y > y.py", "build")
        run.merge("maker", "tester", phase="build")
        run.validate(("x.py",), phase="build")
        run.score("build")
        run.show("maker", "tester", phase="build", after=("plan",))
    return folder


@pytest.fixture
def whole(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy of that run, to be damaged."""
    shutil.copytree(made, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return Run()


@pytest.mark.parametrize("content", [None, "", "{", "[]", "null"])
@pytest.mark.parametrize("name", LOST)
def test_a_lost_or_damaged_file_is_told_and_not_the_end_of_the_page(whole: Any, name: str, content: str | None) -> None:
    path, told = whole.folder / "build" / name, LOST[name][content is not None]
    assert told not in words(report_of(whole.folder, TWO))
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert told in words(report_of(whole.folder, TWO))


def test_lost_attempts_bundles_and_repository_are_not_the_end_of_the_page(whole: Any) -> None:
    shutil.rmtree(whole.folder / "project.git")
    shutil.rmtree(whole.folder / "bundles")
    shutil.rmtree(whole.folder / "build/agents/maker/attempts")
    html = report_of(whole.folder, TWO)
    assert "the change cannot be read" in html
    assert "does not verify" in html


def test_rollback_is_told_until_it_is_taken_back(whole: Any) -> None:
    before = report_of(whole.folder, TWO)
    assert "Rollbacks There was none." in words(before)
    advisory = rollback.apply(whole.folder, "plan", ["build"], Command(("snakemake",)))
    after = words(report_of(whole.folder, TWO))
    assert re.search(rf"{re.escape(advisory.name)} \S+ \S+ UTC plan build \d+ put away", after)
    assert "There was none." not in after
    rollback.restore(whole.folder, advisory)
    assert report_of(whole.folder, TWO) == before


def test_a_thousand_outcomes_fit_and_take_seconds(crowd: tuple[Path, Any]) -> None:
    began = time.process_time()
    html = report_of(*crowd)
    took = time.process_time() - began
    assert len(html.encode()) < 10_000_000
    assert took < 20, f"{took:.1f} s of processor time"
    assert len(re.findall(r'<tr><th scope="row"><a href="#agent-', html)) > 500


def test_room_is_shared_and_never_exceeded() -> None:
    space = room.Room(100, 2)
    space.next_phase()
    assert not space.take(51)
    assert space.take(20)
    space.next_phase()
    assert space.share == 80
    assert space.take(80)
    assert space.left == 0
    assert not space.take(1)
    assert sum(room.KINDS.values()) < 8_000_000


def test_large_contents_do_not_make_a_large_page(run: Any) -> None:
    """Much of everything that is cut: logs, changes, text, tables, pictures."""
    script = """
    for n in $(seq 60); do seq 12000 > "text$n.txt"; done
    for n in $(seq 6); do { printf '\\211PNG\\r\\n\\032\\n'; head -c 400000 /dev/urandom; } > "p$n.png"; done
    seq 100000
    """
    run.agent("writer", script)
    run.merge("writer")
    run.validate(("*.txt",))
    run.show("writer")
    html = report_of(run.folder, PLAN)
    assert len(html.encode()) < 10_000_000
    assert "there is no room left for it on this page" in html
    assert "is not on this page" in html or "are not on this page" in html
    assert "before it are in" in html


def test_write_is_atomic_and_beside_the_other_files(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run.shown()
    path = page.write(subject_of(run.folder, PLAN))
    assert path == run.folder / "report.html"
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no")

    run.rewrite("run.json", lambda record: record.update(started_by="another"))
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        page.write(subject_of(run.folder, PLAN))
    assert path.read_bytes() == before
    assert not list(run.folder.glob(".tmp-*"))


def test_no_machine_path_gets_onto_the_page(run: Any, tmp_path: Path) -> None:
    run.shown()
    html = report_of(run.folder, PLAN)
    assert "runs/demo/plan/APPROVED" in html
    assert not [path for path in (tmp_path, Path(sys.prefix), Path(__file__).parents[3]) if str(path) in html]
