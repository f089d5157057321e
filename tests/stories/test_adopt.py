"""The story of a person's own edits: committed in project/, adopted, checked, reviewed."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
from conftest import Desk, sh

CHECK = {"name": "words", "command": ["sh", "-c", "! grep -q wrong *.md"], "environment": "none"}
PHASES = {
    "plan": {"agents": {"writer": {"runner": "write"}, "critic": {"runner": "criticise"}}, "checks": [CHECK]},
    "build": {"agents": {"maker": {"runner": "make"}}},
}
RUNNERS = {
    "write": sh("printf 'one\\ntwo\\nthree\\n' > plan.md"),
    "criticise": sh("echo well > review.md"),
    "make": sh("cat plan.md > made.txt"),
}


def commit(desk: Desk, **content: str) -> None:
    """What a person does in project/: edit, add, commit."""
    project = desk.path / "runs/demo/project"
    for name, text in content.items():
        (project / name.replace("_", ".")).write_text(text)
    for words in (["add", "-A"], ["-c", "user.name=Ann", "-c", "user.email=ann@example.org", "commit", "-qm", "my edits"]):
        subprocess.run(["git", *words], cwd=project, env=desk.environment(), check=True, capture_output=True)


def bundle(desk: Desk, phase: str) -> dict[str, str]:
    """The files in a bundle."""
    with zipfile.ZipFile(desk.path / f"runs/demo/bundles/{phase}.zip") as archive:
        return {Path(name).name: archive.read(name).decode() for name in archive.namelist() if name.startswith("artifacts/")}


def refused(desk: Desk, *words: str) -> str:
    done = desk.run(*words, check=1)
    assert len(done.said.splitlines()) == 1, done.said
    assert not (desk.path / "runs/demo/plan/adoptions").exists()
    return done.said


def test_commit_of_a_person_is_merged_checked_and_shown_again(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    assert "holds no commit of yours" in refused(desk, "adopt", "--config", "by=Ann")
    desk.write("runs/demo/project/plan.md", "edited\n")
    assert "has edits that are not committed" in refused(desk, "adopt", "--config", "by=Ann")
    desk.run("approve", "--config", "by=Bob")
    old = desk.read("runs/demo/plan/digest")

    commit(desk, plan_md="one\ntwo\nthree, wrong\n", mine_txt="mine\n")
    done = desk.run("adopt", "--config", "phase=plan", "by=Ann", check=1)
    assert "adopted 2 changed files of Ann into plan" in done.err
    assert "plan is blocked (NEEDS ATTENTION): check words failed" in done.last[-5]

    commit(desk, plan_md="one\ntwo\nthree, mine\n")
    done = desk.run("adopt", "--config", "phase=plan", "by=Ann")
    assert "plan waits for your review again" in done.last[-5]
    assert desk.json("runs/demo/status.json")["phases"]["plan"]["state"] == "stale"
    assert desk.json("runs/demo/plan/validation.json")["checks"][0]["status"] == "pass"
    assert desk.read("runs/demo/plan/digest") != old
    assert bundle(desk, "plan") == {"plan.md": "one\ntwo\nthree, mine\n", "review.md": "well\n", "mine.txt": "mine\n"}
    record = desk.json("runs/demo/plan/adoptions/002.json")
    assert (record["kind"], record["by"], record["message"], record["status"]) == ("human", "Ann", "my edits", "succeeded")
    assert [item["by"] for item in desk.json("runs/demo/plan/manifest.json")["subject"]["adoptions"]] == ["Ann", "Ann"]
    assert (desk.attempts("plan", "writer"), desk.attempts("plan", "critic")) == (1, 1)

    desk.run("approve", "--config", "by=Bob")
    desk.run()
    assert desk.read("runs/demo/project/made.txt") == "one\ntwo\nthree, mine\n"


@pytest.mark.long
def test_adoption_survives_a_rework_of_the_agents_and_a_clash_with_it_is_named(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    commit(desk, plan_md="one, mine\ntwo\nthree\n")
    desk.run("adopt", "--config", "by=Ann")

    more = RUNNERS | {
        "write": sh("printf 'one\\ntwo\\nthree, better\\nfour\\nfive\\n' > plan.md"),
        "criticise": sh("echo fine > review.md"),
    }
    desk.configure(PHASES, more)
    done = desk.run()
    assert "plan waits for your review" in done.last[-5], done.err
    assert bundle(desk, "plan") == {"plan.md": "one, mine\ntwo\nthree, better\nfour\nfive\n", "review.md": "fine\n"}

    desk.configure(PHASES, RUNNERS | {"write": sh("printf 'ONE\\ntwo\\nthree\\n' > plan.md")})
    done = desk.run(check=1)
    assert "merge conflict between writer and human Ann in plan.md" in done.last[-5]
    said = desk.run("approve", "--config", "by=Bob", check=1).said
    assert "conflict:writer+human Ann=why" in said
    desk.run("approve", "--config", "by=Bob", "waive=conflict:writer+human Ann=the agent's text is right")
    assert bundle(desk, "plan") == {"plan.md": "ONE\ntwo\nthree\n", "review.md": "well\n"}


@pytest.mark.long
def test_adopting_into_an_earlier_phase_takes_the_edit_and_nothing_of_later_phases(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS)
    desk.run()
    desk.touch("plan")
    desk.run()
    desk.touch("build")
    desk.run()
    commit(desk, plan_md="one\ntwo\nthree, mine\n")
    done = desk.run("adopt", "--config", "phase=plan", "by=Ann")
    assert "plan waits for your review again" in done.last[-5]
    assert bundle(desk, "plan") == {"plan.md": "one\ntwo\nthree, mine\n", "review.md": "well\n"}
    assert json.loads(desk.run("status", "--config", "format=json").out)["phases"]["build"]["state"] == "pending"
    desk.run("approve", "--config", "by=Bob")
    assert "build waits for your review again" in desk.run().last[-5]
    assert bundle(desk, "build") == {"made.txt": "one\ntwo\nthree, mine\n"}
