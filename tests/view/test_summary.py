"""The last lines of a run, its exit code and status.json, for every state that a run can be in."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from typing import Any

import pytest
from conftest import ROOT
from runs import COMMAND, Run, check

from workflow import files
from workflow.errors import UsageError
from workflow.gate import feedback
from workflow.plan.phases import Phase, Plan
from workflow.view import overview, records, state, summary, tables


def plan(gate: str = "required") -> Plan:
    """Two phases, one after the other."""
    return Plan({"plan": Phase("plan", (), gate, (), (), (), ()), "build": Phase("build", ("plan",), gate, (), (), (), ())})


def now(run: Run, failed: bool = False, gate: str = "required") -> state.RunState:
    return state.read(run.folder, plan(gate), "digest", failed)


def lines(run: Run, failed: bool = False) -> list[str]:
    return summary.lines(now(run, failed), COMMAND)


def touch(run: Run, phase: str = "plan") -> None:
    time.sleep(0.02)  # a kernel's file times are as coarse as a tick
    run.marker(phase).touch()


def test_a_run_from_its_start_to_its_delivery(run: Run) -> None:
    found = now(run)
    assert (found.state, found.exit_code, [phase.state for phase in found.phases.values()]) == ("running", 0, ["running", "pending"])
    assert lines(run) == ["demo: plan: work is left to do", "  go on:   snakemake --cores 2"]

    run.shown()
    found = now(run)
    assert (found.state, found.exit_code, [phase.state for phase in found.phases.values()]) == ("waiting", 0, ["waiting", "pending"])
    assert lines(run) == [
        "demo: plan waits for your review (READY FOR REVIEW)",
        "  made:    1 files by writer: plan.md",
        "  checked: 1 of 1 artifact patterns found; no checks in this phase",
        "  read:    runs/demo/plan/REQUEST.md",
        "  approve: touch runs/demo/plan/APPROVED && snakemake --cores 2",
    ]

    touch(run)
    found = now(run)
    assert (found.state, [phase.state for phase in found.phases.values()]) == ("running", ["open", "running"])

    run.shown("the house", "build", ("plan",))
    assert [phase.state for phase in now(run).phases.values()] == ["open", "waiting"]
    touch(run, "build")
    (run.folder / "project").mkdir()
    found = now(run)
    assert (found.state, found.exit_code) == ("delivered", 0)
    assert lines(run) == [
        "demo: delivered: all 2 phases are done",
        "  made:    2 files in 2 bundles; the project lies in runs/demo/project",
        "  checked: 0 of 0 checks passed",
        "  read:    runs/demo/project",
        "  start:   see the project's own README",
    ]
    for name in ("README.md", "run.sh"):
        (run.folder / "project" / name).write_text("x")
    assert [line.split(":")[1].strip() for line in lines(run)[-2:]] == ["runs/demo/project/README.md", "sh runs/demo/project/run.sh"]

    run.shown("another plan")
    found = now(run)
    assert (found.state, [phase.state for phase in found.phases.values()]) == ("waiting", ["stale", "pending"])
    assert lines(run)[0].startswith("demo: plan waits for your review again (READY FOR REVIEW): ")


def test_a_blocked_run_says_why_and_what_to_do_and_exits_1(run: Run) -> None:
    run.agent("writer", "exit 3")
    run.merge("writer")
    run.validate(("plan.md",), checks=(check("good", "true"), check("absent", "no-such-program-here")))
    run.show("writer")
    touch(run)
    found = now(run)
    assert (found.state, found.exit_code) == ("blocked", 1)
    said = lines(run)
    assert said[0].startswith(
        "demo: plan is blocked (NEEDS ATTENTION): agent writer: failed; required artifact is missing: plan.md; check absent"
    )
    assert said[1:3] == [
        "  made:    nothing",
        "  checked: 0 of 1 artifact patterns found; 1 of 2 checks passed (good pass, absent unknown)",
    ]
    assert said[4].endswith("snakemake retry --config phase=plan")
    assert len(said) == 5


def test_requested_changes_are_a_state_that_exits_1(run: Run) -> None:
    run.shown()
    (run.folder / "plan" / feedback.MARKER).write_text("say why")
    found = now(run)
    assert (found.state, found.exit_code) == ("changes_requested", 1)
    assert lines(run)[0].startswith("demo: plan: changes were requested")
    assert lines(run)[-1] == "  go on:   snakemake --cores 2"


def test_a_run_in_which_a_job_failed_says_so_before_anything_else(run: Run) -> None:
    run.shown()
    found = now(run, failed=True)
    assert (found.state, found.exit_code) == ("failed", 1)
    said = lines(run, failed=True)
    assert said[0] == "demo: the run: a job could not do its work; see the messages above"
    assert "demo: plan waits for your review (READY FOR REVIEW)" in said


def test_phases_without_gate_are_done_when_nothing_is_wrong(run: Run) -> None:
    run.shown()
    run.shown("the house", "build", ("plan",))
    assert now(run, gate="none").state == "delivered"


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "{}", "null", '{"subject": {}}', '{"subject": 3, "metrics_digest": {}, "artifacts": []}']
)
def test_a_damaged_manifest_blocks_with_five_lines_and_no_traceback(run: Run, content: str) -> None:
    for name, text in {"manifest.json": content, "REQUEST.md": "x", "digest": "0" * 64}.items():
        files.write_text(run.folder / "plan" / name, text)
    found = now(run)
    assert (found.state, found.exit_code) == ("blocked", 1)
    said = lines(run)
    assert len(said) == 5
    assert said[-1] == "  mend:    rm runs/demo/plan/manifest.json && snakemake --cores 2"
    assert state.as_json(found, COMMAND)["phases"]["plan"]["state"] == "blocked"


def test_status_json_says_the_same_to_programs(run: Run) -> None:
    run.shown()
    made = state.as_json(now(run), COMMAND)
    summary.status_file(run.folder, made)
    text = (run.folder / "status.json").read_text()
    written = files.read_json(run.folder / "status.json")
    assert written == made
    assert text == files.pretty_json(made)
    assert (written["run"], written["state"]) == ("demo", "waiting")
    first = written["phases"]["plan"]
    assert first | {"since": ""} == {
        "state": "waiting",
        "reasons": ["nobody has approved it: there is no runs/demo/plan/APPROVED"],
        "digest": (run.folder / "plan/digest").read_text().strip(),
        "trust": "none",
        "by": "",
        "signers": [],
        "since": "",
        "waivers": [],
        "request": "runs/demo/plan/REQUEST.md",
        "next": "touch runs/demo/plan/APPROVED && snakemake --cores 2",
    }
    assert written["phases"]["build"]["state"] == "pending"
    before = (run.folder / "status.json").stat().st_mtime_ns
    summary.status_file(run.folder, made)
    assert (run.folder / "status.json").stat().st_mtime_ns == before


def test_words_of_agents_cannot_act_on_the_terminal(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.agent("writer", "printf x > \"$(printf 'evil\\033[2J\\rname\\n.md')\"")
    run.merge("writer")
    run.validate(("\x1b]0;title\x07*", "*.md"))
    run.show("writer")
    said = "\n".join(lines(run))
    assert "evil\ufffd[2J\ufffdname\ufffd.md" in said
    assert len(said.split("\n")) == 5
    overview.show(overview.as_json(records.read(now(run), plan()), COMMAND))
    tables.print_rows([{"path": "a\x1b[31mb\nc", "digest": None}], ["path", "digest"], "table")
    printed = capsys.readouterr().out
    assert not any(char for char in said + printed if not char.isprintable() and char != "\n")
    assert "a\ufffd[31mb\ufffdc" in printed


def on_a_terminal(**env: str) -> bytes:
    """What `show` prints on a real terminal."""
    code = "from workflow.view import summary; summary.show(['demo: waits: now', '  read:    x'])"
    ours, theirs = pty.openpty()
    kept = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run([sys.executable, "-c", code], stderr=theirs, env=kept | {"PYTHONPATH": str(ROOT)} | env, check=True)
    os.close(theirs)
    said = os.read(ours, 4096)
    os.close(ours)
    return said


def test_colour_is_for_terminals_that_want_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert on_a_terminal() == b"\x1b[1mdemo:\x1b[0m waits: now\r\n\x1b[1m  read:\x1b[0m    x\r\n"
    assert on_a_terminal(NO_COLOR="1") == b"demo: waits: now\r\n  read:    x\r\n"
    summary.show(["demo: waits"])
    assert capsys.readouterr().err == "demo: waits\n"


def test_bundles_are_listed_as_table_and_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tables.show_bundles(run.folder)
    assert capsys.readouterr().out == "nothing yet\n"
    digest = run.shown()["digest"]
    capsys.readouterr()
    tables.show_bundles(run.folder)
    head, _, row = capsys.readouterr().out.splitlines()
    assert head.split("  ")[0] == "phase"
    assert row.split()[:4] == ["plan", "pass", "1", "1"]
    assert digest[:12] in row
    assert digest not in row
    tables.show_bundles(run.folder, "plan", "json")
    rows: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert [(found["phase"], found["digest"]) for found in rows] == [("plan", digest)]
    with pytest.raises(UsageError, match="no such bundle; known: plan"):
        tables.show_bundles(run.folder, "nothing")
