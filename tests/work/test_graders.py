"""Protected graders: an agent that touches what judges it has failed, and checks run with the files that were approved."""

from __future__ import annotations

import pytest
from runs import Run, check

from workflow.work import graders

TESTS = {"tests/test_a.py": "assert False\n", "tests/data/x.csv": "1\n", "src/a.py": "A = 1\n", "conftest.py": "\n", "gone.py": "\n"}
PROTECTED = ["tests/**", "conftest.py"]


@pytest.fixture
def graded(run: Run) -> Run:
    """A run that starts with tests."""
    run.start(TESTS)
    run.phase()
    return run


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("echo pass > tests/test_a.py", "tests/test_a.py"),
        ("rm -r tests", "tests/data/x.csv, tests/test_a.py"),
        ("chmod +x tests/test_a.py", "tests/test_a.py"),
        ("echo > tests/conftest.py", "tests/conftest.py"),
        ("git mv tests/test_a.py moved.py", "tests/test_a.py"),
        ("rm conftest.py; ln -s src/a.py conftest.py", "conftest.py"),
        ("rm -r tests; ln -s src tests", "tests/data/x.csv, tests/test_a.py"),
        ("echo x > tests/test_a.py; git add -A; git update-index --assume-unchanged tests/test_a.py", "tests/test_a.py"),
        ("echo x > tests/test_a.py; git -c user.name=a -c user.email=a commit -qam tests", "tests/test_a.py"),
        ("echo 'tests/' > .gitignore; echo x > tests/test_a.py", "tests/test_a.py"),
        ("echo 1 > src/a.py; echo x > tests/test_a.py; exit 3", "tests/test_a.py"),
    ],
)
def test_an_agent_that_touches_a_protected_file_has_failed_and_the_file_is_named(graded: Run, script: str, named: str) -> None:
    outcome = graded.agent("maker", script, protected=PROTECTED)
    assert outcome["status"] == "failed"
    assert outcome["errors"][-1] == f"the agent changed protected files: {named} (protected: tests/**, conftest.py)"
    assert graded.merge("maker")["changes"] == []


def test_an_agent_that_leaves_protected_files_as_they_were_has_succeeded(graded: Run) -> None:
    script = "echo x > tests/test_a.py; touch tests/data/x.csv; git checkout -q tests/test_a.py; echo 'A = 2' > src/a.py"
    outcome = graded.agent("maker", script, protected=PROTECTED)
    assert (outcome["status"], outcome["errors"], [item["path"] for item in outcome["artifacts"]]) == ("succeeded", [], ["src/a.py"])


def test_an_agent_that_writes_what_it_does_not_own_has_failed_and_the_files_are_named(graded: Run) -> None:
    outcome = graded.agent("maker", "echo 2 > src/a.py; echo n > notes.md; rm gone.py", owns=["src/**"])
    assert outcome["status"] == "failed"
    assert outcome["errors"] == ["the agent wrote files that it does not own: gone.py, notes.md (owns: src/**)"]
    assert graded.agent("other", "echo 2 > src/a.py", owns=["src/**"])["status"] == "succeeded"


def test_many_files_are_counted_and_not_all_named() -> None:
    paths = [f"tests/{number:02d}" for number in range(25)]
    (said,) = graders.violations({"protected": ["tests/**"], "owns": []}, paths)
    assert "tests/09 and 15 more (protected: tests/**)" in said


def test_checks_run_with_the_protected_files_that_the_phase_found(graded: Run) -> None:
    graded.agent("cheat", "echo 'assert True' > tests/test_a.py; echo > tests/conftest.py; echo B > src/a.py; rm -r tests/data")
    graded.merge("cheat")
    looks = check(
        "looks", "sh", "-c", "test ! -e tests/conftest.py && test -e tests/data/x.csv && grep False tests/test_a.py && cat src/a.py"
    )
    found = graded.validate(checks=(looks,), protected=("tests/**",))
    assert (found["checks"][0]["status"], found["checks"][0]["summary"]) == ("pass", "B")
    assert found["restored"] == ["tests/conftest.py", "tests/data/x.csv", "tests/test_a.py"]
    made = graded.show("cheat")
    assert made["subject"]["validation"]["restored"] == found["restored"]
    page = (graded.folder / "plan/REQUEST.md").read_text()
    assert "The checks ran with protected files as they were before this phase" in page
    found = graded.validate(checks=(looks,))
    assert (found["checks"][0]["status"], found["restored"]) == ("fail", [])
    assert graded.show("cheat")["digest"] != made["digest"]


def test_attributes_of_git_cannot_turn_a_protected_file_into_other_bytes(graded: Run) -> None:
    graded.agent("cheat", "printf 'tests/* eol=crlf\\n' > .gitattributes; echo 2 > src/a.py")
    graded.merge("cheat")
    plain = check("plain", "sh", "-c", "! grep -q \"$(printf '\\r')\" tests/test_a.py")
    assert graded.validate(checks=(plain,))["status"] == "fail"
    assert graded.validate(checks=(plain,), protected=("tests/**",))["status"] == "pass"
