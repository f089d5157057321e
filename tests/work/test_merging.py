"""Merging agents and tasks: same lines by two, the second try of the later one, and what follows where that does not help."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from runs import OPEN_AIR, Run

from workflow import files
from workflow.plan import fanout, tasks
from workflow.work import agents, clashes, fanning, joining, processes, trees
from workflow.work.jobs import Policy

BASE = {"f": "1\n2\n3\n4\n5\n"}
KEEPS_BOTH = "grep -q '<<<<<<<' \"$PHASEGATE_PROMPT\" && { printf 'two\\n' >> f; cp \"$PHASEGATE_PROMPT\" seen.md; } || sed -i s/3/two/ f"


@pytest.fixture
def clash(run: Run) -> Run:
    """Two agents that change line 3; the second one keeps both when it is asked again."""
    run.start(BASE)
    run.phase()
    run.agent("one", "sed -i s/3/one/ f")
    run.agent("two", KEEPS_BOTH)
    return run


def merged(run: Run, *names: str, policy: Policy = OPEN_AIR) -> dict[str, object]:
    from workflow.work import integration

    return integration.merge_phase(run.folder, "plan", list(names), dict.fromkeys(names, policy))


def text(run: Run, commit: str, path: str = "f") -> str:
    return trees.read_file(run.repo, commit, path).decode()


def test_the_later_one_works_once_more_on_the_merged_tree_with_both_sides_in_its_prompt(clash: Run) -> None:
    found = merged(clash, "one", "two")
    assert (found["status"], found["conflicts"]) == ("merged", [])
    assert text(clash, found["commit"]) == "1\n2\none\n4\n5\ntwo\n"
    told = text(clash, found["commit"], "seen.md")
    assert "one changed the same lines" in told
    assert told.index("<<<<<<<") < told.index("one\n=======") < told.index("two\n>>>>>>>")
    assert [(row["agent"], row["between"], row["lines"], row["attempt"], row["status"]) for row in found["resolutions"]] == [
        ("two", ["one", "two"], {"f": [[3, 3]]}, 2, "succeeded")
    ]
    assert clash.attempts("one") == ["001"]
    assert clash.attempts("two") == ["001", "002"]


@pytest.mark.parametrize(
    ("script", "left"), [("git rm -q f && echo x > other", None), ("echo two > f", "two\n"), ("echo two >> f", BASE["f"] + "one\ntwo\n")]
)
@pytest.mark.parametrize("order", [("b", "a"), ("a", "b"), ("c", "b", "a"), ("b", "c", "a"), ("a", "c", "b")])
def test_in_whatever_order_agents_are_merged_one_that_builds_on_another_has_the_last_word(
    run: Run, script: str, left: str | None, order: tuple[str, ...]
) -> None:
    run.start(BASE)
    run.phase()
    run.agent("a", "echo one >> f")
    run.agent("c", "echo c > c")
    run.agent("b", script, needs=["a"])
    found = merged(run, *order)
    assert (found["status"], found["conflicts"], found["resolutions"]) == ("merged", [], [])
    assert ("f" in trees.files(run.repo, found["commit"])) == (left is not None)
    if left is not None:
        assert text(run, found["commit"]) == left
    assert run.attempts("a") == run.attempts("b") == ["001"]


def test_merging_again_pays_for_nothing(clash: Run) -> None:
    first = merged(clash, "one", "two")
    assert merged(clash, "one", "two") == first
    assert clash.attempts("two") == ["001", "002"]


def test_where_the_second_try_fails_the_conflict_names_both_and_files_and_lines(run: Run) -> None:
    run.start(BASE)
    run.phase()
    run.agent("one", "sed -i s/3/one/ f")
    run.agent("two", "grep -q '<<<<<<<' \"$PHASEGATE_PROMPT\" && exit 7; sed -i s/3/two/ f")
    found = merged(run, "one", "two")
    [clash] = found["conflicts"]
    assert found["status"] == "conflict"
    assert clashes.sentence(clash) == "one and two changed the same lines of f (line 3)"
    assert clash["errors"] == ["the program ended with exit code 7"]
    assert text(run, found["commit"]) == BASE["f"].replace("3", "one")
    assert run.attempts("two") == ["001", "002"]
    merged(run, "one", "two")
    assert run.attempts("two") == ["001", "002"]


def test_without_a_policy_nobody_works_again(clash: Run) -> None:
    assert clash.merge("one", "two")["conflicts"] == [{"files": ["f"], "between": ["one", "two"], "lines": {"f": [[3, 3]]}}]
    assert clash.attempts("two") == ["001"]


def fan_out(run: Run, plan: list[dict[str, object]], script: str, policy: Policy = OPEN_AIR, **changes: object) -> dict[str, object]:
    """Let all tasks of the agent `many` be done, one after the other, and gather them."""
    run.start({**BASE, "plan/tasks.yaml": json.dumps(plan)})
    run.phase()
    return again(run, script, policy, **changes)


def again(run: Run, script: str, policy: Policy = OPEN_AIR, **changes: object) -> dict[str, object]:
    brief = run.brief("many", script, for_each="plan/tasks.yaml", touches="findings", **changes)
    fanning.fan_out(run.folder, "plan", "many")
    listed = fanout.read(run.folder, "plan", "many")
    lineages = fanout.lineages(listed)
    for task in listed:
        name = tasks.unit("many", task.id)
        files.write_json_if_changed(run.agent_dir(name) / "brief.json", fanout.brief(brief, task, lineages))
        agents.run_agent(run.folder, "plan", name, policy)
    return fanning.gather(run.folder, "plan", "many", policy)


ID = "id=$(python3 -c \"import json, os; print(json.load(open(os.environ['PHASEGATE_BRIEF']))['task']['id'])\"); "
WRITE = ID + "echo $id > $id.txt"


def plan(*rows: tuple[str, list[str]], **more: object) -> list[dict[str, object]]:
    return [{"id": name, "title": name.upper(), "needs": needs, **more} for name, needs in rows]


def attempts(run: Run, *names: str) -> list[int]:
    return [len(run.attempts(tasks.unit("many", name))) for name in names]


def test_each_task_has_a_tree_an_outcome_and_a_prompt_of_its_own(run: Run) -> None:
    outcome = fan_out(run, plan(("a", []), ("b", ["a"])), ID + "ls > $id.txt")
    assert outcome["status"] == "succeeded"
    assert [(row["id"], row["status"], row["files"]) for row in outcome["tasks"]] == [
        ("a", "succeeded", ["a.txt"]), ("b", "succeeded", ["b.txt"])]  # fmt: skip
    assert text(run, outcome["result"]["commit"], "b.txt").split() == ["a.txt", "b.txt", "f", "plan"]
    assert text(run, outcome["result"]["commit"], "a.txt").split() == ["a.txt", "f", "plan"]
    prompt = (run.agent_dir("many/tasks/b") / "attempts/001/prompt.md").read_text()
    assert "> **b**: B" in prompt
    assert "- many/tasks/a (succeeded)" in prompt
    assert run.outcome("many/tasks/b")["task"] == {"id": "b", "title": "B"}


def test_one_that_fails_skips_those_that_build_on_it_and_the_others_are_merged(run: Run) -> None:
    outcome = fan_out(run, plan(("a", []), ("b", ["a"]), ("c", ["b"]), ("d", [])), ID + "test $id != a && echo > $id.txt")
    assert outcome["status"] == "failed"
    assert [(row["id"], row["status"]) for row in outcome["tasks"]] == [
        ("a", "failed"), ("b", "skipped"), ("c", "skipped"), ("d", "succeeded")]  # fmt: skip
    assert outcome["errors"] == ["task a failed: the program ended with exit code 1", "skipped, since they build on these: b, c"]
    assert [item["path"] for item in outcome["artifacts"]] == ["d.txt"]
    merge = run.merge("many")
    assert [item["path"] for item in merge["changes"]] == ["d.txt"]
    assert merge["steps"] == [{"agent": "many/tasks/d", "commit": outcome["result"]["commit"]}]


def test_a_task_that_needs_a_resolved_one_is_merged_onto_the_resolution(run: Run) -> None:
    script = ID + (
        "case $id in a) sed -i s/3/one/ f;; "
        "b) grep -q '<<<<<<<' \"$PHASEGATE_PROMPT\" && echo both >> f || sed -i s/3/two/ f;; c) echo c > c.txt;; esac"
    )
    outcome = fan_out(run, plan(("a", []), ("b", []), ("c", ["b"])), script)
    assert outcome["status"] == "succeeded"
    assert text(run, outcome["result"]["commit"]) == "1\n2\none\n4\n5\nboth\n"
    assert text(run, outcome["result"]["commit"], "c.txt") == "c\n"
    assert attempts(run, "a", "b", "c") == [1, 2, 1]


def test_what_builds_on_a_task_in_an_unresolved_conflict_is_left_out(run: Run) -> None:
    script = ID + "case $id in a) sed -i s/3/one/ f;; b) sed -i s/3/two/ f;; c) echo c > c.txt;; esac"
    outcome = fan_out(run, plan(("a", []), ("b", []), ("c", ["b"])), script)
    assert outcome["status"] == "conflict"
    assert outcome["errors"] == ["many/tasks/a and many/tasks/b changed the same lines of f (line 3)"]
    assert outcome["left_out"] == ["many/tasks/b", "many/tasks/c"]
    merge = run.merge("many")
    assert merge["conflicts"] == outcome["conflicts"]
    assert [item["path"] for item in merge["changes"]] == ["f"]


def test_a_plan_in_another_order_costs_no_attempt(run: Run) -> None:
    rows = plan(("a", []), ("b", ["a"]), ("c", []))
    first = fan_out(run, rows, WRITE)
    run.start({**BASE, "plan/tasks.yaml": json.dumps(rows[::-1], indent=1)})
    run.phase()
    second = again(run, WRITE)
    assert attempts(run, "a", "b", "c") == [1, 1, 1]
    assert [row["id"] for row in second["tasks"]] == [row["id"] for row in first["tasks"]]


def test_a_task_in_other_words_is_done_again_with_those_that_need_it_and_no_other(run: Run) -> None:
    rows = plan(("a", []), ("b", ["a"]), ("c", ["b"]), ("d", ["a"]), ("e", []))
    fan_out(run, rows, WRITE)
    rows[1]["title"] = "in other words"
    run.start({**BASE, "plan/tasks.yaml": json.dumps([*rows, {"id": "new", "title": "N"}])})
    run.phase()
    again(run, WRITE)
    assert attempts(run, "a", "b", "c", "d", "e", "new") == [1, 2, 2, 1, 1, 1]


def test_when_something_else_of_the_base_changes_all_is_done_again(run: Run) -> None:
    rows = plan(("a", []))
    fan_out(run, rows, WRITE)
    run.start({"f": "other\n", "plan/tasks.yaml": json.dumps(rows)})
    run.phase()
    again(run, WRITE)
    assert attempts(run, "a") == [2]


def test_a_glob_gives_a_task_for_each_file_that_it_finds(run: Run) -> None:
    run.start({"src/a.py": "1", "src/b.py": "2", "src/c.md": "3"})
    run.phase()
    brief = run.brief(
        "many",
        'for f in src/*.py; do grep -q "> .*$f" $PHASEGATE_PROMPT && echo done >> $f; done; true',
        for_each="src/*.py",
        touches="strict",
    )
    record = fanning.fan_out(run.folder, "plan", "many")
    assert [row["title"] for row in record["tasks"]] == ["src/a.py", "src/b.py"]
    listed = fanout.read(run.folder, "plan", "many")
    for task in listed:
        name = tasks.unit("many", task.id)
        files.write_json(run.agent_dir(name) / "brief.json", fanout.brief(brief, task, fanout.lineages(listed)))
        agents.run_agent(run.folder, "plan", name, OPEN_AIR)
    outcome = fanning.gather(run.folder, "plan", "many", OPEN_AIR)
    assert outcome["errors"] == []
    assert [row["files"] for row in outcome["tasks"]] == [["src/a.py"], ["src/b.py"]]
    brief = run.brief("many", "true", for_each="lib/*.py", touches="strict")
    assert fanning.fan_out(run.folder, "plan", "many")["problems"] == ["no file of the phases before fits `lib/*.py`"]


def test_a_dropped_task_leaves_the_result_and_the_others_as_they_were(run: Run) -> None:
    rows = plan(("a", []), ("b", []), ("c", ["a"]))
    fan_out(run, rows, WRITE)
    run.start({**BASE, "plan/tasks.yaml": json.dumps([rows[0], rows[2]])})
    run.phase()
    outcome = again(run, WRITE)
    assert [item["path"] for item in outcome["artifacts"]] == ["a.txt", "c.txt"]
    assert attempts(run, "a", "b", "c") == [1, 1, 1]


@pytest.mark.parametrize(("strict", "status"), [(False, "succeeded"), (True, "failed")])
def test_a_change_outside_of_what_a_task_touches_is_a_finding_or_a_failure(run: Run, strict: bool, status: str) -> None:
    rows = plan(("a", []), touches=["src/**", "a.txt"])
    outcome = fan_out(run, rows, "mkdir src; echo > src/x; echo > a.txt; echo > b.txt; rm f")
    assert outcome["tasks"][0]["outside"] == ["b.txt", "f"]
    if strict:
        brief = files.read_json(run.agent_dir("many/tasks/a") / "brief.json")
        files.write_json(run.agent_dir("many/tasks/a") / "brief.json", brief | {"touches": "strict"})
        agents.run_agent(run.folder, "plan", "many/tasks/a", OPEN_AIR)
    found = run.outcome("many/tasks/a")
    assert found["status"] == status
    assert found["errors"] == (["changed files outside of what it touches: b.txt, f"] if strict else [])


def test_a_plan_that_is_not_there_or_not_good_is_a_failure_that_says_so(run: Run) -> None:
    run.start(BASE)
    run.phase()
    assert again(run, WRITE)["errors"] == ["plan/tasks.yaml: the phases before have written no such file; let one of them require it"]
    run.start({"plan/tasks.yaml": "- {id: a, title: A, needs: [b]}"})
    run.phase()
    [why] = again(run, WRITE)["errors"]
    assert why.startswith("plan/tasks.yaml:1: task `a` needs the unknown task `b`")


def test_a_budget_of_the_agent_counts_what_its_tasks_use(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GLANCE_S", 60.0)  # the first one is not stopped, however slow the machine is
    budget = [{"name": "agent plan_many", "phases": ["plan"], "agent": "many", "most": {"wall_s": 0.001}}]
    outcome = fan_out(run, plan(("a", []), ("b", [])), WRITE + "; sleep 0.1", replace(OPEN_AIR, budgets=budget))
    assert [row["status"] for row in outcome["tasks"]] == ["succeeded", "over_budget"]


def test_hunks_are_found_with_their_lines() -> None:
    marked = "a\n<<<<<<< x\nb\nc\n=======\nd\n>>>>>>> y\ne\n<<<<<<< x\n=======\nf\n>>>>>>> y\n"
    assert [(hunk.first, hunk.last) for hunk in joining.hunks(marked)] == [(2, 3), (5, 5)]
    assert joining.hunks(marked)[0].text == "<<<<<<< x\nb\nc\n=======\nd\n>>>>>>> y"
    assert joining.hunks("a\n=======\nb\n") == []


@pytest.mark.parametrize("script", ["exit 1", "echo 0 > f; exit 1"])
def test_an_agent_that_fans_out_is_skipped_where_one_that_it_needs_did_not_succeed(run: Run, script: str) -> None:
    """Nothing of that one is taken into its base, and it costs nothing."""
    run.start({**BASE, "plan/tasks.yaml": json.dumps(plan(("a", [])))})
    run.phase()
    assert run.agent("before", script)["status"] == "failed"
    outcome = again(run, WRITE, needs=["before"])
    assert (outcome["status"], outcome["result"]) == ("skipped", None)
    assert outcome["errors"] == ["skipped: `before`, which it needs, failed"]
    assert not (run.agent_dir("many/tasks/a") / "attempts").exists()
    assert run.merge("before", "many")["changes"] == []
