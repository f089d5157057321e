"""Random SIGKILLs of whatever is there: the same plain command carries on, and nothing is paid for twice."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faults import campaign, fit, table
from faults.campaign import Report
from workflow.work import sandbox

SEED = int(os.environ.get("PHASEGATE_FAULTS_SEED", "1"))


def judge(report: Report, proven: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Print what happened; every row must be good."""
    rows = table.kills(report, proven)
    with capsys.disabled():
        print(f"\n{campaign.tell(report)}\n{table.lay_out(rows)}")
    assert [(row.goal, row.figure, row.why) for row in rows if not row.good] == []


def test_a_few_kills_are_survived_by_the_same_plain_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit.require_linux()
    judge(campaign.run(tmp_path, kills=12, seed=SEED, lanes=1), 1, capsys)


@pytest.mark.long
def test_200_kills_are_survived_by_the_same_plain_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit.require_linux()
    judge(campaign.run(tmp_path, kills=200, seed=SEED), table.PROVEN, capsys)


@pytest.mark.long
def test_kills_in_a_sandbox_are_survived_by_the_same_plain_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fit.require_linux()
    if not sandbox.works():
        fit.unfit("bubblewrap does not work here")
    judge(campaign.run(tmp_path, kills=20, seed=SEED + 100, sandboxes=("require",)), 1, capsys)
