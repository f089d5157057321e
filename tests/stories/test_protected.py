"""The story of an agent that repairs the tests instead of the program."""

from __future__ import annotations

from conftest import Desk, sh


def test_agent_that_weakens_the_tests_has_failed_and_is_told_what_it_may_not_touch(desk: Desk) -> None:
    phases = {
        "plan": {"agents": {"tester": {"runner": "write"}}},
        "build": {
            "protected": ["tests/**"],
            "agents": {"developer": {"runner": "cheat"}, "documentarian": {"runner": "stray", "owns": ["docs/**"]}},
            "checks": [{"name": "tests", "command": ["sh", "tests/run.sh"], "environment": "none"}],
        },
    }
    runners = {
        "write": sh("mkdir tests; echo 'grep -q works program' > tests/run.sh"),
        "cheat": sh("echo broken > program; echo true > tests/run.sh"),
        "stray": sh("mkdir docs; echo text > docs/a.md; echo works > program"),
    }
    desk.configure(phases, runners, retry={"retries": 0})
    desk.run()
    desk.run("approve", "--config", "by=Ann")
    done = desk.run(check=1)
    assert "Traceback" not in done.err
    errors = {name: desk.outcome("build", name)["errors"] for name in ("developer", "documentarian")}
    assert errors["developer"] == ["the agent changed protected files: tests/run.sh (protected: tests/**)"]
    assert errors["documentarian"] == ["the agent wrote files that it does not own: program (owns: docs/**)"]
    page = desk.read("runs/demo/build/REQUEST.md")
    assert "tests/run.sh" in page
    assert desk.json("runs/demo/status.json")["phases"]["build"]["state"] == "blocked"
    prompt = desk.read("runs/demo/build/agents/developer/attempts/001/prompt.md")
    assert "Not to be touched, because these files judge the work" in prompt
    assert "`docs/**`" in desk.read("runs/demo/build/agents/documentarian/attempts/001/prompt.md")

    runners |= {"cheat": sh("echo works > program"), "stray": sh("mkdir docs; echo text > docs/a.md")}
    desk.configure(phases, runners, retry={"retries": 0})
    desk.run()
    found = desk.json("runs/demo/build/validation.json")
    assert (found["status"], found["restored"]) == ("pass", [])
