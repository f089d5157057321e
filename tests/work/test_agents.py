"""One agent's job: paid for once, taken up where it stopped, repeated where that is worth it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, wait_for
from runs import OPEN_AIR, Run, tree_of

from workflow import files
from workflow.errors import StorageError
from workflow.work import agents, journal, retries, sandbox, trees

RETRY = {"retries": 2, "base_delay": 0.01, "factor": 1, "jitter": 0, "exit_codes": [75], "messages": ["Rate Limit"]}
COUNT = "echo once >> {counter}; wc -l < {counter} > made.txt; "


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """A file outside of every tree in which each execution leaves a line."""
    return tmp_path / "counter"


def counted(counter: Path) -> int:
    return len(counter.read_text().splitlines()) if counter.exists() else 0


def again(run: Run, name: str = "writer", **policy: Any) -> dict[str, Any]:
    return agents.run_agent(run.folder, "plan", name, replace(OPEN_AIR, **policy))


def test_outcome_attempt_and_patch_tell_what_was_done(run: Run) -> None:
    outcome = run.agent("writer", "mkdir docs; printf 'hello\\n' > docs/a.md; echo said")
    assert (outcome["status"], outcome["exit_code"], outcome["errors"]) == ("succeeded", 0, [])
    assert outcome["artifacts"] == [
        {"path": "docs/a.md", "change": "added", "mode": "100644", "size": 6, "sha256": files.sha256_bytes(b"hello\n")}
    ]
    assert trees.read_file(run.repo, outcome["result"]["commit"], "docs/a.md") == b"hello\n"
    assert "+hello" in (run.agent_dir("writer") / "changes.patch").read_text()
    folder = run.agent_dir("writer") / "attempts/001"
    assert sorted(path.name for path in folder.iterdir()) == [
        "begin.json", "brief.json", "concluded", "exit.json", "output.log", "prompt.md", "result.json"]  # fmt: skip
    assert (run.agent_dir("writer") / outcome["log"]).read_text() == "said\n"
    assert outcome["prompt_sha256"] == files.sha256_file(folder / "prompt.md")
    assert set(outcome["usage"].values()) == {None, False}
    assert outcome["attempts"][0] | {"started_at": "", "ended_at": "", "duration_s": 0} == {
        "number": 1, "status": "succeeded", "exit_code": 0, "started_at": "", "ended_at": "", "duration_s": 0,
        "runner": "shell", "error": None, "retryable": False, "killed": []}  # fmt: skip


def test_prompt_reaches_the_program_by_stdin_argument_or_file(run: Run) -> None:
    for way, script in {"stdin": "cat > got", "argument": 'printf %s "$0" > got', "file": 'cat "$0" > got'}.items():
        words = ["sh", "-c", script] + ([] if way == "stdin" else ["{prompt}"])
        run.agent(way, "", runner={"name": "shell", "command": words, "prompt": way}, instructions="Write `a.md`, $HOME.")
        prompt = (run.agent_dir(way) / "attempts/001/prompt.md").read_bytes()
        assert trees.read_file(run.repo, run.outcome(way)["result"]["commit"], "got") == prompt
        assert b"Write `a.md`, $HOME." in prompt


def test_a_file_name_that_is_not_utf8_in_the_base_hinders_nobody(run: Run) -> None:
    run.agent("first", r"printf x > $(printf 'caf\351.md')")
    outcome = run.agent("second", 'cat > got; printf %s "$0" > argument', needs=["first"])
    assert outcome["status"] == "succeeded"
    prompt = (run.agent_dir("second") / "attempts/001/prompt.md").read_bytes()
    assert outcome["prompt_sha256"] == files.sha256_bytes(prompt)


@pytest.mark.parametrize(
    ("script", "status", "code", "error"),
    [
        ("echo x > f; exit 3", "failed", 3, "exit code 3"),
        ("kill -KILL $$", "failed", 137, "exit code 137"),
        ("true", "no_changes", 0, "changed no file"),
        ("git init -q inner; cd inner; git -c user.name=a -c user.email=b commit -q --allow-empty -m x", "failed", 0, "inner"),
        ("git init -q inner", "failed", 0, "`inner` is a git repository inside the tree"),
    ],
)
def test_a_failure_is_an_outcome_that_says_why(run: Run, script: str, status: str, code: int, error: str) -> None:
    outcome = run.agent("writer", script)
    assert (outcome["status"], outcome["exit_code"]) == (status, code)
    assert error in " ".join(outcome["errors"])
    assert run.attempts("writer") == ["001"]


def test_a_program_that_does_not_exist_is_a_failed_outcome(run: Run) -> None:
    outcome = run.agent("writer", "", runner={"name": "none", "command": ["no-such-program-here"]})
    assert (outcome["status"], outcome["exit_code"]) == ("failed", 127)
    assert "no-such-program-here" in outcome["errors"][0]


def test_no_change_is_a_success_where_the_entry_allows_it(run: Run) -> None:
    outcome = run.agent("writer", "true", allow_no_changes=True)
    assert (outcome["status"], outcome["artifacts"]) == ("succeeded", [])


def test_a_timeout_is_told_with_what_was_killed(run: Run) -> None:
    outcome = run.agent("writer", "echo half > f; sleep 60", policy=replace(OPEN_AIR, timeout_s=0.5))
    assert (outcome["status"], outcome["exit_code"]) == ("timed_out", 124)
    assert outcome["errors"] == ["stopped after 0.5 s (exit code 124); killed with it: sh, sleep"]
    assert outcome["attempts"][0]["killed"] == ["sh", "sleep"]


def test_an_agent_waits_for_what_a_killed_supervisor_left_in_its_grace(run: Run, tmp_path: Path) -> None:
    """A deaf program has a second to end; the next attempt, which begins at once, would work beside it."""
    pid = tmp_path / "pid"
    script = f"[ -e {pid} ] && kill -0 $(cat {pid}) && echo two > alive; trap '' TERM; echo $$ > {pid}; echo x > made; "
    command = [sys.executable, ROOT / "scripts/run_agent.py", run.folder, "plan", "writer"]
    run.brief("writer", script + f"[ -e {tmp_path}/second ] || sleep 60")
    supervisor = subprocess.Popen([*command, "--policy", '{"sandbox": "off"}'])
    wait_for(pid.exists)
    supervisor.kill()
    supervisor.wait()
    (tmp_path / "second").touch()
    outcome = again(run)
    assert (outcome["status"], [item["path"] for item in outcome["artifacts"]]) == ("succeeded", ["made"])
    assert run.attempts("writer") == ["001", "002"]


def test_a_finished_attempt_is_published_again_and_nothing_runs(run: Run, counter: Path) -> None:
    first = run.agent("writer", COUNT.format(counter=counter))
    (run.agent_dir("writer") / "outcome.json").unlink()
    assert again(run) == first
    assert counted(counter) == 1


def test_a_failure_is_not_repeated_by_itself_either(run: Run, counter: Path) -> None:
    first = run.agent("writer", COUNT.format(counter=counter) + "exit 1")
    assert again(run) == first
    assert counted(counter) == 1


def test_another_brief_or_another_base_tree_is_another_attempt(run: Run, counter: Path) -> None:
    script = COUNT.format(counter=counter)
    run.agent("writer", script)
    run.agent("writer", script, instructions="Do it better.")
    assert run.attempts("writer") == ["001", "002"]
    run.start({"source.txt": "new"})
    run.phase()
    outcome = again(run)
    assert run.attempts("writer") == ["001", "002", "003"]
    assert counted(counter) == 3
    assert sorted(trees.files(run.repo, outcome["result"]["commit"])) == ["made.txt", "source.txt"]


def test_going_back_to_an_earlier_brief_runs_nothing(run: Run, counter: Path) -> None:
    script = COUNT.format(counter=counter)
    first = run.agent("writer", script)
    run.agent("writer", script, instructions="Do it better.")
    back = run.agent("writer", script, instructions="")
    assert counted(counter) == 2
    assert (back["result"], back["attempts"]) == (first["result"], first["attempts"])


def test_same_tree_on_another_commit_is_rebased_without_running(run: Run, counter: Path) -> None:
    first = run.agent("writer", COUNT.format(counter=counter))
    start = files.read_json(run.folder / "start.json")
    moved = trees.commit_tree(run.repo, start["tree"], [start["commit"]], "same files, later", "2001-01-01T00:00:00Z")
    files.write_json(run.folder / "plan/base.json", {"commit": moved.commit, "tree": moved.tree, "conflicts": []})
    outcome = again(run)
    assert counted(counter) == 1
    assert outcome["result"]["tree"] == first["result"]["tree"]
    assert outcome["base"]["commit"] == moved.commit
    assert trees.git("rev-parse", f"{outcome['result']['commit']}^", repo=run.repo).strip() == moved.commit


def cut_off_after_the_exit(run: Run, name: str = "writer") -> Path:
    """Bring an attempt to the state in which a crash leaves it between the program's end and its result."""
    folder = run.agent_dir(name) / "attempts/001"
    outcome = run.outcome(name)
    (folder / "result.json").unlink()
    (run.agent_dir(name) / "outcome.json").unlink()
    trees.check_out(run.repo, outcome["base"]["commit"], folder / "work/tree")
    (folder / "work/tree/made.txt").write_text("rescued\n")
    return folder


def test_an_attempt_that_ended_without_a_result_is_taken_up_without_running(run: Run, counter: Path) -> None:
    run.agent("writer", COUNT.format(counter=counter))
    folder = cut_off_after_the_exit(run)
    outcome = again(run)
    assert counted(counter) == 1
    assert outcome["status"] == "succeeded"
    assert trees.read_file(run.repo, outcome["result"]["commit"], "made.txt") == b"rescued\n"
    assert not (folder / "work").exists()
    assert (folder / "result.json").is_file()


def test_a_tree_that_could_not_be_removed_after_the_result_is_removed_when_it_is_published(run: Run, counter: Path) -> None:
    run.agent("writer", COUNT.format(counter=counter))
    work = run.agent_dir("writer") / "attempts/001/work"
    (work / "tree").mkdir(parents=True)
    assert again(run)["status"] == "succeeded"
    assert (counted(counter), work.exists()) == (1, False)


def test_an_attempt_whose_tree_is_lost_too_is_repeated(run: Run, counter: Path) -> None:
    run.agent("writer", COUNT.format(counter=counter))
    shutil.rmtree(cut_off_after_the_exit(run) / "work")
    assert again(run)["status"] == "succeeded"
    assert (counted(counter), run.attempts("writer")) == (2, ["001", "002"])


def test_a_result_whose_commit_is_lost_is_repeated(run: Run, counter: Path) -> None:
    run.agent("writer", COUNT.format(counter=counter))
    run.rewrite("plan/agents/writer/attempts/001/result.json", lambda result: result.update(commit="1" * 40))
    assert again(run)["status"] == "succeeded"
    assert (counted(counter), run.attempts("writer")) == (2, ["001", "002"])


def test_an_interrupted_attempt_is_repeated_and_stays_on_record(run: Run, counter: Path) -> None:
    run.agent("writer", COUNT.format(counter=counter))
    folder = run.agent_dir("writer") / "attempts/001"
    (folder / "exit.json").unlink()
    (folder / "result.json").unlink()
    outcome = again(run)
    assert counted(counter) == 2
    assert [(row["number"], row["status"]) for row in outcome["attempts"]] == [(1, "interrupted"), (2, "succeeded")]


def test_a_forced_attempt_is_paid_once_per_call(run: Run, counter: Path) -> None:
    run.agent("writer", COUNT.format(counter=counter))
    again(run, force="call-1")
    again(run, force="call-1")  # snakemake repeats a job that was killed
    assert counted(counter) == 2
    again(run, force="call-2")
    assert counted(counter) == 3
    assert again(run)["attempts"][-1]["number"] == 3
    assert counted(counter) == 3


def test_a_failure_is_repeated_by_its_exit_code_until_the_retries_are_used_up(run: Run, counter: Path) -> None:
    outcome = run.agent("writer", COUNT.format(counter=counter) + "exit 75", policy=replace(OPEN_AIR, retry=RETRY))
    assert counted(counter) == 3
    assert [(row["status"], row["exit_code"], row["retryable"]) for row in outcome["attempts"]] == [("failed", 75, True)] * 3


def test_a_failure_is_repeated_until_it_succeeds(run: Run, counter: Path) -> None:
    script = COUNT.format(counter=counter) + "[ $(cat made.txt) -ge 2 ] || exit 75"
    outcome = run.agent("writer", script, policy=replace(OPEN_AIR, retry=RETRY))
    assert [row["status"] for row in outcome["attempts"]] == ["failed", "succeeded"]
    assert trees.read_file(run.repo, outcome["result"]["commit"], "made.txt").strip() == b"2"


@pytest.mark.parametrize(
    ("script", "executions"),
    [
        ("exit 1", 1),
        ("exit 0", 1),
        ("echo 'HTTP 429: rate limit reached'; exit 1", 3),
        ("echo 'rate limit'; exit 0", 1),
        ("echo 'rate limit'; seq 2000; exit 1", 1),
        ("seq 2000; echo 'rate LIMIT'; exit 1", 3),
        ("sleep 60; exit 75", 1),
    ],
    ids=["other code", "success", "message", "message of a success", "message long before the end", "message at the end", "timeout"],
)
def test_what_is_worth_repeating(run: Run, counter: Path, script: str, executions: int) -> None:
    policy = replace(OPEN_AIR, retry=RETRY, timeout_s=0.7 if "sleep" in script else 20)
    run.agent("writer", COUNT.format(counter=counter) + script, policy=policy)
    assert counted(counter) == executions


def test_back_off_grows_by_its_factor_with_jitter_within_bounds_and_a_ceiling() -> None:
    policy = {"base_delay": 0.7, "factor": 2.0, "max_delay": 5, "jitter": 0.25}
    for count, middle in enumerate((0.7, 1.4, 2.8)):
        drawn = [retries.delay(count, policy) for _ in range(300)]
        assert all(middle * 0.75 <= pause <= middle * 1.25 for pause in drawn)
        assert min(drawn) < middle * 0.9 < middle * 1.1 < max(drawn)
    assert max(retries.delay(10, policy) for _ in range(20)) == 5
    assert [retries.delay(count, policy | {"jitter": 0}) for count in range(4)] == [0.7, 1.4, 2.8, 5]
    assert retries.delay(3, {}) == 0


def test_an_agent_starts_from_the_results_of_those_that_it_needs(run: Run) -> None:
    run.agent("one", "echo 1 > one")
    run.agent("two", "echo 2 > two")
    outcome = run.agent("both", "cat one two > both", needs=["one", "two"])
    assert trees.read_file(run.repo, outcome["result"]["commit"], "both") == b"1\n2\n"
    assert [item["path"] for item in outcome["artifacts"]] == ["both"]
    assert "one" in (run.agent_dir("both") / "attempts/001/prompt.md").read_text()


def test_an_agent_whose_parent_failed_is_skipped_for_nothing_and_names_it(run: Run) -> None:
    run.agent("first", "exit 1")
    second = run.agent("second", "echo x > x", needs=["first"])
    third = run.agent("third", "echo x > x", needs=["second"])
    assert (second["status"], third["status"]) == ("skipped", "skipped")
    assert "`first`" in second["errors"][0]
    assert "`second`" in third["errors"][0]
    assert run.attempts("second") == run.attempts("third") == []
    assert (second["duration_s"], second["result"], second["exit_code"]) == (0.0, None, None)


def test_parents_that_do_not_merge_are_a_conflict_that_names_the_files(run: Run) -> None:
    run.agent("one", "echo 1 > same.txt")
    run.agent("two", "echo 2 > same.txt")
    outcome = run.agent("both", "echo x > x", needs=["one", "two"])
    assert outcome["status"] == "conflict"
    assert outcome["errors"] == ["the results of one and two do not merge: same.txt; let one of them need the other"]
    assert run.attempts("both") == []


def test_agents_of_a_phase_merge_in_order_and_a_conflict_names_both(run: Run) -> None:
    run.start({"old": "o", "f": "0\n"})
    run.phase()
    run.agent("one", "echo 1 > f; rm old; echo 1 > one")
    run.agent("two", "echo 2 > f; echo 2 > two")
    run.agent("three", "echo 3 > three")
    merge = run.merge("one", "two", "three")
    assert (merge["status"], merge["conflicts"]) == ("conflict", [{"files": ["f"], "between": ["one", "two"], "lines": {"f": [[1, 1]]}}])
    assert [(item["path"], item["change"]) for item in merge["changes"]] == [
        ("f", "changed"), ("old", "deleted"), ("one", "added"), ("three", "added")]  # fmt: skip
    assert trees.read_file(run.repo, merge["commit"], "f") == b"1\n"


def test_a_phase_builds_on_the_merge_of_those_before_and_records_what_does_not_fit(run: Run) -> None:
    for phase, mine in (("left", "l"), ("right", "r"), ("clash", "c")):
        run.phase(phase)
        run.agent("worker", f"echo {mine} > {mine}; [ {mine} = l ] || echo {mine} > same; [ {mine} = r ] || echo {mine} > other", phase)
        run.merge("worker", phase=phase)
        run.validate(phase=phase)
        run.show("worker", phase=phase)
    assert run.phase("both", ("left", "right"))["conflicts"] == []
    record = run.phase("all", ("left", "right", "clash"))
    assert record["conflicts"] == [{"files": ["other", "same"], "between": ["left", "right", "clash"]}]
    assert sorted(trees.files(run.repo, record["commit"])) == ["l", "other", "r", "same"]


def test_a_phase_does_not_build_on_a_merge_that_its_manifest_does_not_show(run: Run) -> None:
    from workflow.errors import RunError

    run.shown()
    run.rewrite("plan/merge.json", lambda merge: merge.update(tree="0" * 40))
    with pytest.raises(RunError, match="is not what plan's manifest shows"):
        run.phase("build", ("plan",))


def test_an_agent_that_removes_its_own_tree_has_failed_and_is_paid_once(run: Run) -> None:
    outcome = run.agent("writer", 'rm -rf "$PWD"')
    assert (outcome["status"], outcome["errors"]) == ("failed", ["the agent removed its own tree"])
    assert run.agent("writer", 'rm -rf "$PWD"')["status"] == "failed"
    assert run.attempts("writer") == ["001"]


@pytest.mark.skipif(not sandbox.works(), reason="bubblewrap does not work here")
def test_git_works_for_an_agent_inside_the_sandbox(run: Run) -> None:
    script = "echo x > x && git add x && git status --short > seen && git diff HEAD --stat >> seen && git log --oneline >> seen"
    outcome = run.agent("writer", script, policy=replace(OPEN_AIR, sandbox="require"))
    assert (outcome["status"], outcome["errors"]) == ("succeeded", [])


def test_a_prompt_that_is_too_long_for_an_argument_is_refused_with_the_way_out(run: Run) -> None:
    runner = {"name": "long", "command": ["true", "{prompt}"], "prompt": "argument", "env": []}
    outcome = run.agent("writer", "", runner=runner, instructions="word " * 40_000)
    assert outcome["status"] == "failed"
    assert "use `prompt: stdin`" in outcome["errors"][0]


def test_an_outcome_that_answers_an_older_brief_is_not_merged(run: Run) -> None:
    from workflow.errors import RunError

    run.agent("writer", "echo x > x")
    run.brief("writer", "echo x > x", instructions="Another task.")
    with pytest.raises(RunError, match="answers another brief"):
        run.merge("writer")


def task_of(run: Run, plan: str) -> dict[str, Any]:
    """The outcome of a task of `plan.yaml`, of which it knows its own part alone."""
    run.start({"plan.yaml": plan})
    run.phase()
    task = {"id": "one", "title": "One", "description": "", "touches": [], "accept": [], "lineage": ""}
    script = "echo made > made.txt; ! grep -q amend plan.yaml || echo amended >> plan.yaml"
    return run.agent("dev/tasks/one", script, task=task, for_each="plan.yaml", touches="findings")


def test_a_task_published_again_does_not_take_back_a_change_of_the_plan(run: Run) -> None:
    assert [item["path"] for item in task_of(run, "one, two")["artifacts"]] == ["made.txt"]
    outcome = task_of(run, "two, one")
    assert run.attempts("dev/tasks/one") == ["001"]
    assert [item["path"] for item in outcome["artifacts"]] == ["made.txt"]
    assert trees.read_file(run.repo, outcome["result"]["commit"], "plan.yaml") == b"two, one"


def test_a_task_that_changed_the_plan_itself_keeps_its_change(run: Run) -> None:
    task_of(run, "amend\n")
    outcome = task_of(run, "amend this\n")
    assert run.attempts("dev/tasks/one") == ["001"]
    assert trees.read_file(run.repo, outcome["result"]["commit"], "plan.yaml") == b"amend\namended\n"


def test_an_outcome_without_sandbox_says_so(run: Run) -> None:
    assert run.agent("writer", "echo x > x")["sandbox"] == "none"
    if sandbox.works():
        assert run.agent("other", "echo x > x", policy=replace(OPEN_AIR, sandbox="require"))["sandbox"] == "bubblewrap"


def test_journal_is_written_before_the_program_starts_and_right_after_it_ended(run: Run) -> None:
    """The program itself looks at its attempt: begun, not ended."""
    folder = (run.agent_dir("writer") / "attempts/001").absolute()
    outcome = run.agent("writer", f"ls {folder} > seen")
    seen = trees.read_file(run.repo, outcome["result"]["commit"], "seen").decode().split()
    assert "begin.json" in seen
    assert "exit.json" not in seen
    attempt = journal.attempts(run.agent_dir("writer"))[0]
    assert attempt.begin["base"]["tree"] == tree_of(run.repo, {}).tree


def test_a_full_disk_while_the_tree_is_read_settles_nothing_and_pays_nothing_twice(
    run: Run, counter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> str:
        raise StorageError("git add: No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(trees, "snapshot", full)
        with pytest.raises(StorageError):
            run.agent("writer", COUNT.format(counter=counter))
    assert not (run.agent_dir("writer") / "attempts/001/result.json").exists()
    outcome = again(run)
    assert (outcome["status"], counted(counter)) == ("succeeded", 1)


def test_the_end_is_journalled_although_the_disk_is_full(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The room for it was taken before the program started."""
    attempt = journal.begin(tmp_path, {"key": "k"})
    assert (attempt.folder / journal.RESERVE).stat().st_size == journal.RESERVED_BYTES
    write = files.write_json

    def nearly_full(path: Path, value: Any, durable: bool = False) -> None:
        if (attempt.folder / journal.RESERVE).exists():
            raise OSError(28, "No space left on device", str(path))
        write(path, value, durable)

    monkeypatch.setattr(files, "write_json", nearly_full)
    journal.ended(attempt, {"exit_code": 0})
    assert attempt.exit is not None


def test_git_says_a_full_disk_apart_from_a_bad_tree(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shim = tmp_path / "bin/git"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'error: unable to write file .git/objects/ab: No space left on device' >&2; exit 128\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", f"{shim.parent}:/usr/bin:/bin")
    with pytest.raises(StorageError, match="No space left on device; mend that"):
        trees.git("status")


def test_an_agent_that_failed_on_a_full_disk_works_again_by_itself_but_only_once(
    run: Run, counter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it ended with says nothing about its work; while the disk is full nothing begins."""
    run.start()
    run.phase()
    full = [True]
    monkeypatch.setattr(files, "disk_is_full", lambda path: full[0])
    with pytest.raises(StorageError, match="No space left on device; free some, then run the same command again"):
        run.agent("writer", COUNT.format(counter=counter) + "exit 1")
    assert counted(counter) == 1
    with pytest.raises(StorageError):
        again(run)
    assert counted(counter) == 1
    full[0] = False
    assert again(run)["status"] == "failed"
    assert counted(counter) == 2
    assert again(run)["status"] == "failed"
    assert counted(counter) == 2


def test_an_agent_that_fills_the_disk_itself_is_not_bought_for_ever(run: Run, counter: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run.start()
    run.phase()
    seen: list[Path] = []
    monkeypatch.setattr(files, "disk_is_full", lambda path: seen.append(path) or "attempts" in str(path))
    assert run.agent("writer", COUNT.format(counter=counter) + "exit 1")["status"] == "failed"
    assert counted(counter) == 2
