"""The story of one core and an agent that has to wait before it tries again: others work meanwhile, and the cap holds."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from conftest import Desk, most_at_once, sh, wait_for

FIRST = "tries=$(echo $PHASEGATE_BRIEF | grep -c attempts/001)"
RETRY = {"retries": 1, "base_delay": 4, "factor": 1, "jitter": 0, "exit_codes": [75], "messages": []}


def spans(desk: Desk, agent: str) -> list[tuple[str, str]]:
    return [(row["started_at"], row["ended_at"]) for row in desk.outcome("build", agent)["attempts"]]


def test_with_one_core_another_agent_finishes_while_one_backs_off(desk: Desk) -> None:
    flaky = sh(f"{FIRST}; [ $tries = 0 ] || exit 75; echo a > a.txt")
    desk.configure(
        {"build": {"gate": "none", "agents": {"a": {"runner": "flaky", "retry": RETRY}, "b": {"runner": "steady"}}}},
        {"flaky": flaky, "steady": sh("sleep 0.3; echo b > b.txt")},
    )
    desk.run(cores=1)
    (_, failed), (again, _) = spans(desk, "a")
    ((started, ended),) = spans(desk, "b")
    assert failed < started < ended < again


def test_an_agent_that_comes_back_waits_until_a_slot_is_free(desk: Desk) -> None:
    flaky = sh(f"{FIRST}; [ $tries = 0 ] || exit 75; sleep 0.2; echo a > a.txt")
    agents = {"a": {"runner": "flaky", "retry": RETRY | {"base_delay": 0.5}}}
    agents |= {name: {"runner": f"steady-{name}"} for name in "bcd"}
    desk.configure(
        {"build": {"gate": "none", "agents": agents}},
        {"flaky": flaky} | {f"steady-{name}": sh(f"sleep 1.5; echo {name} > {name}.txt") for name in "bcd"},
    )
    desk.run(cores=1)
    rows = [row for name in "abcd" for row in desk.outcome("build", name)["attempts"]]
    assert [len(spans(desk, name)) for name in "abcd"] == [2, 1, 1, 1]
    assert most_at_once(rows) == 1
    back = spans(desk, "a")[1][0]
    assert sum(spans(desk, name)[0][0] < back for name in "bcd") == 1, "the next slot was its own"


def test_more_agents_that_wait_than_there_are_threads_all_come_back(desk: Desk) -> None:
    """Each job keeps one of the six threads that Snakemake has for one core."""
    flaky = sh(
        f"{FIRST}; [ $tries = 0 ] || exit 75; echo $PHASEGATE_BRIEF > $(basename $(dirname $(dirname $(dirname $PHASEGATE_BRIEF)))).txt"
    )
    agents = {name: {"runner": "flaky", "retry": RETRY} for name in "abcdefgh"}
    desk.configure({"build": {"gate": "none", "agents": agents}}, {"flaky": flaky})
    desk.run(cores=1)
    rows = [row for name in agents for row in desk.outcome("build", name)["attempts"]]
    assert [row["status"] for row in rows] == ["failed", "succeeded"] * 8
    for row in sorted(rows, key=lambda row: row["started_at"]):
        print(row["number"], row["started_at"][14:], row["ended_at"][14:])
    assert most_at_once(rows) == 1


def test_what_an_agent_made_is_settled_while_the_next_one_works(desk: Desk) -> None:
    """With one core `b` works already while the files that `a` made are taken; it does not wait for that."""
    agents = {"a": {"runner": "many"}, "b": {"runner": "one"}}
    desk.configure(
        {"build": {"gate": "none", "agents": agents}},
        {"many": sh("mkdir made; for n in $(seq 6000); do echo $n > made/$n; done"), "one": sh("sleep 0.3; echo b > b.txt")},
    )
    desk.run(cores=1)
    ((_, ended),) = spans(desk, "a")
    ((began, _),) = spans(desk, "b")
    settled = desk.path / "runs/demo/build/agents/a/attempts/001/result.json"
    assert ended < began < datetime.fromtimestamp(settled.stat().st_mtime, tz=UTC).isoformat()
    assert most_at_once([desk.outcome("build", name)["attempts"][0] for name in "ab"]) == 1


def test_a_job_that_dies_while_it_waits_leaves_the_count_of_slots_right(desk: Desk) -> None:
    """The waiting supervisor is killed once; snakemake starts it again, and never two agents work at once."""
    killer = sh("pkill -KILL -f '[p]hasegate: run_agent runs/demo build a$' ; sleep 1; echo b > b.txt")
    flaky = sh(f"{FIRST}; [ $tries = 0 ] || exit 75; sleep 0.5; echo a > a.txt")
    desk.configure(
        {
            "build": {
                "gate": "none",
                "agents": {"a": {"runner": "flaky", "retry": RETRY}, "b": {"runner": "killer"}, "c": {"runner": "steady"}},
            }
        },
        {"flaky": flaky, "killer": killer, "steady": sh("sleep 1; echo c > c.txt")},
        sandbox="off",
    )
    desk.run(cores=1)
    rows = [row for name in "abc" for row in desk.outcome("build", name)["attempts"]]
    assert [row["status"] for row in desk.outcome("build", "a")["attempts"]] == ["failed", "succeeded"]
    assert most_at_once(rows) == 1


def test_commands_that_accept_what_was_made_before_wait_for_a_slot(desk: Desk) -> None:
    """A call that was stopped while they ran is carried on: they count, as the agents do that work beside them."""
    tasks = [{"id": name, "title": f"Add {name}", "touches": [f"{name}.txt"], "accept": [f"sh {desk.path}/log.sh 1"]} for name in "abc"]
    desk.write("log.sh", f"begin=$(date +%s.%N); touch {desk.path}/works; sleep $1; echo $begin $(date +%s.%N) >> {desk.path}/spans")
    seconds = f"mkdir {desk.path}/first 2>/dev/null && s=0.2 || s=2"
    desk.configure(
        {
            "plan": {"gate": "none", "agents": {"planner": {"runner": "planner"}}},
            "build": {"gate": "none", "agents": {"maker": {"runner": "worker", "for_each": "plan/tasks.yaml"}}},
        },
        {
            "planner": sh(f"mkdir plan; echo '{json.dumps(tasks)}' > plan/tasks.yaml"),
            "worker": sh(f"{seconds}; sh {desk.path}/log.sh $s; echo $PPID > $$.txt"),
        },
        sandbox="off",
    )
    working = desk.start()
    made = desk.path / "runs/demo/build/agents/maker/tasks"
    wait_for(lambda: any(made.glob("*/attempts/001/result.json")))
    (desk.path / "works").unlink()
    wait_for((desk.path / "works").exists)
    working.terminate()
    working.wait()
    (desk.path / "spans").unlink()
    desk.run()
    assert desk.outcome("build", "maker")["status"] == "succeeded"
    found = [tuple(map(float, line.split())) for line in desk.read("spans").splitlines()]
    assert len(found) == 5, "three are accepted, and two work again or for the first time"
    assert max(sum(begin <= moment < end for begin, end in found) for moment, _ in found) == 2
