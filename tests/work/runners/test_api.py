"""The API runner against the scripted model, in each dialect: what it does, what it tells, how it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT
from models.scripts import Edit, Read, Script, Tool, Usage, Write, fails, no_op, works
from models.server import Model

from workflow.work.runners import api, events
from workflow.work.runners.toolbox import Toolbox

MODELS = ("openai:gpt-5", "openai-responses:gpt-5", "anthropic:claude-sonnet-4-5")
WRITES = works(Write("src/made.py", "x = 1\n"), Read("src/made.py"), Edit("src/made.py", "1", "2"), usage=Usage(1200, 30, 200))


class Desk:
    """A tree, the variables that point at a scripted model, and what the runner tells."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.tree = folder / "tree"
        self.tree.mkdir()
        self._patch, self._capsys = monkeypatch, capsys

    def point(self, model: Model) -> None:
        for name, value in {"OPENAI_BASE_URL": f"{model.url}/v1", "ANTHROPIC_BASE_URL": model.url}.items():
            self._patch.setenv(name, value)
        for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
            self._patch.setenv(name, "k")

    def work(self, model: Model, name: str = MODELS[0], stream: bool = False, **limits: int) -> tuple[int, events.Report]:
        self.point(model)
        code = api.work(name, "Write the file.", Toolbox(self.tree, timeout_s=20), api.Limits(**limits), stream)
        reader = events.reader("api")
        self.told = self._capsys.readouterr().out.splitlines()
        for line in self.told:
            reader.feed("out", line.encode())
        return code, reader.end(code, self.tree)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    return Desk(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_it_writes_reads_and_edits_in_each_dialect(desk: Desk, scripted: Callable[..., Model], name: str, stream: bool) -> None:
    model = scripted(WRITES)
    code, report = desk.work(model, name, stream)
    assert (code, report.said, report.problem) == (0, "ok", None), desk.told
    assert (desk.tree / "src/made.py").read_text() == "x = 2\n"
    usage = report.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.model_calls) == (4800, 120, 800, 4)
    assert (usage.model, usage.cost_usd) == (name.split(":")[1], None)
    assert {seen.stream for seen in model.requests} == {stream or name.startswith("anthropic")}  # its library always streams
    assert model.requests[0].tools == ("list", "read", "search", "write", "edit", "run")


def test_usage_can_be_watched_call_by_call(desk: Desk, scripted: Callable[..., Model]) -> None:
    desk.work(scripted(WRITES))
    kinds = [json.loads(line)["event"] for line in desk.told]
    assert kinds == ["start", "call", "tool", "call", "tool", "call", "tool", "call", "end"]


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/motd", "out/x.txt"])
def test_a_path_outside_the_tree_is_refused_and_the_model_may_go_on(desk: Desk, scripted: Callable[..., Model], path: str) -> None:
    (desk.tree / "out").symlink_to(desk.tree.parent)
    code, _ = desk.work(scripted(works(Write(path, "escaped"), Write("inside.txt", "fine"))))
    assert code == 0
    assert (desk.tree / "inside.txt").read_text() == "fine"
    assert sorted(item.name for item in desk.tree.parent.iterdir()) == ["tree"]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    ("script", "code", "kind", "calls"),
    [
        (fails(status=401), 77, "auth", 1),
        (fails(status=400), 65, "bad_request", 1),
        (fails(status=402), 69, "quota", 1),
        (fails(status=429), 69, "rate_limit", 3),
        (fails(status=500), 75, "server", 3),
        (fails("cut"), 75, "cut", None),
    ],
)
def test_errors_end_with_their_kind(
    desk: Desk, scripted: Callable[..., Model], name: str, script: Script, code: int, kind: str, calls: int | None
) -> None:
    for stream in (False, True) if kind == "cut" else (False,):
        model = scripted(script)
        got, report = desk.work(model, name, stream)
        assert (got, report.said, report.problem and report.problem.kind) == (code, "error", kind), desk.told
        assert calls is None or model.calls == calls


def test_two_rate_limits_are_waited_for(desk: Desk, scripted: Callable[..., Model]) -> None:
    model = scripted(fails(status=429, times=2))
    assert desk.work(model)[0] == 0
    assert model.statuses() == [429, 429, 200]


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"requests": 4}, "request_limit"), ({"tool_calls": 3}, "tool_calls_limit"), ({"tokens": 3500}, "total_tokens_limit")],
)
def test_an_endless_loop_is_stopped_by_each_limit(desk: Desk, scripted: Callable[..., Model], limits: dict[str, int], said: str) -> None:
    loop = Script(works(Tool("list", {"folder": "."})).turns[:1], endless=True)
    model = scripted(loop)
    code, report = desk.work(model, **limits)
    assert code == 1
    assert report.problem is not None
    assert report.problem.message.startswith("stopped by a limit")
    assert said in report.problem.message
    assert model.calls == 4


def test_a_model_that_only_talks_has_said_ok_and_changed_nothing(desk: Desk, scripted: Callable[..., Model]) -> None:
    assert desk.work(scripted(no_op()))[1].said == "ok"
    assert list(desk.tree.iterdir()) == []


def test_missing_key_is_an_authentication_error_that_names_the_variable(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    assert api.work("openai:gpt-5", "x", Toolbox(desk.tree), api.Limits()) == 77
    end = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert end["kind"] == "auth"
    assert "OPENAI_API_KEY" in end["message"]


def script(folder: Path, env: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    (folder / "prompt.md").write_text("Write the file.")
    (folder / "brief.json").write_text('{"checks": []}')
    command = [sys.executable, str(ROOT / "scripts/api_agent.py"), "--brief", "../brief.json", "--prompt", "../prompt.md", *words]
    return subprocess.run(command, cwd=folder / "tree", env={**os.environ, **env}, capture_output=True, text=True, timeout=120)


def test_the_program_works_as_the_preset_starts_it(desk: Desk, scripted: Callable[..., Model]) -> None:
    env: dict[str, Any] = {"OPENAI_BASE_URL": f"{scripted(WRITES).url}/v1", "OPENAI_API_KEY": "k"}
    done = script(desk.tree.parent, env, "--model", "openai:gpt-5")
    assert (done.returncode, done.stderr) == (0, "")
    assert (desk.tree / "src/made.py").read_text() == "x = 2\n"
    missing = script(desk.tree.parent, env)
    assert (missing.returncode, missing.stderr) == (1, "phasegate: no model was named; set `runners.api.model`, such as openai:gpt-5.2\n")
