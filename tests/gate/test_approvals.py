"""What `approve` takes as a waiver: each thing that is wrong, by name, with a reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from runs import Run

from workflow.errors import UsageError
from workflow.gate import approvals, decisions

ODD = ("a;b.md", "a=b.md", "a", "[;]*.md", r"c\;d.md")


@pytest.fixture
def blocked(run: Run) -> Run:
    """A phase in which files with odd names are missing."""
    run.agent("writer", "echo x > plan.md")
    run.merge("writer")
    run.validate(ODD)
    run.show("writer")
    return run


def approve(folder: Path, waive: str) -> dict[str, str]:
    """Approve with this text; the waivers that the marker then holds."""
    decisions.approve(folder, "plan", [], "Ann", "", waive)
    given = approvals.parse((folder / "plan/APPROVED").read_bytes())
    assert given is not None
    return dict(given.waivers)


def test_whatever_is_missing_can_be_waived_as_the_refusal_says(blocked: Run) -> None:
    with pytest.raises(UsageError, match="plan is blocked") as refused:
        approve(blocked.folder, "")
    how = re.search(r'waive="(.*)"', str(refused.value))
    assert how is not None
    assert r"artifact:a\;b.md=why" in how[1]
    assert approve(blocked.folder, how[1]) == {f"artifact:{name}": "why" for name in ODD}
    assert blocked.judge().is_open


def test_a_semicolon_ends_a_waiver_unless_a_backslash_stands_before_it(blocked: Run) -> None:
    rest = r"artifact:a=2;artifact:a=b.md=3 ; artifact:[\;]*.md=4; artifact:c\\;d.md=5;"
    found = approve(blocked.folder, rf"artifact:a\;b.md=first, then \; second; {rest}")
    assert found == {
        "artifact:a;b.md": "first, then ; second",
        "artifact:a": "2",
        "artifact:a=b.md": "3",
        "artifact:[;]*.md": "4",
        r"artifact:c\;d.md": "5",
    }
    with pytest.raises(UsageError, match="`second` gives no reason"):
        approve(blocked.folder, f"artifact:a=first; second; {rest}")
