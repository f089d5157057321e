"""The event readers, over what the real tools printed (fixtures, see record.py) and over rubbish."""

from __future__ import annotations

import hashlib
import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from workflow.work.runners import events
from workflow.work.runners.events import base, problems, tails

FIXTURES = Path(__file__).resolve().parent / "fixtures"
RECORDED = sorted(path.stem for path in FIXTURES.glob("*.json") if not path.name.startswith("synthetic_"))


def sidecar(name: str) -> dict[str, Any]:
    return json.loads((FIXTURES / f"{name}.json").read_text())


def reader_for(name: str) -> events.Reader:
    return events.reader(name.removeprefix("synthetic_").split("_")[0].removesuffix("-json"))


def read(name: str, home: Path, exit_code: int | None = None) -> events.Report:
    """Feed a fixture to its reader, standard error first, as it comes in chunks."""
    reader = reader_for(name)
    rollout = FIXTURES / f"{name}.rollout"
    if rollout.exists():
        goal = home / ".codex/sessions/2026/01/01/rollout-x.jsonl"
        goal.parent.mkdir(parents=True)
        goal.write_bytes(rollout.read_bytes())
    for stream in ("err", "out"):
        lines, path = events.Lines(), FIXTURES / f"{name}.{stream}"
        data = path.read_bytes() if path.exists() else b""
        for start in range(0, len(data), 1000):
            for line in lines.push(data[start : start + 1000]):
                reader.feed(stream, line)
        for line in lines.close():
            reader.feed(stream, line)
    return reader.end(sidecar(name)["exit_code"] if exit_code is None else exit_code, home)


def seen(report: events.Report) -> tuple[str, str | None]:
    return report.said, report.problem.kind if report.problem else None


def test_each_fault_was_recorded_from_each_tool() -> None:
    wanted = {f"{cli}_{fault}" for cli in ("codex", "pi", "gemini", "opencode") for fault in EXPECTED if fault != "nokey"}
    assert wanted <= set(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_fixture_is_what_was_recorded(name: str) -> None:
    said = sidecar(name)
    assert said["version"]
    assert said["command"]
    for stream, digest in said["sha256"].items():
        assert hashlib.sha256((FIXTURES / f"{name}.{stream}").read_bytes()).hexdigest() == digest


EXPECTED = {
    "ok": ("ok", None),
    "noop": ("ok", None),
    "400": ("error", "bad_request"),
    "401": ("error", "auth"),
    "429": ("error", "rate_limit"),
    "500": ("error", "server"),
    "cut": ("error", "cut"),
    "nokey": ("error", "auth"),
}


@pytest.mark.parametrize("name", RECORDED)
def test_reader_says_what_happened_whatever_the_exit_code_was(name: str, tmp_path: Path) -> None:
    expected = EXPECTED[name.split("_")[1]]
    report = read(name, tmp_path)
    assert seen(report) == expected, report
    if report.problem:
        assert report.problem.message
        assert "\n" not in report.problem.message


@pytest.mark.parametrize("cli", ["codex", "pi", "gemini", "opencode", "gemini-json"])
def test_usage_is_what_the_scripted_model_told(cli: str, tmp_path: Path) -> None:
    """Three calls of 1200 tokens in (200 of them cached) and 30 out; pi and opencode were told what that costs."""
    usage = read(f"{cli}_ok", tmp_path).usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.model_calls) == (3600, 90, 600, 3)
    cost = {"pi": 3 * 0.001575, "opencode": 3 * 0.001575}.get(cli)
    assert usage.cost_usd == (None if cost is None else pytest.approx(cost))
    assert usage.model == {"codex": None, "pi": "scripted-1", "opencode": None}.get(cli, "gemini-2.5-pro")
    assert usage.estimated is False


@pytest.mark.parametrize("cli", ["codex", "pi", "gemini", "opencode"])
def test_model_calls_can_be_watched_while_the_work_goes_on(cli: str, tmp_path: Path) -> None:
    reader, counts = events.reader(cli), []
    for line in (FIXTURES / f"{cli}_ok.out").read_bytes().splitlines():
        reader.feed("out", line)
        reader.poll(tmp_path)
        counts.append(reader.usage.model_calls or 0)
    assert counts == sorted(counts)
    assert set(counts) - {0} == {1, 2, 3}


def test_codex_tokens_are_known_before_its_turn_is_over(tmp_path: Path) -> None:
    rollout = (FIXTURES / "codex_ok.rollout").read_bytes().splitlines(keepends=True)
    path = tmp_path / ".codex/sessions/2026/01/01/rollout-x.jsonl"
    path.parent.mkdir(parents=True)
    reader, known = events.reader("codex"), []
    for line in rollout:
        with path.open("ab") as file:
            file.write(line[:50])
            file.flush()
            reader.poll(tmp_path)
            file.write(line[50:])
        reader.poll(tmp_path)
        known.append((reader.usage.model_calls, reader.usage.input_tokens))
    assert known[0] == (1, 0)
    assert known[1] == (1, 1200)
    assert known[-1] == (3, 3600)


def test_trouble_that_was_overcome_is_no_problem(tmp_path: Path) -> None:
    codex = events.reader("codex")
    codex.feed("out", b'{"type":"error","message":"Reconnecting... 2/5 (unexpected status 500 Internal Server Error)"}')
    assert codex.end(124, tmp_path).problem == events.Problem("server", "Reconnecting... 2/5 (unexpected status 500 Internal Server Error)")
    codex.feed("out", b'{"type":"item.completed","item":{"type":"agent_message","text":"Done."}}')
    codex.feed("out", b'{"type":"turn.completed","usage":{"input_tokens":5,"output_tokens":1}}')
    assert seen(codex.end(0, tmp_path)) == ("ok", None)


def test_authentication_error_names_the_variable_or_the_login(tmp_path: Path) -> None:
    missing = read("codex_nokey", tmp_path / "a").problem
    assert missing is not None
    assert "Missing environment variable: `SCRIPTED_KEY`" in missing.message
    assert missing.final
    refused = read("codex_401", tmp_path / "b").problem
    assert refused is not None
    assert "CODEX_API_KEY" in refused.message
    assert "codex login" in refused.message


def test_stream_that_ends_in_the_middle_is_no_success(tmp_path: Path) -> None:
    for cli in ("codex", "pi", "gemini", "opencode"):
        reader = events.reader(cli)
        for line in (FIXTURES / f"{cli}_ok.out").read_bytes().splitlines()[:6]:
            reader.feed("out", line)
        report = reader.end(0, tmp_path)
        assert seen(report) == ("unknown", "cut"), cli
        assert report.problem is not None
        assert report.problem.message == f"no event of {cli} says how its work ended (exit code 0)"


SYNTHETIC = {
    "synthetic_claude_ok": ("ok", None, (9100, 260, 6000, 0.0421, "claude-sonnet-4-5", 2)),
    "synthetic_claude_stream": ("ok", None, (4200, 90, 3000, 0.0123, "claude-sonnet-4-5", 2)),
    "synthetic_claude_401": ("error", "auth", (None, None, None, None, None, 1)),
    "synthetic_claude_429": ("error", "quota", (None, None, None, None, None, 1)),
    "synthetic_claude_turns": ("error", "other", (500, 20, None, 0.01, None, 8)),
    "synthetic_aider_ok": ("ok", None, (1700, 60, None, 0.0031, "openai/gpt-5.2", 2)),
    "synthetic_aider_401": ("error", "auth", (None, None, None, None, None, 1)),
    "synthetic_mini-swe-agent_ok": ("ok", None, (2400, 60, 400, 0.0036, "openai/gpt-5.2", 2)),
    "synthetic_mini-swe-agent_limits": ("error", "other", (None, None, None, 1.02, None, 10)),
    "synthetic_api_ok": ("ok", None, (2400, 60, 400, None, "gpt-5.2", 2)),
    "synthetic_api_429": ("error", "rate_limit", (1200, 30, 0, None, "gpt-5.2", 1)),
}


@pytest.mark.parametrize("name", SYNTHETIC)
def test_readers_of_tools_that_were_not_recorded(name: str, tmp_path: Path) -> None:
    said, kind, numbers = SYNTHETIC[name]
    for suffix, goal in ((".log", "analytics.jsonl"), (".traj", "traj.json")):
        if (FIXTURES / f"{name}{suffix}").exists():
            (tmp_path / goal).write_bytes((FIXTURES / f"{name}{suffix}").read_bytes())
    report = read(name, tmp_path, exit_code=0)
    assert seen(report) == (said, kind), report
    usage = report.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cost_usd, usage.model, usage.model_calls) == numbers


def test_a_silent_program_is_unknown_and_nothing_is_its_problem(tmp_path: Path) -> None:
    reader = events.reader("none")
    reader.feed("out", b'{"type":"turn.failed"}')
    assert reader.end(0, tmp_path) == events.Report("unknown", None, events.Usage())


# Rubbish

NAMES = sorted(set(events.READERS) - {"none"})
RUBBISH: list[bytes] = [
    b"", b"not json",
    b"\xff\xfe\x00\x80", b'{"type":"turn.completed","usage":', b"[" * 100_000, b"null", b"42", b'"text"', b"[]", b"[1, {}]", b"{", b"}",
    b'{"type":"turn.completed","usage":"all"}', b'{"type":"turn.completed","usage":{"input_tokens":-5,"output_tokens":true}}',
    b'{"type":"turn.completed","usage":{"input_tokens":1e999,"output_tokens":NaN,"cached_input_tokens":"7"}}',
    b'{"type":"result","is_error":null,"usage":[],"modelUsage":[1],"errors":[{}]}', b'{"type":"result","modelUsage":{"m":null}}',
    b'{"type":"result","errors":7}', b'{"type":"item.completed","item":7}', b'{"type":"error","message":{"a":[]}}', b'{"type":["x"]}',
    b'{"type":"error","error":{"data":{"message":7,"statusCode":"x"}}}', b'{"type":"step_finish","part":{"tokens":{"cache":9},"cost":"1"}}',
    b'{"type":"message_end","message":{"role":"assistant","usage":{"cost":{"total":"x"}},"stopReason":{}}}',
    b'{"session_id":1,"stats":{"models":{"m":3}}}', b'{"type":"result","stats":{"models":{"m":{"total_tokens":5,"tokens":7}}}}',
    b'{"event":"call","input_tokens":"many"}', b'{"event":"end","kind":["x"],"message":3}', b'{"type":"assistant","message":[],"error":{}}',
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_rubbish_is_read_without_an_error_and_is_no_success(name: str, tmp_path: Path) -> None:
    for exit_code in (0, 1):
        for chosen in [[line] for line in RUBBISH] + [RUBBISH]:
            reader = events.reader(name)
            for line in chosen:
                reader.feed("out", line)
                reader.feed("err", line)
            if chosen is not RUBBISH and b"turn.completed" not in chosen[0]:
                assert reader.end(exit_code, tmp_path).said != "ok", chosen
            usage = reader.end(exit_code, tmp_path).usage
            for value in (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cost_usd, usage.model_calls):
                assert value is None or (value >= 0 and value < 1e15)


def test_a_line_of_100_megabytes_costs_no_more_than_its_limit(tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    lines, reader = events.Lines(), events.reader("codex")
    for chunk in [b'{"type":"item.completed","item":{"text":"', *([b"x" * 1_000_000] * 100), b'"}}\n{"type":"turn.completed"}\n']:
        for line in lines.push(chunk):
            assert len(line) <= base.LINE_LIMIT + 1
            reader.feed("out", line)
    assert seen(reader.end(0, tmp_path)) == ("ok", None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kilobytes


def test_lines_are_cut_wherever_the_chunks_end() -> None:
    text = b"one\n\ntwo\r\nthree"
    for size in range(1, len(text) + 1):
        lines = events.Lines()
        found = [line for start in range(0, len(text), size) for line in lines.push(text[start : start + size])]
        assert [*found, *lines.close()] == [b"one", b"two\r", b"three"]


def test_files_that_an_agent_laid_out_as_a_trap_are_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.jsonl"
    secret.write_text('{"event":"message_send","properties":{"prompt_tokens":7}}\n')
    home = tmp_path / "home"
    home.mkdir()
    (home / "analytics.jsonl").symlink_to(secret)
    aider = events.reader("aider")
    aider.poll(home)
    assert aider.usage == events.Usage()
    os.mkfifo(home / "traj.json")
    assert events.reader("mini-swe-agent").end(0, home).said == "unknown"
    sessions = home / ".codex" / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "loop").symlink_to(sessions)
    (sessions / "rollout-a.jsonl").symlink_to(secret)
    assert tails.below(home, "rollout-", ".jsonl") == []
    (sessions / "rollout-b.jsonl").write_text("{}\n")
    assert [path.name for path in tails.below(home, "rollout-", ".jsonl")] == ["rollout-b.jsonl"]


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("unexpected status 401 Unauthorized: Incorrect API key provided.", "auth"),
        ("exceeded retry limit, last status: 429 Too Many Requests", "rate_limit"),
        ("429 You exceeded your current quota, please check your plan and billing details.", "quota"),
        ("Your credit balance is too low to access the API", "quota"),
        ("You've hit your usage limit. Try again at 8 PM.", "quota"),
        ("API Error: 529 overloaded", "server"),
        ("litellm.AuthenticationError: OpenAIException", "auth"),
        ("litellm.BadRequestError: unknown", "bad_request"),
        ("fetch failed", "cut"),
        ("connect ECONNREFUSED 127.0.0.1:1", "cut"),
        ("stream disconnected before completion", "cut"),
        ("HTTP 403 Forbidden", "refused"),
        ("When using Gemini API, you must specify the GEMINI_API_KEY environment variable.", "auth"),
        ("Wrote 429 lines", "other"),
        ("", "other"),
    ],
)
def test_words_of_tools_become_kinds(said: str, kind: str) -> None:
    found = problems.problem(said)
    assert found.kind == kind
    assert (found.parks, found.final, found.retryable).count(True) == (0 if kind == "other" else 1)


def test_message_is_one_short_line_that_cannot_act_on_a_terminal() -> None:
    found = problems.problem("bad\n\x1b[31m" + "x" * 5000).message
    assert len(found) == problems.MESSAGE_LIMIT
    assert found.isprintable()
