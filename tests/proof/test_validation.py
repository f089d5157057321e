"""Validation: patterns are held against what the phase produced, and checks are commands that really ran."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from runs import Run, check

from workflow.proof.validation import overall
from workflow.work import sandbox

SCRIPT = """
mkdir -p src/a/b docs/.hidden
echo 1 > src/top.py; echo 2 > src/a/b/deep.py; echo 3 > docs/.hidden/x.md; echo 4 > .env; : > empty.md; echo 6 > Name.MD
rm gone.md; echo changed > old.md; ln -s src/top.py link.md; ln -s nowhere dangling.md; echo 7 > 'odd[1].txt'
"""


@pytest.fixture
def made(run: Run) -> Run:
    """A phase that adds, changes, deletes, and leaves empty files and links."""
    run.start({"gone.md": "g", "old.md": "o", "untouched.md": "u"})
    run.phase()
    assert run.agent("writer", SCRIPT)["status"] == "succeeded"
    run.merge("writer")
    return run


FOUND = {
    "src/**/*.py": ["src/a/b/deep.py", "src/top.py"],
    "src/*.py": ["src/top.py"],
    "**/*.py": ["src/a/b/deep.py", "src/top.py"],
    "src/**": ["src/a/b/deep.py", "src/top.py"],
    "docs/**/*.md": ["docs/.hidden/x.md"],
    ".*": [".env"],
    "*.md": ["old.md"],
    "*.MD": ["Name.MD"],
    "empty.md": [],
    "gone.md": [],
    "untouched.md": [],
    "link.md": [],
    "dangling.md": [],
    "src": [],
    "odd[[]1].txt": ["odd[1].txt"],
    "../*": [],
    "/etc/*": [],
}


def test_a_pattern_finds_what_this_phase_made(made: Run) -> None:
    record = made.validate(tuple(FOUND))
    assert {row["pattern"]: row["found"] for row in record["artifacts"]} == FOUND
    assert record["artifacts_missing"] == [pattern for pattern, found in FOUND.items() if not found]
    assert record["status"] == "fail"


def test_a_missing_optional_file_is_partial_and_a_file_is_listed_once(made: Run) -> None:
    record = made.validate(("src/**/*.py", "src/top.py"), ("docs/risks.md",))
    assert record["status"] == "partial"
    assert record["artifacts_found"] == ["src/a/b/deep.py", "src/top.py"]
    assert record["artifacts_missing"] == ["docs/risks.md"]


def test_the_worst_finding_decides_the_status() -> None:
    rank = ["pass", "partial", "unknown", "fail"]
    required, optional = {"pattern": "r", "required": True, "found": []}, {"pattern": "o", "required": False, "found": []}
    facts = [(None, "pass"), (required, "fail"), (optional, "partial"), *(({"status": name}, name) for name in ("pass", "unknown", "fail"))]
    for chosen in itertools.chain.from_iterable(itertools.combinations(facts, size) for size in range(1, 4)):
        patterns = [fact for fact, _ in chosen if fact and "pattern" in fact] + [{"pattern": "f", "required": True, "found": ["f"]}]
        results = [fact for fact, _ in chosen if fact and "status" in fact]
        assert overall(patterns, results, "clean", []) == max((status for _, status in chosen), key=rank.index)
        for scan, status in {"found": "fail", "unknown": "unknown"}.items():
            assert overall(patterns, results, scan, []) == max(status, overall(patterns, results, "clean", []), key=rank.index)
    assert overall([], [], "clean", []) == "pass"
    assert overall([], [{"status": "surprising"}], "clean", []) == "unknown"
    assert overall([], [], "surprising", []) == "unknown"


def test_checks_pass_fail_or_are_unknown_and_each_says_how(made: Run) -> None:
    broken = "[project\n"
    made.agent("other", f"printf '{broken}' > pyproject.toml")
    made.merge("writer", "other")
    rows = made.validate(
        checks=(
            check("good", "sh", "-c", "echo first; echo; echo the last line; echo"),
            check("bad", "sh", "-c", "echo wrong >&2; exit 3"),
            check("killed", "sh", "-c", "kill -KILL $$"),
            check("absent", "no-such-program-here", "--all"),
            check("slow", "sleep", "60", timeout_s=0.3),
            check("python", "python", "-c", "pass", environment="python"),
        )
    )
    checks = {row["name"]: row for row in rows["checks"]}
    assert {name: (row["status"], row["exit_code"]) for name, row in checks.items()} == {
        "good": ("pass", 0),
        "bad": ("fail", 3),
        "killed": ("fail", 137),
        "absent": ("unknown", None),
        "slow": ("unknown", 124),
        "python": ("unknown", None),
    }
    assert checks["good"]["summary"] == "the last line"
    assert checks["bad"]["summary"] == "wrong"
    assert "no-such-program-here" in checks["absent"]["reason"]
    assert "not finished after 0.3 s" in checks["slow"]["reason"]
    assert "dependencies cannot be read" in checks["python"]["reason"]
    assert rows["environment"]["error"] == checks["python"]["reason"]
    assert (made.folder / checks["good"]["log"]).read_text() == "first\n\nthe last line\n\n"
    assert checks["absent"]["duration_s"] is None
    assert rows["status"] == "fail"


def test_one_check_that_could_not_run_makes_the_phase_unknown_not_pass(made: Run) -> None:
    assert made.validate(checks=(check("good", "true"), check("absent", "no-such-program-here")))["status"] == "unknown"


def test_checks_run_one_after_the_other_in_a_clean_checkout_of_the_merge(made: Run, tmp_path: Path) -> None:
    """Later checks see what earlier ones left (coverage data), and neither a git folder nor what was not committed."""
    listing = f"ls -A > {tmp_path}/listing; pwd > {tmp_path}/place; echo data > .coverage"
    made.validate(checks=(check("first", "sh", "-c", listing), check("second", "test", "-f", ".coverage")))
    assert (tmp_path / "listing").read_text().split() == sorted(
        [".env", "Name.MD", "dangling.md", "docs", "empty.md", "link.md", "odd[1].txt", "old.md", "src", "untouched.md"], key=str
    )
    assert not Path((tmp_path / "place").read_text().strip()).exists()
    again = made.validate(checks=(check("second", "test", "-f", ".coverage"),))
    assert again["checks"][0]["status"] == "fail"
    assert not (made.folder / "plan/checks/first.log").exists()


def test_own_modules_can_be_imported_by_checks(made: Run) -> None:
    row = made.validate(checks=(check("import", "python3", "-c", "import top, a.b.deep; print('imported')"),))["checks"][0]
    assert (row["status"], row["summary"]) == ("pass", "imported")


@pytest.mark.skipif(not sandbox.works(), reason="bubblewrap does not work here")
def test_checks_run_in_the_sandbox_and_say_so(made: Run, tmp_path: Path) -> None:
    marker = made.marker().absolute()
    script = (
        f"touch '{marker}' 2>/dev/null; mkdir -p '{marker.parent}' && touch '{marker}'; echo x > made-here && ls '{tmp_path}/runs/demo'"
    )
    record = made.validate(checks=(check("approve", "sh", "-c", script),), sandbox="require")
    assert record["sandbox"] == "bubblewrap"
    assert not marker.exists()
    assert "plan" in (made.folder / "plan/checks/approve.log").read_text() or record["checks"][0]["status"] == "fail"
    assert made.validate(checks=(check("x", "true"),))["sandbox"] == "none"


def test_without_checks_nothing_is_set_up(made: Run) -> None:
    record = made.validate(("src/*.py",))
    assert (record["checks"], record["environment"], record["sandbox"]) == ([], None, None)
