"""Limits of hygiene: they are part of what is reviewed where they are set, and block by name."""

from __future__ import annotations

from typing import Any

import pytest
from runs import Run

from workflow.gate import approvals

TREE: dict[str, str | bytes] = {"README.md": "x", "a.txt": "x", "b.txt": "x"}  # 96 points, two orphans


def shown(run: Run, **limits: Any) -> dict[str, Any]:
    run.scored(TREE, "true", hygiene=limits)
    return dict(run.show("writer")["subject"])


def blocking(subject: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item.id, item.text) for item in approvals.blockers(subject)]


def test_without_limits_hygiene_is_no_part_of_the_subject(run: Run) -> None:
    assert "hygiene" not in shown(run)
    (run.folder / "plan/hygiene.json").unlink()
    assert blocking(dict(run.show("writer")["subject"])) == []


@pytest.mark.parametrize(
    ("limits", "blocked"),
    [
        ({"min_score": 96}, []),
        ({"min_score": 97}, [("hygiene:min_score", "the hygiene score is 96; at least 97 is asked for")]),
        ({"max_orphans": 2}, []),
        ({"max_orphans": 1}, [("hygiene:max_orphans", "the number of orphan files is 2; at most 1 may be there")]),
        ({"max_orphans": 0, "min_score": 0}, [("hygiene:max_orphans", "the number of orphan files is 2; at most 0 may be there")]),
    ],
)
def test_limit_blocks_exactly_where_it_is_passed(run: Run, limits: dict[str, int], blocked: list[tuple[str, str]]) -> None:
    subject = shown(run, **limits)
    assert blocking(subject) == blocked
    assert subject["hygiene"] == {
        "score": 96, "orphans": 2, "min_score": None, "max_orphans": None, "unknown": [],
        "violations": [item.split(":")[1] for item, _ in blocked],
    } | limits  # fmt: skip


def test_unknown_is_not_a_pass_even_where_nothing_is_asked_for_but_to_know(run: Run) -> None:
    run.scored(TREE, "true", hygiene={"min_score": 0, "max_orphans": 99})
    (run.folder / "plan/hygiene.json").unlink()
    said = "is unknown, not measured by score_hygiene (unknown is not a pass)"
    assert blocking(dict(run.show("writer")["subject"])) == [
        ("hygiene:min_score", f"the hygiene score {said}; at least 0 is asked for"),
        ("hygiene:max_orphans", f"the number of orphan files {said}; at most 99 may be there"),
    ]


def test_known_orphans_do_not_block_because_something_else_is_unknown(run: Run) -> None:
    run.scored(TREE, "true", hygiene={"max_orphans": 2})
    run.rewrite("plan/hygiene.json", lambda value: value["components"]["dead_code"].update(points=None, status="unknown"))
    assert blocking(dict(run.show("writer")["subject"])) == []
