"""What a person sees on a real terminal while a run goes on: lines that stay, and a board that goes."""

from __future__ import annotations

import re
from pathlib import Path

import pexpect
import pyte
import pytest
from conftest import ROOT, SNAKEMAKE, Desk, sh

RUNNERS = {
    "slow": sh("sleep 1.5; cat /proc/sys/kernel/random/uuid > $(mktemp -u made-XXXXXX).txt"),
    "bad": sh("sleep 0.2; exit 3"),
    "again": sh("exit 75"),
}
AGENTS = {
    "writer": {"runner": "slow"},
    "critic": {"runner": "bad"},
    "docs": {"runner": "again"},
    "late": {"runner": "slow", "needs": ["writer"]},
}
SAID = (
    "plan writer: works (attempt 1, slow)",
    "plan writer: succeeded",
    "plan critic: failed",
    "plan docs: attempt 1 failed",
    "plan docs: works (attempt 2, again)",
    "plan docs: attempt 2 failed",
    "plan docs: works (attempt 3, again)",
    "plan late: succeeded",
    "plan check there: pass",
)
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
BOARD = re.compile(r"\d+ of \d+ jobs|[━╸╺]|^ {2}plan: |^ {4}writer ")


class Watched:
    """A run on a terminal: everything that was written, and each state that the screen was in."""

    def __init__(self, desk: Desk, columns: int, *words: str, folder: Path | None = None, **env: str) -> None:
        self.screen = pyte.HistoryScreen(columns, 40, history=1000)
        self.stream, self.raw, self.seen = pyte.Stream(self.screen), "", []
        command = ["-s", str(ROOT / "Snakefile"), "--cores", "3", *words]
        variables = {**desk.environment(), "TERM": "xterm-256color", "COLUMNS": "33", **env}
        child = pexpect.spawn(
            str(SNAKEMAKE), command, cwd=str(folder or desk.path), env=variables, dimensions=(40, columns), encoding="utf-8", timeout=120
        )
        while True:
            try:
                part = child.read_nonblocking(4096, 60)
            except pexpect.EOF:
                break
            self.raw += part
            self.stream.feed(part)
            self.seen.append("\n".join(line.rstrip() for line in self.screen.display))
        child.close()
        self.code = child.exitstatus

    @property
    def last(self) -> str:
        """All that stands on the screen at the end, as one line."""
        return " ".join(" ".join(self.screen.display).split())

    def boards(self) -> list[str]:
        """The states of the screen in which the board stood."""
        return [state for state in self.seen if re.search(r"\d+ of \d+ jobs", state)]


@pytest.fixture
def watched_desk(desk: Desk) -> Desk:
    phases = {"plan": {"agents": AGENTS, "checks": [{"name": "there", "command": ["ls"], "environment": "none"}]}}
    desk.configure(phases, RUNNERS, max_parallel_agents=3, retry={"base_delay": 0.6, "jitter": 0})
    return desk


@pytest.mark.parametrize(("columns", "env"), [(60, {"NO_COLOR": "1"}), (80, {}), (200, {})])
def test_what_was_said_stays_and_the_board_goes(watched_desk: Desk, columns: int, env: dict[str, str]) -> None:
    seen = Watched(watched_desk, columns, **env)
    assert seen.code == 1
    for line in SAID:
        assert line in seen.last, line
    assert "plan is blocked" in seen.last
    assert not re.search(r"\d+ of \d+ jobs", seen.last)
    assert re.search(r"[━╸╺]", seen.last) is None

    boards = seen.boards()
    assert any(re.search(r"plan: \d of 4 done.*at work", state) for state in boards)
    assert any(re.search(r"^ {4}writer \d+\.\d s \(slow\)$", state, re.M) for state in boards)
    assert any("backing off" in state for state in boards)

    assert bool(COLOUR.search(seen.raw)) == ("NO_COLOR" not in env)
    assert "\x1b[?25l" not in seen.raw.rsplit("\x1b[?25h", 1)[-1]  # the cursor is there at the end
    assert not (watched_desk.path / "runs/.voice").exists()


def test_run_of_another_folder_is_drawn_and_leaves_nothing(watched_desk: Desk, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    seen = Watched(watched_desk, 80, "-d", str(watched_desk.path), folder=elsewhere)
    assert seen.code == 1
    assert seen.boards()
    assert "plan late: succeeded" in seen.last
    assert not re.search(r"\d+ of \d+ jobs", seen.last)
    assert not (watched_desk.path / "runs/.voice").exists()
    assert not list(elsewhere.glob("runs/.*"))


def test_nothing_is_drawn_for_a_run_in_which_nothing_is_to_be_done(watched_desk: Desk) -> None:
    watched_desk.run(check=None)
    seen = Watched(watched_desk, 80)
    assert not seen.boards()
    assert "plan is blocked" in seen.last


def test_verbose_is_snakemakes_own_account(watched_desk: Desk) -> None:
    seen = Watched(watched_desk, 120, "--verbose")
    assert not seen.boards()
    assert "rule start_run" in seen.raw
    assert "plan writer: works" in seen.raw


def test_a_dumb_terminal_gets_plain_lines(watched_desk: Desk) -> None:
    seen = Watched(watched_desk, 80, TERM="dumb")
    assert not seen.boards()
    assert "\x1b[2K" not in seen.raw
    assert "plan writer: succeeded" in seen.last


def test_without_a_terminal_there_are_plain_lines(watched_desk: Desk) -> None:
    done = watched_desk.run(check=1)
    assert "plan docs: attempt 2 failed" in done.out
    assert "\x1b" not in done.out + done.err
    assert not list(Path(watched_desk.path, "runs").glob(".voice"))


def test_ctrl_c_takes_the_board_away(watched_desk: Desk) -> None:
    watched_desk.configure({"plan": {"agents": {"writer": {"runner": "long"}}}}, {"long": sh("sleep 60")})
    command = ["-s", str(ROOT / "Snakefile"), "--cores", "2"]
    child = pexpect.spawn(
        str(SNAKEMAKE),
        command,
        cwd=str(watched_desk.path),
        env=watched_desk.environment() | {"TERM": "xterm"},
        dimensions=(30, 80),
        encoding="utf-8",
    )
    child.expect("writer.* s\x1b", timeout=60)
    written = child.before + child.after
    child.sendintr()
    rest = child.read()
    child.close()
    screen = pyte.Screen(80, 30)
    stream = pyte.Stream(screen)
    stream.feed(written)
    assert any(BOARD.search(line) for line in screen.display)
    stream.feed(rest)
    assert child.exitstatus == 130
    assert any("stopped" in line for line in screen.display)
    assert not [line for line in screen.display if BOARD.search(line)]
    assert not (watched_desk.path / "runs/.voice").exists()
