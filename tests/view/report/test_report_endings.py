"""The ends of logs: those of what went wrong have room first."""

from __future__ import annotations

from typing import Any

from pages import plan_of, subject_of
from runs import check

from workflow.view.report import endings
from workflow.view.report.room import Room
from workflow.view.report.texts import Guard
from workflow.work.redaction import Values

GUARD = Guard(Values({}))


def room_of(size: int) -> Room:
    """Room for one phase."""
    made = Room(size, 1)
    made.next_phase()
    return made


def test_logs_of_what_failed_have_room_first_and_order_stays(run: Any) -> None:
    for name, code in (("good", 0), ("bad", 3)):
        run.agent(name, f"echo x > {name}.md; seq 100; exit {code}")
    plan = plan_of({"plan": {"good": (), "bad": ()}})
    phase = subject_of(run.folder, plan).record.phases["plan"]
    found = endings.of_agents(run.folder, 1, phase, GUARD, room_of(400))
    assert [item.name for item in found] == ["good", "bad"]
    assert [item.no_room for item in found] == [True, False]
    assert found[1].log.text.endswith("\n100")
    (group,) = endings.groups(found)
    assert [item.name for item in group.endings] == ["bad"]
    assert len({item.id for item in found}) == 2


def test_checks_end_with_their_logs(run: Any) -> None:
    run.agent("writer", "echo x > plan.md")
    run.merge("writer")
    rows = run.validate(
        checks=(check("fine", "echo", "all well"), check("bad", "sh", "-c", "echo oh no; exit 1"), check("none", "no-such"))
    )
    found = endings.of_checks(run.folder, 1, rows["checks"], GUARD, room_of(10_000))
    assert [(item.name, item.status, item.log.text) for item in found] == [
        ("fine", "pass", "all well"),
        ("bad", "fail", "oh no"),
        ("none", "unknown", ""),
    ]


def test_very_many_fold_together_but_the_first_that_went_wrong_stand_open() -> None:
    many = [
        endings.Ending(f"a{n}", f"a{n}", {"status": "failed" if n % 2 else "succeeded", "errors": ["x"]}, endings.Cut(""), None)
        for n in range(120)
    ]
    open_ones, further, good = endings.groups(many, 40)
    assert (open_ones.title, len(open_ones.endings)) == ("", 40)
    assert (len(further.endings), len(good.endings)) == (20, 60)
    assert {item.status for item in (*open_ones.endings, *further.endings)} == {"failed"}
    assert endings.groups([]) == []
