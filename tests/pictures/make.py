"""Make the pictures of the README anew: `python tests/pictures/make.py` (needs chromium, and `pip install '.[test]'`).

`terminal.png` is a terminal in the middle of a real run: what snakemake wrote to it, drawn again. `report.png` is the report of that
run at its gate, as a browser shows it. The agents are small shell programs, so that anyone can repeat it without a key.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pexpect
import pyte
from rich.console import Console
from rich.text import Text

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from conftest import ROOT, SNAKEMAKE, Desk, sh  # noqa: E402

COLUMNS, LINES = 92, 20
WORK = "sleep {seconds}; mkdir -p {folder}; echo '# {what}' > {folder}/{name}; echo 'made {folder}/{name}'"
RUNNERS = {
    "planner": sh(WORK.format(seconds=1, folder="docs", name="requirements.md", what="Requirements")),
    "architect": sh(WORK.format(seconds=2, folder="docs", name="architecture.md", what="Architecture")),
    "coder": sh(WORK.format(seconds=9, folder="src", name="app.py", what="The application")),
    "quick": sh(WORK.format(seconds=5, folder="tests", name="test_app.py", what="Tests")),
    "unsteady": sh("if [ -e ../../tried ]; then exit 75; fi; sleep 1; exit 75"),
}
PHASES: dict[str, Any] = {
    "planning": {
        "agents": {"analyst": {"runner": "planner"}, "architect": {"runner": "architect"}},
        "artifacts": {"required": ["docs/*.md"]},
    },
    "development": {
        "agents": {
            "developer": {"runner": "coder"},
            "tester": {"runner": "quick"},
            "documentarian": {"runner": "unsteady"},
        },
        "artifacts": {"required": ["src/**/*.py", "tests/**/*.py"], "optional": ["README.md"]},
        "checks": [{"name": "compiles", "command": ["python3", "-m", "compileall", "-q", "src"], "environment": "none"}],
    },
}
PAGE = "<!doctype html><meta charset=utf-8><style>body{margin:0;padding:16px;background:#fff}svg{width:1100px;height:auto}</style>"
COLOURS = {"brown": "yellow", "brightblack": "bright_black"}


def run_to_the_middle(desk: Desk) -> pyte.Screen:
    """Carry a run through its first phase, and into its second until something is worth looking at; then to its gate."""
    desk.brief(project={"name": "todo-app", "type": "other", "description": "A list of things to do."})
    desk.configure(PHASES, RUNNERS, max_parallel_agents=3, retry={"base_delay": 1.0, "jitter": 0})
    desk.run()
    desk.touch("planning", "todo-app")
    screen = pyte.Screen(COLUMNS, LINES)
    stream = pyte.Stream(screen)
    env = desk.environment() | {"TERM": "xterm-256color"}
    options = {"cwd": str(desk.path), "env": env, "dimensions": (LINES, COLUMNS), "encoding": "utf-8", "timeout": 120}
    child = pexpect.spawn(str(SNAKEMAKE), ["-s", str(ROOT / "Snakefile"), "--cores", "3"], **options)
    begun, kept = time.monotonic(), None
    while True:
        try:
            stream.feed(child.read_nonblocking(4096, 60))
        except pexpect.EOF:
            break
        shown = "\n".join(screen.display)
        if kept is None and "tester: succeeded" in shown and "developer " in shown and time.monotonic() - begun > 5:
            kept = [dict(screen.buffer[line]) for line in range(LINES)]
    child.close()
    if kept is None:
        raise SystemExit("the picture was missed: the machine is too busy")
    for number, line in enumerate(kept):
        screen.buffer[number].clear()
        screen.buffer[number].update(line)
    return screen


def drawn(screen: pyte.Screen) -> str:
    """The screen as SVG, the prompt of a person above it; lines about the profile are left out."""
    console = Console(record=True, width=COLUMNS, file=open("/dev/null", "w"), force_terminal=True)  # noqa: SIM115 - until the process ends
    console.print(Text("$ snakemake --cores 3", style="bold"))
    lines = [line for line in (_line(screen, number) for number in range(LINES)) if line.plain.strip()]
    for line in lines:
        if not line.plain.lstrip().startswith(("Using workflow specific", "command line arguments", "arguments.")):
            console.print(line)
    return console.export_svg(title="todo-app").replace("@font-face", "@ignored")


def _line(screen: pyte.Screen, number: int) -> Text:
    text = Text()
    for column in range(COLUMNS):
        cell = screen.buffer[number][column]
        colour = "" if cell.fg == "default" else COLOURS.get(cell.fg, cell.fg)
        colour = f"#{colour}" if len(colour) == 6 and all(char in "0123456789abcdef" for char in colour) else colour
        text.append(cell.data, style=f"{'bold ' if cell.bold else ''}{colour}".strip())
    text.rstrip()
    return text


def photograph(page: str, goal: Path, width: int, height: int) -> None:
    """A picture of a page (an address)."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        opened = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=1)
        opened.goto(page)
        if opened.query_selector("svg.rich-terminal"):
            opened.locator("svg.rich-terminal").screenshot(path=str(goal))
        else:
            opened.screenshot(path=str(goal))
        browser.close()


def main() -> None:
    """Run, draw, photograph."""
    folder = Path(tempfile.mkdtemp(prefix="pictures-"))
    desk = Desk(folder / "desk")
    desk.path.mkdir()
    try:
        screen = run_to_the_middle(desk)
        (folder / "terminal.html").write_text(PAGE + drawn(screen))
        photograph((folder / "terminal.html").as_uri(), HERE / "terminal.png", 1132, 700)
        desk.run("report", check=None)
        photograph((desk.path / "runs/todo-app/report.html").as_uri(), HERE / "report.png", 1200, 900)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    for name in ("terminal.png", "report.png"):
        print(HERE / name)


if __name__ == "__main__":
    main()
