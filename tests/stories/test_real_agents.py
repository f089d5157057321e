"""The story of real coding agents: the codex CLI works in gated phases against a scripted model on loopback.

The CLI is installed by `tests/models/install_clis.py`; without it these tests are skipped, and fail where CI is set.
"""

from __future__ import annotations

import os
import time
from typing import Any

import psutil
import pytest
from conftest import Desk
from models import clis
from models.scripts import Script, Shell, Usage, Write, fails, loops, no_op, works
from models.server import Model, serve

pytestmark = pytest.mark.long
RETRY = {"retries": 1, "base_delay": 0.05, "jitter": 0}
USED = Usage(1200, 30, 200)


@pytest.fixture
def codex(desk: Desk) -> Desk:
    """A desk on whose PATH the real codex lies."""
    clis.program("codex")
    desk.env = {"PATH": clis.path()}
    return desk


def configure(desk: Desk, model: Model, agents: dict[str, Any] | None = None, **more: Any) -> None:
    """One phase whose agents are codex, talking to the scripted model."""
    runner = {"model": "gpt-5.2-codex", "env": [f"{clis.KEY}=k"], "files": clis.codex_files(model.url, retries=0)}
    phases = {"build": {"agents": agents or {"coder": {}}, "artifacts": {"required": ["made.txt"]}}}
    desk.configure(phases, {"codex": runner}, **{"runner": "codex", "retry": RETRY, **more})


def coder(desk: Desk) -> dict[str, Any]:
    return desk.outcome("build", "coder")


def test_codex_makes_a_file_and_its_tokens_and_estimated_cost_are_on_record(codex: Desk) -> None:
    with serve(works(Write("made.txt", "made\n"), usage=USED)) as model:
        configure(codex, model)
        codex.run()
    outcome = coder(codex)
    assert (outcome["status"], [item["path"] for item in outcome["artifacts"]]) == ("succeeded", ["made.txt"])
    usage = outcome["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["model_calls"]) == (1200 * model.calls, 30 * model.calls, model.calls)
    assert usage["estimated"]
    assert usage["cost_usd"] > 0
    assert outcome["runner"]["name"] == "codex"
    assert "codex" in outcome["runner"]["version"]
    page = codex.read("runs/demo/build/REQUEST.md")
    assert "What it used" in page
    assert "(estimated)" in page


@pytest.mark.parametrize(
    ("script", "status", "attempts", "said"),
    [
        (no_op(), "no_changes", 1, "changed no file"),
        (fails(status=401), "failed", 1, "API key"),
        (fails(status=400), "failed", 1, "not valid"),
        (fails(status=429), "parked", 2, "429"),
        (fails(status=500), "failed", 2, ""),
    ],
    ids=["no-op", "401", "400", "429", "500"],
)
def test_exit_codes_prove_nothing_and_the_events_are_believed(codex: Desk, script: Script, status: str, attempts: int, said: str) -> None:
    with serve(script) as model:
        configure(codex, model)
        codex.run(check=1)
    outcome = coder(codex)
    assert (outcome["status"], len(outcome["attempts"])) == (status, attempts), outcome["errors"]
    assert said in outcome["errors"][0]
    assert outcome["again"] == (status == "parked")


def test_a_parked_agent_is_tried_by_the_next_run(codex: Desk) -> None:
    with serve(fails(status=429)) as model:
        configure(codex, model)
        codex.run(check=1)
        assert coder(codex)["status"] == "parked"
        model.scripts[:] = [works(Write("made.txt", "made\n"), usage=USED)]
        codex.run()
    outcome = coder(codex)
    assert outcome["status"] == "succeeded"
    assert [row["status"] for row in outcome["attempts"]] == ["parked", "parked", "succeeded"]


def test_a_runner_out_of_quota_or_missing_hands_over_to_the_next(codex: Desk) -> None:
    with serve(fails(status=429)) as model:
        configure(codex, model, runner=["absent", "codex", "steady"])
        entry = {"command": ["sh", "-c", "echo made > made.txt"]}
        settings = codex.read("config/config.yaml").replace(
            "runners:\n", f"runners:\n  absent: {{command: [no-such-agent]}}\n  steady: {entry}\n"
        )
        codex.write("config/config.yaml", settings)
        codex.run()
    outcome = coder(codex)
    assert (outcome["status"], outcome["runner"]["name"]) == ("succeeded", "steady")
    assert [row["runner"] for row in outcome["attempts"]] == ["absent", "codex", "codex", "steady"]


def test_an_endless_loop_of_tools_ends_at_the_budget_and_nothing_is_left(codex: Desk) -> None:
    with serve(loops("echo again")) as model:
        configure(codex, model, budget={"model_calls": 5})
        codex.run(check=1)
        assert 5 <= model.calls <= 7
        outcome = coder(codex)
        assert outcome["status"] == "over_budget"
        assert "the budget of the run is spent: " in outcome["errors"][0]
        assert "of 5 model calls" in outcome["errors"][0]
        before = model.calls
        codex.run(check=1)
        assert model.calls == before, "neither a resume nor a new process resets a budget"
        assert "| the run | " in codex.read("runs/demo/build/REQUEST.md")
        codex.run("retry", check=1)
        assert model.calls == before, "nor does a retry"
    assert not [
        p for p in psutil.process_iter(["cmdline"]) if "codex" in " ".join(p.info["cmdline"] or []) and str(codex.path) in str(p.cwd())
    ]


@pytest.mark.parametrize("script", [works(Shell("sleep 300 & sleep 301"), usage=USED), fails(kind="hang")], ids=["command", "model"])
def test_what_never_ends_ends_at_the_time_limit_with_all_orphans(codex: Desk, script: Script) -> None:
    with serve(script) as model:
        configure(codex, model, timeout=4)
        codex.run(check=1, timeout=120)
    outcome = coder(codex)
    assert (outcome["status"], outcome["exit_code"]) == ("timed_out", 124)
    assert not [p for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] in (["sleep", "300"], ["sleep", "301"])]


def test_two_agents_at_once_do_not_get_in_each_others_way(codex: Desk) -> None:
    with serve(
        works(Shell('echo "$PHASEGATE_BRIEF" > $(basename $(dirname $(dirname $(dirname "$PHASEGATE_BRIEF")))).txt'), usage=USED)
    ) as model:
        configure(codex, model, agents={"one": {}, "two": {}})
        codex.run(check=None)
    for name in ("one", "two"):
        outcome = codex.outcome("build", name)
        assert (outcome["status"], len(outcome["artifacts"])) == ("succeeded", 1), outcome["errors"]


def test_a_key_that_is_missing_is_named_in_one_line(codex: Desk) -> None:
    with serve(no_op()) as model:
        configure(codex, model)
        codex.write("config/config.yaml", codex.read("config/config.yaml").replace(f"{clis.KEY}=k", clis.KEY))
        assert clis.KEY not in os.environ
        codex.run(check=1)
    outcome = coder(codex)
    assert (outcome["status"], len(outcome["attempts"])) == ("failed", 1)
    assert clis.KEY in outcome["errors"][0]


def test_pi_tells_its_own_cost(codex: Desk) -> None:
    clis.program("pi")
    with serve(works(Write("made.txt", "made\n"), usage=USED)) as model:
        runner = {"model": "scripted/scripted-1", "env": [f"{clis.KEY}=k", "PI_OFFLINE=1"], "files": clis.pi_files(model.url)}
        codex.configure({"build": {"agents": {"coder": {}}}}, {"pi": runner}, runner="pi")
        codex.run()
    usage = coder(codex)["usage"]
    assert not usage["estimated"]
    assert usage["cost_usd"] > 0
    assert usage["model_calls"] == model.calls


def test_what_was_used_before_a_crash_counts_against_the_budget(codex: Desk) -> None:
    """Snakemake is killed while the agent loops; the next run finds the budget spent."""
    with serve(loops("sleep 0.3")) as model:
        configure(codex, model, budget={"model_calls": 6})
        started = codex.start()
        deadline = time.monotonic() + 240
        while model.calls < 4 and time.monotonic() < deadline:
            time.sleep(0.05)
        started.kill()
        started.wait()
        time.sleep(2)
        before = model.calls
        codex.run(check=1)
        assert model.calls - before <= 4
    assert coder(codex)["status"] == "over_budget"
