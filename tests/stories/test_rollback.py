"""The story of going back: a marker deleted, a phase done again, a rollback, and its undoing."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from conftest import Desk, sh, snapshot

PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}}},
    "build": {"agents": {"maker": {"runner": "make"}}},
    "ship": {"agents": {"shipper": {"runner": "ship"}}},
}
RUNNERS = {
    "write": sh("echo the plan > plan.md"),
    "make": sh("cat plan.md > made.txt"),
    "ship": sh("echo 1 > VERSION"),
}


def whole(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Bytes, modification time and inode of every file and folder, apart from status and metrics."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name, stat = path.relative_to(folder).as_posix(), path.lstat()
        if name not in ("status.json", "metrics.json", "metrics.prom"):
            found[name] = (path.read_bytes() if path.is_file() else b"", stat.st_mtime_ns if path.is_file() else 0, stat.st_ino)
    return found


def contents(folder: Path, *without: str) -> dict[str, bytes]:
    """Bytes of every file below a folder, except in the top-level folders named."""
    return {name: content for name, (content, _) in snapshot(folder, "status.json", *without).items()}


def states(desk: Desk) -> dict[str, str]:
    return {name: phase["state"] for name, phase in desk.json("runs/demo/status.json")["phases"].items()}


def repository(desk: Desk) -> str:
    """Every ref and every object of the run's repository."""
    repo = str(desk.path / "runs/demo/project.git")
    refs = subprocess.run(["git", "-C", repo, "for-each-ref"], capture_output=True, text=True, check=True).stdout
    objects = ["git", "-C", repo, "cat-file", "--batch-all-objects", "--batch-check", "--unordered"]
    found = subprocess.run(objects, capture_output=True, text=True, check=True).stdout
    return refs + "".join(sorted(found.splitlines(keepends=True)))


@pytest.fixture
def finished(desk: Desk) -> Desk:
    """A run with all three gates open."""
    desk.configure(PHASES, RUNNERS)
    for phase in PHASES:
        desk.run()
        desk.touch(phase)
    desk.run()
    assert desk.json("runs/demo/status.json")["state"] == "delivered"
    return desk


@pytest.mark.long
def test_deleted_marker_changes_nothing_else_and_work_done_again_closes_gates_only_where_bytes_differ(finished: Desk) -> None:
    run_dir = finished.path / "runs/demo"
    (run_dir / "plan/APPROVED").unlink()
    before = whole(run_dir)
    assert "plan waits for your review" in finished.run().last[-5]
    assert whole(run_dir) == before
    assert states(finished) == {"plan": "waiting", "build": "pending", "ship": "pending"}

    finished.run("approve", "--config", "by=Ann")
    before = whole(run_dir)
    assert "delivered: all 3 phases are done" in finished.run().last[-5]
    assert whole(run_dir) == before

    shown = {name: finished.read(f"runs/demo/{name}/digest") for name in PHASES}
    done = finished.run("--forcerun", "plan_writer")
    assert "delivered" in done.last[-5]
    assert [finished.attempts(*agent) for agent in (("plan", "writer"), ("build", "maker"), ("ship", "shipper"))] == [2, 1, 1]
    assert {name: finished.read(f"runs/demo/{name}/digest") for name in PHASES} == shown

    (run_dir / "plan/agents/writer/outcome.json").unlink()
    assert "delivered" in finished.run().last[-5]
    assert finished.attempts("plan", "writer") == 2

    finished.configure(PHASES, RUNNERS | {"write": sh("echo another plan > plan.md")})
    done = finished.run()
    assert "plan waits for your review again" in done.last[-5]
    assert states(finished) == {"plan": "stale", "build": "pending", "ship": "pending"}
    for later in ("build", "ship"):
        done = finished.shell(done.next_command)
        assert f"{later} waits for your review again" in done.last[-5]
    assert finished.read("runs/demo/project/made.txt") == "another plan\n"
    assert not {name for name in PHASES if finished.read(f"runs/demo/{name}/digest") == shown[name]}


@pytest.mark.long
def test_rollback_is_previewed_puts_later_phases_away_and_is_undone_unless_new_work_stands_there(finished: Desk) -> None:
    run_dir = finished.path / "runs/demo"
    (finished.path / "home").mkdir(exist_ok=True)
    before, everything = contents(run_dir, "project"), whole(finished.path / "runs") | whole(finished.path / "home")
    shown = finished.read("runs/demo/status.json")
    digest = finished.read("runs/demo/build/digest")
    commit = finished.outcome("build", "maker")["result"]["commit"][:12]
    history = repository(finished)

    preview = finished.run("rollback", "--config", "to=plan", "apply=false")
    assert preview.out.startswith("would go back to the gate of plan; put away:\n  phases:   build, ship\n")
    for text in ("build/APPROVED, ship/APPROVED", "bundles/build.zip, bundles/ship.zip", "2 (maker, shipper)", commit, "unknown"):
        assert text in preview.out
    finished.run("-n", "rollback", "--config", "to=plan")
    assert whole(finished.path / "runs") | whole(finished.path / "home") == everything
    assert finished.read("runs/demo/status.json") == shown

    assert "there is nothing to restore" in finished.run("restore", check=1).said
    done = finished.shell(preview.out.split("go back:")[1].strip())
    assert "build: work is left to do" in done.err
    assert states(finished) == {"plan": "open", "build": "running", "ship": "pending"}
    assert sorted(path.name for path in (run_dir / "project").iterdir()) == [".git", "plan.md"]
    left = set(contents(run_dir, "project", "history", "project.git", "logs"))
    gone = ("APPROVED", "REQUEST.md", "digest", "manifest.json", "merge.json", "outcome.json", ".zip")
    assert not [name for name in left if name.startswith(("build/", "ship/", "bundles/build", "bundles/ship")) and name.endswith(gone)]
    assert repository(finished) == history

    advisory = next(run_dir.glob("ROLLBACK_*.md"))
    page = advisory.read_text()
    for text in ("| Timestamp | 2", "| Run | demo |", "| From phase | ship |", "| To phase | plan |", "build/APPROVED", "bundles/ship.zip"):
        assert text in page
    for text in (
        "## Restore",
        "## By hand",
        "Review the artifacts made after plan",
        "Consider reverting",
        "Clean up",
        "The next step of the run is build",
    ):
        assert text in page
    archive = run_dir / "history/rollbacks" / advisory.stem.removeprefix("ROLLBACK_")
    assert (archive / "files/build/digest").read_text() == digest
    assert f"| Archive | runs/demo/history/rollbacks/{archive.name} |" in page

    undo = page.split("```sh\n")[1].split("\n```")[0]
    finished.shell(undo)
    after = contents(run_dir, "project")
    assert {name: content for name, content in after.items() if name in before} == before
    assert set(after) - set(before) == {name for name in after if name.startswith("history/rollbacks/")}
    assert (run_dir / "project/VERSION").exists()
    assert "delivered" in finished.run().last[-5]
    assert [finished.attempts(*agent) for agent in (("plan", "writer"), ("build", "maker"), ("ship", "shipper"))] == [1, 1, 1]

    finished.run("rollback", "--config", "to=plan")
    finished.configure(PHASES, RUNNERS | {"make": sh("cat plan.md plan.md > made.txt")})
    assert "build waits for your review" in finished.run().last[-5]
    assert states(finished) == {"plan": "open", "build": "waiting", "ship": "pending"}
    before = contents(run_dir)
    advisory = next(run_dir.glob("ROLLBACK_*.md")).name
    done = finished.run("restore", "--config", f"from={advisory}", check=1)
    assert f"work went on after {advisory}; roll back to plan first, then restore" in done.said
    assert contents(run_dir) == before
    assert "not known; allowed: ROLLBACK_" in finished.run("restore", "--config", "from=other.md", check=1).said
    assert "--config to=... is missing; allowed: plan, build, ship" in finished.run("rollback", check=1).said
    done = finished.run("rollback", "--config", "to=ship", check=1)
    assert "nothing comes after ship yet" in done.said
    assert contents(run_dir) == before


def test_retry_puts_the_failed_outcome_away_and_makes_new_attempts_by_the_retry_policy(desk: Desk) -> None:
    work = f"test -e {desk.path}/good && echo x > made.txt || {{ echo rate limit; exit 75; }}"
    agents = {"maker": {"runner": "make"}, "writer": {"runner": "write"}}
    retry = {"retries": 1, "base_delay": 0, "exit_codes": [75]}
    desk.configure({"build": {"agents": agents}}, RUNNERS | {"make": sh(work)}, retry=retry, sandbox="off")
    assert "build is blocked" in desk.run(check=1).last[-5]
    assert (desk.attempts("build", "maker"), desk.attempts("build", "writer")) == (2, 1)
    desk.run(check=1)
    assert desk.attempts("build", "maker") == 2
    (desk.path / "runs/demo/build/agents/maker/outcome.json").unlink()
    desk.run(check=1)
    assert (desk.attempts("build", "maker"), desk.attempts("build", "writer")) == (4, 1)
    failed = desk.read("runs/demo/build/agents/maker/outcome.json")
    assert "agent=nobody: not known; allowed: maker, build_maker" in desk.run("retry", "--config", "agent=nobody", check=1).said

    desk.write("good", "")
    done = desk.run("retry", "--config", "phase=build")
    assert "1 failed agent of build works again" in done.err
    assert (desk.attempts("build", "maker"), desk.attempts("build", "writer")) == (5, 1)
    assert [path.read_text() for path in (desk.path / "runs/demo/history/retries").glob("*/build_maker.json")] == [failed]
    assert states(desk) == {"build": "waiting"}
    assert "nothing to retry" in desk.run("retry").err


@pytest.mark.long
def test_retry_of_one_agent_leaves_the_other_failures_and_retry_alone_takes_all_of_them(desk: Desk) -> None:
    agents = {name: {"runner": "make"} for name in ("one", "two", "three")}
    desk.configure({"build": {"agents": agents}}, {"make": sh(f"test -e {desk.path}/good && mktemp made.XXXXXX")}, sandbox="off")
    desk.run(check=1)
    desk.write("good", "")
    assert "1 failed agent works again" in desk.run("retry", "--config", "agent=two", check=1).err
    assert [desk.attempts("build", name) for name in agents] == [1, 2, 1]
    assert "2 failed agents work again" in desk.run("retry").err
    assert [desk.attempts("build", name) for name in agents] == [2, 2, 2]
    assert states(desk) == {"build": "waiting"}


def test_deleted_outcome_of_a_success_is_published_again_also_after_another_brief_had_failed(desk: Desk) -> None:
    phases = {"build": {"agents": {"maker": {"runner": "make"}}}}
    outcome = desk.path / "runs/demo/build/agents/maker/outcome.json"
    fails = {"make": sh("exit 1")}
    for runners, code in ((RUNNERS | {"make": sh("echo x > made.txt")}, 0), (fails, 1), (RUNNERS | {"make": sh("echo x > made.txt")}, 0)):
        desk.configure(phases, runners)
        desk.run(check=code)
    assert desk.attempts("build", "maker") == 2
    outcome.unlink()
    desk.run()
    assert (desk.attempts("build", "maker"), desk.outcome("build", "maker")["status"]) == (2, "succeeded")

    desk.configure(phases, fails)
    desk.run(check=1)
    assert desk.attempts("build", "maker") == 2, "it had failed before"
    outcome.unlink()
    desk.run(check=1)
    assert (desk.attempts("build", "maker"), desk.outcome("build", "maker")["status"]) == (3, "failed")
