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
def delivered(desk: Desk) -> Desk:
    """A run with all three gates open."""
    desk.configure(PHASES, RUNNERS)
    for phase in PHASES:
        desk.run()
        desk.touch(phase)
    desk.run()
    assert desk.json("runs/demo/status.json")["state"] == "delivered"
    return desk


def test_deleting_a_marker_closes_its_gate_and_changes_nothing_else(delivered: Desk) -> None:
    run_dir = delivered.path / "runs/demo"
    (run_dir / "plan/APPROVED").unlink()
    before = whole(run_dir)
    assert "plan waits for your review" in delivered.run().last[-5]
    assert whole(run_dir) == before
    assert states(delivered) == {"plan": "waiting", "build": "pending", "ship": "pending"}

    delivered.run("approve", "--config", "by=Ann")
    before = whole(run_dir)
    assert "delivered: all 3 phases are done" in delivered.run().last[-5]
    assert whole(run_dir) == before


def test_rollback_is_previewed_then_puts_the_later_phases_away_and_is_undone(delivered: Desk) -> None:
    run_dir = delivered.path / "runs/demo"
    (delivered.path / "home").mkdir(exist_ok=True)
    before, everything = contents(run_dir, "project"), whole(delivered.path / "runs") | whole(delivered.path / "home")
    shown = delivered.read("runs/demo/status.json")
    digest = delivered.read("runs/demo/build/digest")
    commit = delivered.outcome("build", "maker")["result"]["commit"][:12]
    history = repository(delivered)

    preview = delivered.run("rollback", "--config", "to=plan", "apply=false")
    assert preview.out.startswith("would go back to the gate of plan; put away:\n  phases:   build, ship\n")
    for text in ("build/APPROVED, ship/APPROVED", "bundles/build.zip, bundles/ship.zip", "2 (maker, shipper)", commit, "unknown"):
        assert text in preview.out
    delivered.run("-n", "rollback", "--config", "to=plan")
    assert whole(delivered.path / "runs") | whole(delivered.path / "home") == everything
    assert delivered.read("runs/demo/status.json") == shown

    done = delivered.shell(preview.out.split("go back:")[1].strip())
    assert "build: work is left to do" in done.err
    assert states(delivered) == {"plan": "open", "build": "running", "ship": "pending"}
    assert sorted(path.name for path in (run_dir / "project").iterdir()) == [".git", "plan.md"]
    left = set(contents(run_dir, "project", "history", "project.git", "logs"))
    gone = ("APPROVED", "REQUEST.md", "digest", "manifest.json", "merge.json", "outcome.json", ".zip")
    assert not [name for name in left if name.startswith(("build/", "ship/", "bundles/build", "bundles/ship")) and name.endswith(gone)]
    assert repository(delivered) == history

    advisory = next(run_dir.glob("ROLLBACK_*.md"))
    page = advisory.read_text()
    for text in ("| Timestamp | 2", "| Run | demo |", "| From phase | ship |", "| To phase | plan |", "build/APPROVED", "bundles/ship.zip"):
        assert text in page
    for text in ("## Restore", "## By hand", "Review what was made", "Consider reverting", "Clean up", "The next step of the run is build"):
        assert text in page
    archive = run_dir / "history/rollbacks" / advisory.stem.removeprefix("ROLLBACK_")
    assert (archive / "files/build/digest").read_text() == digest
    assert f"| Archive | runs/demo/history/rollbacks/{archive.name} |" in page

    undo = page.split("```sh\n")[1].split("\n```")[0]
    delivered.shell(undo)
    after = contents(run_dir, "project")
    assert {name: content for name, content in after.items() if name.startswith("history/") and name not in before} == {
        name: content for name, content in after.items() if name.startswith("history/rollbacks/")
    }
    assert {name: content for name, content in after.items() if name in before} == before
    assert set(after) - set(before) == {name for name in after if name.startswith("history/rollbacks/")}
    assert (run_dir / "project/VERSION").exists()
    assert "delivered" in delivered.run().last[-5]
    assert [delivered.attempts(*agent) for agent in (("plan", "writer"), ("build", "maker"), ("ship", "shipper"))] == [1, 1, 1]


def test_restore_refuses_where_new_work_stands(delivered: Desk) -> None:
    run_dir = delivered.path / "runs/demo"
    assert "there is nothing to restore" in delivered.run("restore", check=1).said
    delivered.run("rollback", "--config", "to=plan")
    delivered.configure(PHASES, RUNNERS | {"make": sh("cat plan.md plan.md > made.txt")})
    assert "build waits for your review" in delivered.run().last[-5]
    assert states(delivered) == {"plan": "open", "build": "waiting", "ship": "pending"}
    before = contents(run_dir)
    advisory = next(run_dir.glob("ROLLBACK_*.md")).name
    done = delivered.run("restore", "--config", f"from={advisory}", check=1)
    assert f"work went on after {advisory}; roll back to plan first, then restore" in done.said
    assert contents(run_dir) == before
    assert "not known; allowed: ROLLBACK_" in delivered.run("restore", "--config", "from=other.md", check=1).said
    assert "to=...` is missing" in delivered.run("rollback", check=1).said.replace("=...", "=...`")
    done = delivered.run("rollback", "--config", "to=ship", check=1)
    assert "nothing comes after ship yet" in done.said
    assert contents(run_dir) == before


def test_work_done_again_closes_gates_only_where_its_bytes_differ(delivered: Desk) -> None:
    run_dir = delivered.path / "runs/demo"
    shown = {name: delivered.read(f"runs/demo/{name}/digest") for name in PHASES}
    done = delivered.run("--forcerun", "plan_writer")
    assert "delivered" in done.last[-5]
    assert [delivered.attempts(*agent) for agent in (("plan", "writer"), ("build", "maker"), ("ship", "shipper"))] == [2, 1, 1]
    assert {name: delivered.read(f"runs/demo/{name}/digest") for name in PHASES} == shown

    (run_dir / "plan/agents/writer/outcome.json").unlink()
    assert "delivered" in delivered.run().last[-5]
    assert delivered.attempts("plan", "writer") == 2

    delivered.configure(PHASES, RUNNERS | {"write": sh("echo another plan > plan.md")})
    assert "plan waits for your review again" in delivered.run().last[-5]
    assert states(delivered) == {"plan": "stale", "build": "pending", "ship": "pending"}
    for phase, later in (("plan", "build"), ("build", "ship")):
        delivered.touch(phase)
        assert f"{later} waits for your review again" in delivered.run().last[-5]
    assert delivered.read("runs/demo/project/made.txt") == "another plan\n"
    assert not {name for name in PHASES if delivered.read(f"runs/demo/{name}/digest") == shown[name]}


def test_retry_puts_the_failed_outcome_away_and_makes_new_attempts_by_the_retry_policy(desk: Desk) -> None:
    work = f"test -e {desk.path}/good && echo x > made.txt || {{ echo rate limit; exit 75; }}"
    agents = {"maker": {"runner": "make"}, "writer": {"runner": "write"}}
    retry = {"retries": 1, "base_delay": 0, "exit_codes": [75]}
    desk.configure({"build": {"agents": agents}}, RUNNERS | {"make": sh(work)}, retry=retry, sandbox="off")
    assert "build is blocked" in desk.run(check=1).last[-5]
    failed = desk.read("runs/demo/build/agents/maker/outcome.json")
    assert (desk.attempts("build", "maker"), desk.attempts("build", "writer")) == (2, 1)
    desk.run(check=1)
    assert desk.attempts("build", "maker") == 2

    desk.write("good", "")
    done = desk.run("retry", "--config", "phase=build")
    assert "1 failed agents of build work again" in done.err
    assert (desk.attempts("build", "maker"), desk.attempts("build", "writer")) == (3, 1)
    assert [path.read_text() for path in (desk.path / "runs/demo/history/retries").glob("*/build_maker.json")] == [failed]
    assert states(desk) == {"build": "waiting"}
    assert "nothing to retry" in desk.run("retry").err
