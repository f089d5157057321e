"""`status` and `runs`: what they say of a run, on a terminal, in a pipe and as JSON."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from runs import COMMAND, Run

from workflow.plan.phases import Agent, Phase, Plan
from workflow.view import overview, records, runs, state, summary, tables


def plan() -> Plan:
    def agents(phase: str) -> tuple[Agent, ...]:
        return (Agent(phase, "writer", "agent", "shell", (), "", 30, {}, False, "none"),)

    return Plan(
        {
            "plan": Phase("plan", (), "required", agents("plan"), (), (), ()),
            "build": Phase("build", ("plan",), "required", agents("build"), (), (), ()),
        }
    )


def said(run: Run) -> dict[str, Any]:
    return overview.as_json(records.read(state.read(run.folder, plan(), "digest"), plan()), COMMAND)


def test_status_names_state_figures_reasons_and_the_next_command(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.shown()
    capsys.readouterr()
    overview.show(said(run))
    printed = capsys.readouterr().out
    head, _, names, _, first, second, *_ = printed.splitlines()
    assert head == "demo: waiting"
    assert names.split() == ["phase", "state", "agents", "validation", "duration", "cost", "trust", "by", "since", "digest"]
    assert first.split()[:6] == ["plan", "waiting", "1", "of", "1", "pass"]
    assert second.split()[:5] == ["build", "pending", "0", "of", "1"]
    assert "plan: nobody has approved it" in printed
    assert "read for plan: runs/demo/plan/REQUEST.md\nnext for plan: touch runs/demo/plan/APPROVED && snakemake --cores 2\n" in printed
    assert printed.count("snakemake --cores 2") == 1


def test_status_as_json_holds_status_json_and_the_figures(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.shown()
    capsys.readouterr()
    overview.show(said(run), "json")
    found = json.loads(capsys.readouterr().out)
    kept = state.as_json(state.read(run.folder, plan(), "digest"), COMMAND)
    assert found["state"] == kept["state"]
    assert kept["phases"]["plan"].items() <= found["phases"]["plan"].items()
    assert found["phases"]["plan"]["figures"]["succeeded"] == 1
    assert found["phases"]["build"]["figures"]["pending"] == 1


def test_a_failed_agent_is_counted_and_its_phase_is_blocked(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.agent("writer", "exit 3")
    run.merge("writer")
    run.validate()
    run.show("writer")
    capsys.readouterr()
    overview.show(said(run))
    printed = capsys.readouterr().out
    assert "0 of 1, 1 failed" in printed
    assert "blocked" in printed
    assert "next for plan: snakemake retry --config phase=plan" in printed


def test_who_works_at_this_moment_is_named(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from workflow.work import journal

    journal.begin(run.agent_dir("writer"), {"key": "k"})
    assert [row["agent"] for row in said(run)["phases"]["plan"]["working"]] == ["writer"]
    overview.show(said(run))
    assert "plan: writer works since 20" in capsys.readouterr().out


def test_a_delivered_run_says_where_the_project_lies(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from runs import files

    for phase, after in (("plan", ()), ("build", ("plan",))):
        run.shown(phase, phase, after)
        files.write_text(run.marker(phase), files.read_json(run.folder / phase / "manifest.json")["digest"] + "\n")
    capsys.readouterr()
    overview.show(said(run))
    printed = capsys.readouterr().out
    assert printed.startswith("demo: delivered\n")
    assert "the project lies in runs/demo/project" in printed


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_a_table_fits_the_terminal(columns: int) -> None:
    rows = [{name: f"{name} value" for name in overview.COLUMNS} | {"state": "blocked"}]
    code = f"from workflow.view import overview, tables; tables.print_rows({rows!r}, overview.COLUMNS, 'table', overview.SPARE)"
    lines = on_a_terminal(code, columns).decode().splitlines()
    assert max(len(line) for line in lines) <= columns
    assert "phase" in lines[0]
    assert ("digest" in lines[0]) == (columns == 200)
    assert "\x1b" not in "".join(lines)


def on_a_terminal(code: str, columns: int) -> bytes:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    env = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "33", "NO_COLOR": "1", "TERM": "xterm"}
    subprocess.run([sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, env=env, check=True)
    os.close(theirs)
    shown = b""
    try:
        while part := os.read(ours, 65536):
            shown += part
    except OSError:
        pass  # the other end is closed
    os.close(ours)
    return shown


def test_a_pipe_gets_whole_lines(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_rows([{"path": "x" * 300}], ["path"], "table")
    assert "x" * 300 in capsys.readouterr().out


def test_csv_quotes_and_leaves_the_unknown_empty(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_rows([{"a": 'say "x", y', "b": None}], ["a", "b"], "csv")
    assert capsys.readouterr().out == 'a,b\n"say ""x"", y",\n'


def test_csv_is_no_formula_and_acts_on_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    tables.print_rows([{"a": "=1+1", "b": "\x1b]0;x\x07", "c": -1.5}], ["a", "b", "c"], "csv")
    assert capsys.readouterr().out == "a,b,c\n'=1+1,\ufffd]0;x\ufffd,-1.5\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "[1]"),
        ("status.json", '{"phases": null}'),
        ("status.json", '{"phases": {"plan": "open"}}'),
        ("plan/agents/writer/attempts/001/exit.json", "[1]"),
    ],
)
def test_a_damaged_run_does_not_hide_the_others(run: Run, name: str, content: str, capsys: pytest.CaptureFixture[str]) -> None:
    run.shown()
    summary.status_file(run.folder, state.as_json(state.read(run.folder, plan(), "digest"), COMMAND))
    (run.folder / name).write_text(content)
    other = Run(Path("runs/later"))
    other.start()
    capsys.readouterr()
    runs.show(Path("runs"), "demo")
    printed = capsys.readouterr().out
    assert "later" in printed
    assert "demo *" in printed


def test_runs_are_listed_newest_first_with_the_current_one_marked(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.shown()
    summary.status_file(run.folder, state.as_json(state.read(run.folder, plan(), "digest"), COMMAND))
    other = Run(Path("runs/later"))
    other.start()
    other.rewrite("run.json", lambda value: value.update(started_at="2026-02-01T00:00:00.000Z"))
    capsys.readouterr()
    runs.show(Path("runs"), "demo")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["later", "demo"]
    assert "demo *" in lines[3]
    assert "0 of 2" in lines[3]
    assert "plan (waiting)" in lines[3]
    runs.show(Path("runs"), "demo", "json")
    found = {row["run"]: row for row in json.loads(capsys.readouterr().out)}
    assert (found["demo"]["state"], found["demo"]["attempts"], found["demo"]["cost_unknown"]) == ("waiting", 1, 1)
    assert found["later"]["state"] == "unknown"


def test_runs_judge_a_gate_anew(run: Run) -> None:
    run.shown()
    summary.status_file(run.folder, state.as_json(state.read(run.folder, plan(), "digest"), COMMAND))
    assert runs.listing(Path("runs"), "demo")[0]["held_by"] == "plan (waiting)"
    digest = (run.folder / "plan" / "digest").read_text()
    run.marker().write_text(digest)
    assert runs.listing(Path("runs"), "demo")[0]["open"] == "1 of 2"


@pytest.mark.parametrize(("value", "text"), [(None, "unknown"), (0, "0.0 s"), (99.94, "99.9 s"), (125, "2 min 05 s"), (3725, "1 h 02 min")])
def test_durations_are_said_as_people_say_them(value: float | None, text: str) -> None:
    assert tables.seconds(value) == text


@pytest.mark.parametrize(
    ("amounts", "text"),
    [
        ((0.0, 2, 2), "unknown"),
        ((0.1234, 0, 1), "0.1234 USD"),
        ((12.5, 1, 3), "12.50 USD + 1 unknown"),
        ((0.5, 0, 1, True), "~0.5000 USD"),
        ((0, 0, 1), "0.00 USD"),
    ],
)
def test_costs_say_what_is_not_known(amounts: tuple[Any, ...], text: str) -> None:
    assert tables.dollars(*amounts) == text


@pytest.mark.parametrize("content", ["[]", "{}", '{"status": 3}', '{"status": "succeeded", "attempts": [1]}', "nonsense"])
def test_a_damaged_outcome_is_unknown_and_said(run: Run, capsys: pytest.CaptureFixture[str], content: str) -> None:
    from workflow.view import figures, metrics

    run.shown()
    (run.agent_dir("writer") / "outcome.json").write_text(content)
    capsys.readouterr()
    overview.show(said(run))
    printed = capsys.readouterr().out
    assert "0 of 1" in printed
    assert "outcome.json of writer cannot be read, so what it did is unknown" in printed
    found = figures.compute(records.read(state.read(run.folder, plan(), "digest"), plan()))
    assert metrics.document(found)["agents"][0]["status"] == "pending"


def test_a_long_list_of_reasons_is_cut_and_says_so(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    run.shown()
    long = said(run)
    long["phases"]["plan"]["reasons"] = [f"reason {number}" for number in range(40)]
    capsys.readouterr()
    overview.show(long)
    printed = capsys.readouterr().out
    assert "plan: reason 11\nplan: ... and 28 more\n" in printed
    assert "reason 12" not in printed
