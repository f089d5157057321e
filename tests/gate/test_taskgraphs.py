"""The graph of tasks: a Mermaid flowchart that no title can break out of."""

from __future__ import annotations

from typing import Any

from workflow.gate import taskgraphs
from workflow.plan.commandline import Command

COMMAND = Command(("snakemake",))


def row(name: str, status: str = "succeeded", needs: tuple[str, ...] = (), after: tuple[str, ...] = (), title: str = "T") -> dict[str, Any]:
    facts = {"files": [], "outside": [], "accept": [], "errors": ["why"], "attempts": 1, "duration_s": 1.0}
    return {"id": name, "title": title, "needs": list(needs), "after": list(after), "status": status, **facts}


def test_arrows_lead_from_what_is_needed_and_dotted_ones_join_those_that_touch_the_same_files() -> None:
    lines = taskgraphs.mermaid([row("a"), row("b", "failed", needs=("a",)), row("c", "skipped", needs=("b",), after=("a",))]).splitlines()
    assert lines[0] == "flowchart LR"
    assert '  t1["b<br/>T<br/>failed"]:::wrong' in lines
    assert '  t2["c<br/>T<br/>skipped"]:::skipped' in lines
    assert {"  t0 --> t1", "  t1 --> t2", "  t0 -. same files .-> t2"} <= set(lines)


def test_no_title_breaks_out_of_its_label() -> None:
    title = 'x"] --> t0\n```\n<script>alert(1)</script> `a` [b](c) %% click'
    graph = taskgraphs.mermaid([row("a", title=title)])
    [line] = [text for text in graph.splitlines() if text.startswith("  t0[")]
    assert line.count('"') == 2
    assert "```" not in graph
    assert "<script" not in graph
    assert "[b]" not in line


def test_of_many_tasks_those_that_did_not_succeed_are_drawn_with_what_they_build_on() -> None:
    rows = [row(f"t{number}") for number in range(500)] + [row("bad", "failed", needs=("t3",)), row("after", "skipped", needs=("bad",))]
    page = taskgraphs.page_of({"agent": "many", "phase": "p", "tasks": rows}, COMMAND, [])
    assert page is not None
    assert page["left_out"] == 499
    assert [name in page["graph"] for name in ('"bad<br/>', '"after<br/>', '"t3<br/>', '"t4<br/>')] == [True, True, True, False]
    assert page["counts"] == ["500 succeeded", "1 failed", "1 skipped"]
    assert [item["id"] for item in page["rows"][:1]] == ["bad"]
    assert page["rows"][0]["retry"] == "snakemake retry --config phase=p agent=many/tasks/bad"
