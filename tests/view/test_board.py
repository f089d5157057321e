"""The board: what is drawn of a run from its files, how often they are looked at, and what damaged ones do."""

from __future__ import annotations

import io
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from pages import plan_of
from rich.console import Console

from workflow import files
from workflow.view.board import Board
from workflow.work import journal, outcomes

RUN = Path("runs/demo")
PLAN = plan_of({"plan": {"writer": (), "critic": (), "docs": ()}})
BRIEF = {"run": "demo", "phase": "plan", "agent": "x", "role": "agent", "runner": {"name": "fake"}}


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    monkeypatch.chdir(tmp_path)
    return Board(RUN, PLAN, total=5)


def agent_dir(agent: str) -> Path:
    return RUN / "plan/agents" / agent


def tries(agent: str, number: int, usage: Any, ended: bool = True) -> None:
    """An attempt that has used this."""
    folder = agent_dir(agent) / f"attempts/{number:03d}"
    files.write_json(folder / "begin.json", {"number": number, "runner": "fake", "started_at": files.now()})
    files.write_json(folder / "usage.json", usage)
    if ended:
        files.write_json(folder / "exit.json", {"exit_code": 0})


def succeeds(agent: str) -> None:
    files.write_json(agent_dir(agent) / "outcome.json", outcomes.blank(BRIEF, "succeeded", [], None))


def drawn(board: Board) -> str:
    console = Console(file=io.StringIO(), width=120, height=40)
    console.print(board)
    return console.file.getvalue()  # type: ignore[attr-defined]


def test_only_agents_whose_job_runs_or_has_ended_are_looked_at_again(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    listed: list[str] = []
    monkeypatch.setattr(journal, "attempts", lambda folder, read=journal.attempts: listed.append(folder.name) or read(folder))
    tries("writer", 1, {"cost_usd": 1.25})
    drawn(board)
    assert listed == ["writer", "critic", "docs"]
    board.begins(1, "plan_critic", "plan")
    tries("critic", 1, {"cost_usd": 2.0}, ended=False)
    del listed[:]
    assert "3.25 USD" in drawn(board)
    assert "3.25 USD" in drawn(board)
    assert listed == ["critic", "critic"]


def test_what_a_job_left_that_ended_between_two_drawings_is_seen(board: Board) -> None:
    drawn(board)
    board.begins(1, "plan_writer", "plan")
    tries("writer", 1, {"cost_usd": 4.5})
    succeeds("writer")
    board.ends(1)
    board.begins(2, "plan_critic", "plan")
    tries("critic", 1, {"cost_usd": 0.0}, ended=False)
    shown = drawn(board)
    assert "4.50 USD" in shown
    assert "plan: 1 of 3 done, 1 at work, 1 waiting" in shown


def test_cost_that_was_computed_from_a_price_list_has_a_tilde(board: Board) -> None:
    tries("writer", 1, {"cost_usd": 1.25, "estimated": False})
    assert " 1.25 USD" in drawn(board)
    tries("critic", 1, {"cost_usd": 2.0, "estimated": True})
    board.begins(1, "plan_critic", "plan")
    assert "~3.25 USD" in drawn(board)


def test_cost_that_nobody_told_is_unknown(board: Board) -> None:
    tries("writer", 1, {"cost_usd": None})
    assert "cost unknown" in drawn(board)
    tries("critic", 1, {"cost_usd": 2.0})
    board.begins(1, "plan_critic", "plan")
    assert "2.00 USD + 1 unknown" in drawn(board)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"status": 3}', '{"status": "succeeded"}'])
def test_damaged_outcome_counts_as_unknown_and_not_as_done(board: Board, content: str) -> None:
    files.write_text(agent_dir("writer") / "outcome.json", content)
    board.begins(1, "plan_docs", "plan")
    tries("docs", 1, {}, ended=False)
    assert "plan: 0 of 3 done, 1 unknown, 1 at work, 1 waiting" in drawn(board)


def test_who_has_no_slot_yet_is_not_at_work_whatever_came_of_an_earlier_attempt(board: Board) -> None:
    tries("writer", 1, {}, ended=False)  # killed with all that ran
    time.sleep(0.01)
    board.begins(1, "plan_writer", "plan")
    shown = drawn(board)
    assert "plan: 0 of 3 done, 3 waiting" in shown
    assert "writer" not in shown
    time.sleep(0.01)
    tries("writer", 2, {}, ended=False)
    shown = drawn(board)
    assert "plan: 0 of 3 done, 1 at work, 2 waiting" in shown
    assert "writer" in shown


def test_who_is_held_against_what_it_is_accepted_by_is_at_work(board: Board) -> None:
    board.begins(1, "plan_writer", "plan")
    time.sleep(0.01)
    tries("writer", 1, {})
    files.write_json(agent_dir("writer") / "attempts/001/result.json", {"status": "succeeded"})
    assert "plan: 0 of 3 done, 1 at work, 2 waiting" in drawn(board)


@pytest.mark.parametrize("usage", [{"cost_usd": "much"}, {"cost_usd": [1]}])
def test_file_that_cannot_be_understood_is_told_and_ends_nothing(board: Board, usage: Any) -> None:
    tries("writer", 1, usage)
    board.begins(1, "plan_writer", "plan")
    assert "what goes on cannot be shown: TypeError" in drawn(board)
    tries("writer", 1, {"cost_usd": 1.25})
    assert "1.25 USD" in drawn(board)


def test_usage_that_is_no_object_is_unknown(board: Board) -> None:
    tries("writer", 1, [1])
    assert "cost unknown" in drawn(board)


def test_jobs_may_begin_and_end_while_the_board_is_drawn(board: Board) -> None:
    over, interval = threading.Event(), sys.getswitchinterval()

    def work() -> None:
        while not over.is_set():
            for job in range(500):
                board.begins(job, "plan_docs", "plan")
            for job in range(500):
                board.ends(job)

    worker = threading.Thread(target=work)
    sys.setswitchinterval(1e-5)
    worker.start()
    try:
        shown = [drawn(board) for _ in range(100)]
    finally:
        over.set()
        worker.join()
        sys.setswitchinterval(interval)
    assert not [text for text in shown if "cannot be shown" in text]
