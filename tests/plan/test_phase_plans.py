"""The plan: names, order, needs, types, and that each mistake is one line with file, line and the known names."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import INTAKE, ROOT

from workflow.errors import ConfigError
from workflow.plan import documents, phases, roles, settings
from workflow.plan.commandline import CommandLine

ONE = {"agents": {"maker": {}}}


def plan_of(folder: Path, entries: dict[str, Any] | str, kind: str = "other", **more: Any) -> phases.Plan:
    """The plan that a config file gives: the phases as a mapping, or the whole file as text."""
    text = entries if isinstance(entries, str) else yaml.safe_dump({"phases": entries, **more}, sort_keys=False)
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "config.yaml").write_text(text)
    intake = documents.fill_defaults(copy.deepcopy(INTAKE), documents.schema("intake"))
    intake["project"]["type"] = kind
    return phases.make_plan(settings.load(ROOT, folder, CommandLine()), intake, roles.names())


def refused(folder: Path, entries: dict[str, Any] | str, **more: Any) -> str:
    """The one line with which a config is refused, without the folder."""
    with pytest.raises(ConfigError) as caught:
        plan_of(folder, entries, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(f"{folder}/config/")


def test_phase_comes_after_the_one_before_it_unless_it_says_otherwise(tmp_path: Path) -> None:
    plan = plan_of(
        tmp_path, {"a": ONE, "b": ONE, "c": ONE | {"after": ["a"]}, "d": ONE | {"after": ["b", "c", "b"]}, "e": ONE | {"after": []}}
    )
    assert {name: phase.after for name, phase in plan.phases.items()} == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ()}
    assert plan.upstream("d") == ["a", "b", "c"]
    assert plan.last() == ["d", "e"]


def test_phases_stand_in_an_order_in_which_they_can_run(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, {"late": ONE | {"after": ["early"]}, "early": ONE | {"after": []}, "last": ONE | {"after": ["late"]}})
    assert list(plan.phases) == ["early", "late", "last"]


def test_limits_of_a_phase_win_and_the_general_ones_stand_for_what_it_leaves_out(tmp_path: Path) -> None:
    entries = {"a": ONE, "b": ONE | {"hygiene": {"min_score": 60}}, "c": ONE | {"hygiene": {"min_score": 0, "max_orphans": 3}}}
    plan = plan_of(tmp_path, entries, hygiene={"min_score": 90, "large_file_bytes": 5})
    assert {name: dict(phase.hygiene) for name, phase in plan.phases.items()} == {
        "a": {"min_score": 90, "max_orphans": None, "large_file_bytes": 5},
        "b": {"min_score": 60, "max_orphans": None, "large_file_bytes": 5},
        "c": {"min_score": 0, "max_orphans": 3, "large_file_bytes": 5},
    }


def test_type_of_the_project_selects_phases(tmp_path: Path) -> None:
    entries = {"plan": ONE, "data": ONE | {"types": ["ml"]}, "build": ONE, "ship": ONE | {"types": ["webapp", "ml"]}}
    assert list(plan_of(tmp_path, entries, "ml").phases) == ["plan", "data", "build", "ship"]
    webapp = plan_of(tmp_path, entries, "webapp").phases
    assert {name: phase.after for name, phase in webapp.items()} == {"plan": (), "build": ("plan",), "ship": ("build",)}
    assert refused(tmp_path, {"data": ONE | {"types": ["ml"]}}) == (
        "config.yaml:1: no phase is for projects of type other; add one, or widen `types`"
    )


def test_phase_that_a_type_lacks_is_stood_in_for_by_what_it_comes_after(tmp_path: Path) -> None:
    entries = {
        "plan": ONE,
        "data": ONE | {"types": ["ml"]},
        "more": ONE | {"types": ["ml"], "after": ["data"]},
        "build": ONE | {"after": ["more"]},
    }
    assert plan_of(tmp_path, entries, "ml").phases["build"].after == ("more",)
    assert plan_of(tmp_path, entries, "webapp").phases["build"].after == ("plan",)
    assert plan_of(tmp_path, {"data": ONE | {"types": ["ml"]}, "build": ONE | {"after": ["data"]}}, "webapp").phases["build"].after == ()


def test_agents_without_parallel_wait_for_the_one_before(tmp_path: Path) -> None:
    agents: dict[str, Any] = {"one": {}, "two": {}, "three": {"needs": ["one"]}}
    side_by_side = plan_of(tmp_path, {"p": {"agents": agents}}).phases["p"].agents
    assert [agent.needs for agent in side_by_side] == [(), (), ("one",)]
    chained = plan_of(tmp_path, {"p": {"agents": agents, "parallel": False}}).phases["p"].agents
    assert [agent.needs for agent in chained] == [(), ("one",), ("one", "two")]


def test_agent_takes_what_it_does_not_say_from_its_phase_and_then_from_the_settings(tmp_path: Path) -> None:
    runners = {"runners": {"one": {"command": ["x"]}, "two": {"command": ["y"]}}, "runner": "one", "timeout": 100}
    entries = {
        "p": {"runner": "two", "timeout": 50, "agents": {"a": {}, "b": {"runner": "scaffold", "timeout": 9, "retry": {"retries": 7}}}},
        "q": {"agents": {"tester": {}, "x": {"role": "qa"}, "y": {}}, "checks": [{"name": "c", "command": ["true"]}]},
    }
    plan = plan_of(tmp_path, entries, **runners)
    a, b = plan.phases["p"].agents
    tester, x, y = plan.phases["q"].agents
    assert (a.runner, a.timeout_s, a.retry["retries"]) == ("two", 50, 2)
    assert (b.runner, b.timeout_s, b.retry["retries"], b.retry["factor"]) == ("scaffold", 9, 7, 2.0)
    assert (tester.runner, tester.timeout_s, plan.phases["q"].checks[0].timeout_s) == ("one", 100, 100)
    assert (tester.role, x.role, y.role) == ("tester", "qa", "agent")


@pytest.mark.parametrize(
    "name", ["all", "status", "bundles", "history", "project", "current", "start_run", "status.json", "History", "logs"]
)
def test_reserved_name_is_refused(tmp_path: Path, name: str) -> None:
    assert refused(tmp_path, {"fine": ONE, name: ONE}) == f"config.yaml:5: `{name}` is a reserved name; choose another"
    assert refused(tmp_path, {"fine": {"agents": {name: {}}}}) == f"config.yaml:4: `{name}` is a reserved name; choose another"


def test_rule_that_two_agents_would_share_is_one_line_that_names_both(tmp_path: Path) -> None:
    entries = {"a_b": {"agents": {"c": {}}}, "a": {"agents": {"b_c": {}}}}
    assert refused(tmp_path, entries) == (
        "config.yaml:7: agent `b_c` of phase `a` and agent `c` of phase `a_b` would both be the rule `a_b_c`; rename one"
    )


def test_agent_and_phase_that_would_share_a_rule_are_refused(tmp_path: Path) -> None:
    line = refused(tmp_path, {"a": {"agents": {"b": {}}}, "a_b": ONE})
    assert line == "config.yaml:5: phase `a_b` and agent `b` of phase `a` would both be the rule `a_b`; rename one"
    line = refused(tmp_path, {"start": {"agents": {"run": {}}}})
    assert line == "config.yaml:4: agent `run` of phase `start` and a rule of Phasegate would both be the rule `start_run`; rename one"


def test_names_that_differ_only_in_case_are_refused(tmp_path: Path) -> None:
    assert "phase `build` and phase `Build` would both" in refused(tmp_path, {"Build": ONE, "build": ONE})
    assert "agent `Maker` of phase `p` and agent `maker` of phase `p`" in refused(tmp_path, {"p": {"agents": {"maker": {}, "Maker": {}}}})


@pytest.mark.parametrize("name", ["a..b", "x.lock", "trailing."])
def test_name_that_git_refuses_is_refused_for_phases_and_agents(tmp_path: Path, name: str) -> None:
    said = f"`{name}` holds `..` or ends in `.` or `.lock`, which git refuses; choose another name"
    assert subprocess.run(["git", "check-ref-format", f"refs/phases/{name}"], check=False).returncode == 1
    assert refused(tmp_path, {name: ONE}) == f"config.yaml:2: {said}"
    assert refused(tmp_path, {"p": {"agents": {name: {}}}}) == f"config.yaml:4: {said}"


@pytest.mark.parametrize("name", ["a.b", "x.lockx", "1st-step", "UPPER_case", "a-", "a_", "x" * 64, "lock"])
def test_usual_names_are_taken_and_git_takes_them_too(tmp_path: Path, name: str) -> None:
    assert list(plan_of(tmp_path, {name: {"agents": {name: {}}}}).phases) == [name]
    subprocess.run(["git", "check-ref-format", f"refs/agents/{name}/{name}"], check=True)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a/b", "é", "x" * 65, "a\n", "a*"])
def test_name_that_is_no_id_is_refused(tmp_path: Path, name: str) -> None:
    assert "allowed: names that match" in refused(tmp_path, {name: ONE})
    assert "allowed: names that match" in refused(tmp_path, {"p": {"agents": {name: {}}}})


WRONG = """\
runner: {runner}
phases:
  first:
    agents: {{a: {{}}}}
  second:
    after: [{after}]
    runner: {phase_runner}
    agents:
      b: {{}}
      c:
        needs: [{needs}]
        role: {role}
        runner: {agent_runner}
"""
RIGHT = {"runner": "scaffold", "after": "first", "phase_runner": "scaffold", "needs": "b", "role": "qa", "agent_runner": "scaffold"}


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("runner", "config.yaml:1: unknown runner `nobody`; known: api, claude, codex, gemini, opencode, pi, scaffold"),
        ("after", "config.yaml:6: phase `second` comes after unknown phase `nobody`; known: first, second"),
        ("phase_runner", "config.yaml:7: unknown runner `nobody`; known: api, claude, codex, gemini, opencode, pi, scaffold"),
        ("needs", "config.yaml:11: phase `second` needs unknown agent `nobody`; known: b, c"),
        ("role", "config.yaml:12: unknown role `nobody`; known: agent, analyst, "),
        ("agent_runner", "config.yaml:13: unknown runner `nobody`; known: api, claude, codex, gemini, opencode, pi, scaffold"),
    ],
)
def test_unknown_name_is_told_with_file_line_and_the_known_ones(tmp_path: Path, key: str, said: str) -> None:
    assert plan_of(tmp_path, WRONG.format(**RIGHT)).phases["second"].after == ("first",)
    assert refused(tmp_path, WRONG.format(**RIGHT | {key: "nobody"})).startswith(said)


def test_agents_that_need_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    entries = {"p": {"agents": {"a": {"needs": ["c"]}, "b": {"needs": ["a"]}, "c": {"needs": ["b"]}, "d": {}}}}
    line = refused(tmp_path, entries)
    assert line.startswith("config.yaml:3: the agents of `p` need each other in a circle: ")
    circle = line.rsplit(": ", 1)[1].split(" -> ")
    assert circle[0] == circle[-1]
    assert sorted(circle[1:]) == ["a", "b", "c"]
    assert refused(tmp_path, {"p": {"agents": {"a": {"needs": ["a"]}}}}).endswith("in a circle: a -> a")
    chained = {"p": {"parallel": False, "agents": {"a": {"needs": ["b"]}, "b": {}}}}
    assert "in a circle" in refused(tmp_path, chained)


def test_phases_that_come_after_each_other_in_a_circle_are_refused(tmp_path: Path) -> None:
    line = refused(tmp_path, {"a": ONE | {"after": ["b"]}, "b": ONE | {"after": ["a"]}, "c": ONE})
    assert line.startswith("config.yaml:1: phases come after each other in a circle: ")
    assert "in a circle: a -> a" in refused(tmp_path, {"a": ONE | {"after": ["a"]}})


def test_placeholder_in_a_check_becomes_the_value_of_the_intake(tmp_path: Path) -> None:
    words = [
        "x",
        "--min={intake.testing.coverage_target}",
        "{intake.project.name}-{intake.project.type}",
        "{intake.project.ref}",
        "{other}",
        "{}",
    ]
    plan = plan_of(tmp_path, {"p": ONE | {"checks": [{"name": "c", "command": words}]}})
    assert plan.phases["p"].checks[0].command == ("x", "--min=80", "demo-other", "", "{other}", "{}")


@pytest.mark.parametrize(
    "word", ["{intake.testing.target}", "{intake.Project.name}", "{intake.}", "{intake.project.name.x}", "{intake.a-b}"]
)
def test_placeholder_that_names_no_key_is_refused(tmp_path: Path, word: str) -> None:
    text = f"phases:\n  p:\n    agents: {{a: {{}}}}\n    checks:\n      - name: c\n        command: [x, '{word}']\n"
    assert refused(tmp_path, text) == f"config.yaml:5: {word} names no key of the intake"


@pytest.mark.parametrize("word", ["{intake.goals}", "{intake.constraints}"])
def test_placeholder_that_names_several_values_is_refused(tmp_path: Path, word: str) -> None:
    entries = {"p": ONE | {"checks": [{"name": "c", "command": ["x", word]}]}}
    assert refused(tmp_path, entries).endswith(f"{word} names several values of the intake; name one")


def test_two_checks_of_one_name_are_refused(tmp_path: Path) -> None:
    text = "phases:\n  p:\n    agents: {a: {}}\n    checks:\n    - {name: c, command: [x]}\n    - {name: c, command: [y]}\n"
    assert refused(tmp_path, text) == "config.yaml:6: phase `p` has two checks named `c`; rename one"


def test_default_phases_are_those_of_the_readme_for_each_type(tmp_path: Path) -> None:
    intake = documents.fill_defaults(copy.deepcopy(INTAKE), documents.schema("intake"))
    shapes = {}
    for kind in ("webapp", "analytics", "ml", "other"):
        intake["project"]["type"] = kind
        plan = phases.make_plan(settings.load(ROOT, tmp_path, CommandLine()), intake, roles.names())
        shapes[kind] = {name: (phase.gate, [agent.name for agent in phase.agents]) for name, phase in plan.phases.items()}
    assert (
        shapes["webapp"]
        == shapes["other"]
        == {
            "planning": ("required", ["analyst", "architect"]),
            "development": ("required", ["developer", "tester", "documentarian"]),
            "testing": ("required", ["qa", "security"]),
            "deployment": ("none", ["release_manager"]),
        }
    )
    assert shapes["ml"] == shapes["analytics"]
    assert list(shapes["ml"]) == ["planning", "data", "development", "testing", "deployment"]
    assert shapes["ml"]["data"] == ("none", ["data_engineer"])
