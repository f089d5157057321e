"""The report in a real browser: nothing loads, nothing of the agents runs, and everything works by hand and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WIDTHS, THEMES = (390, 820, 1440), ("light", "dark")
pytestmark = pytest.mark.usefixtures("browser")


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_that_agents_wrote_runs_or_loads(opened: Callable[..., Any], hostile_page: Path, width: int) -> None:
    seen = opened(hostile_page, width)
    seen.unfold()
    for name in ("mouseover", "click"):
        seen.page.evaluate(
            f"""document.querySelectorAll('main *').forEach((e) => {{
                if (!e.closest('a') && !e.closest('summary')) e.dispatchEvent(new MouseEvent('{name}', {{bubbles: false}}));
            }})"""
        )
    seen.page.wait_for_timeout(200)
    assert seen.page.evaluate("window.pwned") is None
    assert seen.requests == [hostile_page.as_uri()] or all(url.startswith("data:") for url in seen.requests[1:])
    assert seen.said == []
    assert seen.overflow() <= 0


def test_links_lead_nowhere_but_to_the_web_and_the_page(opened: Callable[..., Any], hostile_page: Path) -> None:
    seen = opened(hostile_page)
    links = seen.page.evaluate("[...document.links].map((a) => [a.protocol, a.getAttribute('href'), a.rel])")
    away = [(protocol, rel) for protocol, href, rel in links if not href.startswith("#")]
    assert away
    assert all(protocol in ("http:", "https:", "mailto:") and "noopener" in rel for protocol, rel in away)
    lost = seen.page.evaluate(
        "[...document.links].map((a) => a.getAttribute('href')).filter((h) => h[0] == '#' && !document.getElementById(h.slice(1)))"
    )
    assert lost == []


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", ["hostile_page", "waiting_page"])
def test_axe_finds_nothing_serious(opened: Callable[..., Any], request: pytest.FixtureRequest, name: str, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    seen = opened(request.getfixturevalue(name), 1440 if theme == "light" else 390, theme)
    seen.unfold()
    found = axe.Axe().run(seen.page).response["violations"]
    worst = [
        (item["id"], item["impact"], [node["html"][:200] for node in item["nodes"]][:3])
        for item in found
        if item["impact"] in ("serious", "critical") or item["id"] in ("heading-order", "region", "landmark-unique")
    ]
    assert worst == []


@pytest.mark.parametrize("clipboard", [True, False])
def test_copy_buttons_copy_the_command(opened: Callable[..., Any], waiting_page: Path, clipboard: bool) -> None:
    seen = opened(waiting_page, clipboard=True)
    if not clipboard:
        seen.page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    order = seen.page.locator(".order").first
    order.locator("button").click()
    seen.page.locator("#says", has_text="Copied").wait_for(state="attached")
    seen.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<textarea id=paste></textarea>')")
    seen.page.locator("#paste").focus()
    seen.page.keyboard.press("Control+V")
    assert seen.page.locator("#paste").input_value() == order.locator("code").inner_text()


def test_tables_sort_by_value_with_the_keyboard(opened: Callable[..., Any], hostile_page: Path) -> None:
    seen = opened(hostile_page)
    seen.unfold()
    table = seen.page.locator("table.sortable", has_text="number").filter(has=seen.page.locator("td", has_text="100")).last
    heading = table.locator("thead th").nth(1)
    heading.locator("button").focus()
    seen.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "ascending"
    assert table.locator("tbody td:nth-child(2)").all_inner_texts() == ["9", "10", "100"]
    seen.page.keyboard.press("Enter")
    assert heading.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody td:nth-child(2)").all_inner_texts() == ["100", "10", "9"]


def test_folds_open_by_button_by_link_and_for_paper(opened: Callable[..., Any], hostile_page: Path) -> None:
    seen = opened(hostile_page)
    count = "document.querySelectorAll('main details:not([open])').length"
    assert seen.page.evaluate(count) > 5
    link = seen.page.locator(".points a").last
    target = link.get_attribute("href")
    assert seen.page.locator(f"{target}").evaluate("(e) => e.open") is False
    link.focus()
    seen.page.keyboard.press("Enter")
    seen.page.locator(f"{target}[open]").wait_for(state="attached")
    seen.page.locator("button.turn").click()
    assert seen.page.evaluate(count) == 0
    seen.page.locator("button.turn").click()
    seen.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert seen.page.evaluate(count) == 0
    seen.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert seen.page.evaluate(count) > 5


@pytest.mark.parametrize("width", WIDTHS)
def test_both_themes_differ_and_fit_every_width(opened: Callable[..., Any], hostile_page: Path, tmp_path: Path, width: int) -> None:
    papers = []
    for theme in THEMES:
        seen = opened(hostile_page, width, theme)
        assert seen.overflow() <= 0
        papers.append(seen.page.evaluate("getComputedStyle(document.body).backgroundColor"))
        picture = tmp_path / f"{theme}-{width}.png"
        seen.page.screenshot(path=str(picture), full_page=True)
        assert picture.stat().st_size > 20_000
    light, dark = (sum(map(int, paper.removeprefix("rgb(").removesuffix(")").split(","))) for paper in papers)
    assert light > 700
    assert dark < 100


@pytest.mark.parametrize("width", [1200, 1440])
def test_phases_are_shown_up_to_their_digests(opened: Callable[..., Any], waiting_page: Path, width: int) -> None:
    table = opened(waiting_page, width).page.locator("#overview .scroll")
    assert table.locator("tbody .hash").first.inner_text()
    assert table.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 0


def test_the_first_tab_skips_to_the_content(opened: Callable[..., Any], waiting_page: Path) -> None:
    seen = opened(waiting_page)
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip"
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("location.hash") == "#main"


def test_page_is_whole_without_scripts(opened: Callable[..., Any], waiting_page: Path) -> None:
    seen = opened(waiting_page, clipboard=False, scripts=False)
    assert seen.page.locator("button").count() == 0
    seen.page.locator("main details.fold summary").first.click()
    assert seen.page.locator("main details[open]").count() == 1
    assert "touch " in seen.page.locator(".order code").first.inner_text()


def test_a_thousand_outcomes_are_readable_on_a_phone(opened: Callable[..., Any], crowd: tuple[Path, Any], tmp_path: Path) -> None:
    from pages import report_of

    path = tmp_path / "report.html"
    path.write_text(report_of(*crowd), encoding="utf-8")
    assert path.stat().st_size < 10_000_000
    seen = opened(path, 390)
    assert seen.overflow() <= 0
    assert seen.page.evaluate("document.documentElement.scrollHeight") < 60_000
    field = seen.page.locator("details[open] .filter input").first
    field.fill("failed")
    shown = seen.page.locator("details[open] table[data-filter] tbody tr:visible")
    assert 0 < shown.count() < 50
    assert all("failed" in text for text in shown.all_inner_texts())
