"""The opening of a call: which run it is about, what is refused in one line, and that a started run does not change."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import INTAKE, ROOT, SNAKEMAKE, Desk, sh
from faults.fit import unfit

from workflow.call import opening, reruns
from workflow.call.model import Call
from workflow.errors import UsageError
from workflow.work import sandbox

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "write"}, "1st.helper-x": {"runner": "write"}}},
}
Type = Callable[..., Call]


@pytest.fixture
def call(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Type:
    """Open a call in this process, as a dry run does, so that nothing is written."""
    desk.configure(PHASES, {"write": sh("echo x > x.txt")})
    monkeypatch.chdir(desk.path)
    monkeypatch.setenv("PWD", str(desk.path))

    def type_words(*words: str) -> Call:
        monkeypatch.setattr(sys, "argv", [str(SNAKEMAKE), *words, *([] if "-n" in words else ["-n"])])
        return opening.begin(ROOT, True)

    return type_words


def refused(call: Type, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line with which a call is refused."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as caught:
        call("-n", *words)
    assert caught.value.code == 1
    line = capsys.readouterr().err.removesuffix("\n")
    assert line.startswith("phasegate: ")
    return line.removeprefix("phasegate: ")


def test_run_is_what_is_asked_for_else_the_current_one_else_the_name_of_the_intake(desk: Desk, call: Type) -> None:
    assert call().run == "demo"
    (desk.path / "runs" / "second").mkdir(parents=True)
    desk.write("runs/current", "second\n")
    assert call().run == "second"
    assert call("-n", "--config", "run=third").run == "third"
    for broken in ("gone\n", "../../etc\n", "", "a b\n"):
        desk.write("runs/current", broken)
        assert call().run == "demo"


def test_started_run_keeps_its_intake_and_a_new_one_takes_the_file(desk: Desk, call: Type) -> None:
    desk.write("runs/demo/intake.yaml", yaml.safe_dump(INTAKE | {"goals": {"primary": "Frozen."}}))
    assert call().intake["goals"]["primary"] == "Frozen."
    assert call("-n", "--config", "run=other").intake["goals"]["primary"] == "Show that it works."
    desk.write("config/intake.yaml", "broken: [")
    assert call("-n", "--config", "run=demo").intake["goals"]["primary"] == "Frozen."


def test_intake_with_several_problems_is_a_line_each(desk: Desk, call: Type, capsys: pytest.CaptureFixture[str]) -> None:
    desk.write("config/intake.yaml", "project: {name: demo, type: site}\ngoals: {primary: ''}\n")
    assert refused(call, capsys).splitlines() == [
        f"{desk.path}/config/intake.yaml:1: `project.type` is 'site'; allowed: webapp, analytics, ml, other",
        f"{desk.path}/config/intake.yaml:2: `goals.primary` is empty; it needs a value",
    ]


@pytest.mark.parametrize("name", ["status", "Bundles", "a..b", "x.lock", "end."])
def test_name_that_cannot_be_a_run_is_refused_with_its_place(desk: Desk, call: Type, capsys: pytest.CaptureFixture[str], name: str) -> None:
    said = (
        f"={name}: not a good name; allowed: 1 to 64 letters, digits, `.`, `_`, `-`, beginning with a letter or digit, and no reserved word"
    )
    assert refused(call, capsys, "--config", f"run={name}") == f"run{said}"
    assert refused(call, capsys, "quickstart", "--config", "type=webapp", f"name={name}") == f"--config name{said}"
    desk.brief(project=INTAKE["project"] | {"name": name})
    assert refused(call, capsys) == f"{desk.path}/config/intake.yaml: project.name{said}"


@pytest.mark.parametrize("name", ["two words", "../up", "-x", "", "é", "x" * 65])
def test_quickstart_with_a_bad_name_says_what_is_allowed(call: Type, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert refused(call, capsys, "quickstart", "--config", "type=webapp", f"name={name}").startswith(
        f"--config name={name}: not a good name; allowed: 1 to 64 letters"
    )


def test_quickstart_with_an_unknown_type_lists_the_known_ones(call: Type, capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(call, capsys, "quickstart", "--config", "type=website", "name=x") == (
        "--config type=website: not known; allowed: analytics, ml, webapp"
    )
    assert refused(call, capsys, "quickstart", "--config", "name=x") == "--config type=... is missing; allowed: analytics, ml, webapp"


@pytest.mark.parametrize("kind", ["webapp", "analytics", "ml"])
def test_quickstart_starts_from_the_template_of_the_type(call: Type, kind: str) -> None:
    found = call("-n", "quickstart", "--config", f"type={kind}", "name=007")
    assert (found.run, found.intake["project"]["name"], found.intake["project"]["type"]) == ("007", "007", kind)
    assert found.first_phases() == ["plan"]


def test_quickstart_leaves_a_run_that_exists_as_it_is(desk: Desk, call: Type, capsys: pytest.CaptureFixture[str]) -> None:
    (desk.path / "runs" / "mine").mkdir(parents=True)
    said = refused(call, capsys, "quickstart", "--config", "type=webapp", "name=mine")
    assert said.startswith("the run `mine` exists and is left as it is; go on with it (")
    words = shlex.split(said.split("(")[1].split(")")[0])
    assert words[1:3] == ["-s", str(ROOT / "Snakefile")]
    assert words[-4:] == ["--cores", "2", "--config", "run=mine"]
    assert desk.shell([*words, "--version"]).out.strip()


def test_forcing_something_unknown_names_what_is_known(call: Type) -> None:
    for words, said in (
        (
            ("--forcerun", "plan_nobody"),
            "--forcerun plan_nobody: there is no such agent; known: plan_writer, build_maker, build_1st.helper-x",
        ),
        (("--forcerun", "build_maker"), "build_maker: the gate of `plan` before it is not open"),
        (("--forcerun", "runs/demo/build/agents/maker/outcome.json"), "runs/demo/build/agents/maker/outcome.json: the gate of `plan`"),
        (("runs/demo/build/digest",), "runs/demo/build/digest: the gate of `plan` before it is not open"),
        (("--forceall",), "--forceall would buy 1 new attempts (plan_writer); if that is meant: "),
    ):
        with pytest.raises(UsageError) as caught:
            reruns.check_request(call("-n", *words))
        assert str(caught.value).startswith(said)
        assert "\n" not in str(caught.value)


def test_forcing_an_agent_by_its_rule_or_by_its_file_makes_it_work_again(call: Type) -> None:
    for word in ("plan_writer", "runs/demo/plan/agents/writer/outcome.json", "./runs/demo//plan/agents/writer/outcome.json"):
        found = call("-n", "--forcerun", word)
        reruns.check_request(found)
        assert found.retried == {"plan_writer"}
    found = call("-n", "--forceall", "--config", "confirm=true")
    reruns.check_request(found)
    assert found.retried == {"plan_writer"}
    found = call("-n")
    reruns.check_request(found)
    assert found.retried == set()


def test_looking_and_dry_runs_write_nothing(desk: Desk, call: Type) -> None:
    before = sorted(path.relative_to(desk.path) for path in desk.path.rglob("*"))
    found = call("-n")
    assert not found.writes
    assert Path(found.brief(next(iter(found.plan.agents())))).is_file()
    assert not call("--list-target-rules").writes
    assert sorted(path.relative_to(desk.path) for path in desk.path.rglob("*")) == before


def test_mistakes_are_one_line_and_names_of_any_form_work_to_the_end(desk: Desk) -> None:
    own_file = sh('echo x > "$(sha256sum < "$PHASEGATE_BRIEF" | cut -c 1-16).txt"')
    desk.configure(PHASES | {"1st-step.x": {"gate": "none", "agents": {"a.b-c": {"runner": "write"}}}}, {"write": own_file})
    done = desk.run("--config", "timeout=99999", check=1)
    assert done.err.splitlines()[-1] == "phasegate: --config timeout=99999: above the ceiling 7200 that limits.timeout sets"
    assert "Traceback" not in done.err
    assert not (desk.path / "runs").exists()
    desk.run()
    told = desk.read("runs/demo/intake.yaml"), desk.read("runs/demo/plan/agents/writer/brief.json")
    desk.brief(goals={"primary": "Something else."})
    desk.touch("plan")
    assert "build waits for your review" in desk.run().last[-5]
    assert (desk.read("runs/demo/intake.yaml"), desk.read("runs/demo/plan/agents/writer/brief.json")) == told
    assert desk.attempts("plan", "writer") == 1
    assert "Show that it works." in desk.read("runs/demo/build/agents/maker/attempts/001/prompt.md")
    desk.touch("build")
    assert "delivered: all 3 phases are done" in desk.run().last[-5]
    assert desk.outcome("1st-step.x", "a.b-c")["status"] == "succeeded"


@pytest.mark.long
def test_note_reaches_the_approval_as_it_was_typed(desk: Desk) -> None:
    desk.configure({"plan": PHASES["plan"]}, {"write": sh("echo x > x.txt")})
    desk.run()
    desk.write("note.txt", "# x\n")  # Snakemake itself stumbles over `note="# x"` before it reads the Snakefile
    for word, note in (("note=fix: x", "fix: x"), ("note=see #1", "see #1"), ("note=", ""), ("note_file=note.txt", "# x")):
        desk.run("approve", "--config", "phase=plan", "by=me@example.org", word)
        said = desk.json("runs/demo/plan/APPROVED")["predicate"]
        assert (said["note"], said["by"]) == (note, "me@example.org")


def test_what_protects_is_said_calmly_for_landlock_and_loudly_where_nothing_does(desk: Desk) -> None:
    if not all(map(sandbox.works, sandbox.KINDS)):
        unfit("bubblewrap or Landlock does not work here")
    desk.configure({"plan": {"agents": {"writer": {"runner": "write"}}}}, {"write": sh("echo x > x.txt")})
    for kind, words in (("bubblewrap", ""), ("landlock", "so Landlock protects"), ("none", "WITHOUT A SANDBOX")):
        desk.env[sandbox.TRIED] = kind
        run = f"run-{len(kind)}"
        done = desk.run("--config", f"run={run}")
        told = [line for line in done.last if "Landlock" in line]
        assert (len(told), words in "".join(told)) == (1 if words else 0, True), done.err
        assert ("WARNING" in "".join(told)) is (kind == "none")
        assert desk.outcome("plan", "writer", run)["sandbox"] == kind
        assert f"| {kind} |" in desk.read(f"runs/{run}/plan/REQUEST.md")
    assert desk.run("--config", "run=off", "sandbox=off").said.count("SANDBOX") == 0
