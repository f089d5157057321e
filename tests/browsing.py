"""Browsers and pages for the tests of the report. What makes pages is imported where it is used: every test loads this module."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Opened:
    """A page in a browser, and what it did that can be seen from outside."""

    page: Any
    requests: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def unfold(self) -> None:
        """Open everything that folds."""
        self.page.evaluate("document.querySelectorAll('details').forEach((fold) => { fold.open = true; })")

    def overflow(self) -> int:
        """How many pixels the page is wider than the window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless chromium. It ends with the tests of a module: while it is there, nothing else can run an event loop."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here (Debian: apt install chromium)")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install '.[test]')")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(browser: Any) -> Iterator[Callable[..., Opened]]:
    """`opened(path, width, theme)`: a page that was opened from a file; the clipboard may be used unless `clipboard=False`."""
    contexts = []

    def go(path: Path, width: int = 1440, theme: str = "light", clipboard: bool = True, scripts: bool = True) -> Opened:
        options = {"viewport": {"width": width, "height": 900}, "color_scheme": theme, "reduced_motion": "reduce"}
        context = browser.new_context(**options, java_script_enabled=scripts)
        contexts.append(context)
        if clipboard:
            context.grant_permissions(["clipboard-read", "clipboard-write"])
        made = Opened(context.new_page())
        made.page.on("request", lambda request: made.requests.append(request.url))
        made.page.on("console", lambda message: made.said.append(message.text))
        made.page.on("pageerror", lambda error: made.said.append(str(error)))
        made.page.goto(path.as_uri())
        return made

    yield go
    for context in contexts:
        context.close()


@pytest.fixture(scope="session")
def hostile_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which everything that agents and people wrote is an attack; its second phase is blocked."""
    from pages import hostile_run, report_of
    from runs import Run

    folder = tmp_path_factory.mktemp("hostile")
    with chdir(folder):
        run = Run()
        plan = hostile_run(run, folder / "stock")
        html = report_of(run.folder, plan, description="A page of <b>attacks</b>.")
    return _written(folder / "report.html", html)


@pytest.fixture(scope="session")
def waiting_page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a small run that waits at its first gate."""
    from pages import plan_of, report_of
    from runs import Run

    folder = tmp_path_factory.mktemp("waiting")
    with chdir(folder):
        run = Run()
        run.start()
        run.shown("# The plan\n\n1. begin\n2. end\n")
        html = report_of(run.folder, plan_of({"plan": {"writer": ()}, "build": {"maker": (), "tester": ("maker",)}}))
    return _written(folder / "report.html", html)


@pytest.fixture(scope="session")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """A run with 1,000 outcomes, and its plan."""
    from many import PHASES, make_run
    from pages import plan_of

    folder = tmp_path_factory.mktemp("crowd")
    made = make_run(folder, 1000)
    names = {phase: {path.name: () for path in sorted((made / phase / "agents").iterdir())} for phase in PHASES}
    return made, plan_of(names)


def _written(path: Path, html: str) -> Path:
    path.write_text(html, encoding="utf-8")
    return path
