"""What a delivered project scores for hygiene: the embedded agents leave nothing behind that they would mark down themselves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from deliveries import Delivery


@pytest.mark.parametrize("kind", ["webapp", "analytics", "ml"])
def test_every_phase_of_a_delivered_project_scores_an_a_or_better(kind: str, delivered: Callable[[str], Delivery]) -> None:
    made = delivered(kind)
    summary = made.desk.json(f"runs/{made.run}/hygiene_summary.json")
    found = {row["phase"]: (row["score"], row["grade"]) for row in summary["phases"]}
    assert list(found)[0] == "planning"
    assert list(found)[-1] == "deployment"
    assert {grade for _, grade in found.values()} <= {"A", "A+"}, found
    assert (summary["score"], summary["grade"]) == found["deployment"]
    last = made.desk.json(f"runs/{made.run}/deployment/hygiene.json")
    assert {name: row["status"] for name, row in last["components"].items()} == {
        "orphans": "measured",
        "large_files": "measured",
        "dead_code": "measured",
        "notebook_outputs": "not applicable",
        "secrets": "measured",
    }
