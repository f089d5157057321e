"""The manifest and its digest: everything that is reviewed changes the digest, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from runs import Run, check

from workflow import files
from workflow.proof.manifest import make_manifest


@pytest.fixture
def shown(run: Run) -> Run:
    """Two phases; the second has an agent that succeeded, one that failed, a deletion, patterns and a check."""
    run.start({"gone.txt": "g"})
    run.shown()
    run.phase("build", ("plan",))
    run.agent("maker", "mkdir src; echo 1 > src/a.py; echo 2 > b.txt; rm gone.txt", "build")
    run.agent("loser", "exit 4", "build")
    run.merge("maker", "loser", phase="build")
    run.validate(("src/**/*.py", "none.md"), ("risks.md",), (check("good", "true"),), phase="build")
    return run


def again(run: Run) -> dict[str, Any]:
    return make_manifest(
        run.folder, "build", ["maker", "loser"], ["plan"], {"kind": "required"}, {"feedback": None, "approvals": {}, "beside": {}}
    )


def digest_after(run: Run, name: str, change: Callable[[Any], Any]) -> str:
    """The digest as it would be with a change in one file, which is taken back afterwards."""
    before = (run.folder / name).read_bytes()
    run.rewrite(name, change)
    assert (run.folder / name).read_bytes() != before
    found = again(run)["digest"]
    (run.folder / name).write_bytes(before)
    return str(found)


MERGE, VALIDATION = "build/merge.json", "build/validation.json"
MAKER, LOSER = "build/agents/maker/outcome.json", "build/agents/loser/outcome.json"


REVIEWED: list[tuple[str, Callable[[Any], Any]]] = [
        (MERGE, lambda merge: merge["base"].update(tree="1" * 40)),
        (MERGE, lambda merge: merge["conflicts"].append({"between": ["a", "b"], "files": ["f"]})),
        (MERGE, lambda merge: merge["changes"].pop(0)),
        *((MERGE, lambda merge, key=key, value=value: next(c for c in merge["changes"] if c["path"] == "src/a.py").update({key: value}))
          for key, value in {"sha256": "0" * 64, "size": 3, "mode": "100755", "change": "deleted"}.items()),
        (MERGE, lambda merge: next(c for c in merge["changes"] if c["path"] == "gone.txt").update(path="other.txt")),
        (VALIDATION, lambda found: found["artifacts"][0]["found"].clear()),
        *((VALIDATION, lambda found, key=key, value=value: found["checks"][0].update({key: value}))
          for key, value in {"name": "other", "command": ["false"], "status": "unknown", "exit_code": 1}.items()),
        (MAKER, lambda outcome: outcome.update(status="failed")),
        (LOSER, lambda outcome: outcome.update(exit_code=5)),
        (MAKER, lambda outcome: outcome["result"].update(tree="2" * 40)),
        (MERGE, lambda merge: merge["adoptions"].append({"by": "me", "tree": "3" * 40})),
        (MERGE, lambda merge: merge.update(tree="4" * 40)),
]  # fmt: skip


def test_what_is_reviewed_changes_the_digest(shown: Run) -> None:
    before = again(shown)["digest"]
    found = [digest_after(shown, name, change) for name, change in REVIEWED]
    assert [REVIEWED[place][0] for place, digest in enumerate(found) if digest == before] == []
    assert len(set(found)) == len(REVIEWED)
    assert again(shown)["digest"] == before


FOLLOWING: list[Callable[[Any], Any]] = [
    lambda found: found.update(status="pass"),
    lambda found: found["artifacts_missing"].clear(),
    lambda found: found["artifacts"][1].update(required=False),
]


def test_what_follows_from_the_results_is_worked_out_again_and_not_believed(shown: Run) -> None:
    assert {digest_after(shown, VALIDATION, change) for change in FOLLOWING} == {again(shown)["digest"]}


def test_check_whose_result_is_gone_is_unknown_and_never_a_pass(shown: Run) -> None:
    name = again(shown)["subject"]["validation"]["checks"][0]["name"]
    shown.rewrite(VALIDATION, lambda found: found["checks"].pop(0))
    found = again(shown)["subject"]["validation"]["checks"][0]
    assert (found["name"], found["status"], found["exit_code"]) == (name, "unknown", None)


def test_digest_of_an_upstream_phase_run_and_phase_are_part_of_it(shown: Run) -> None:
    made = again(shown)
    assert made["subject"]["upstream"] == {"plan": (shown.folder / "plan/digest").read_text().strip()}
    assert (made["subject"]["run"], made["subject"]["phase"]) == ("demo", "build")
    shown.shown("another plan")
    assert again(shown)["digest"] != made["digest"]


VARYING: list[tuple[str, Callable[[Any], Any]]] = [
    (MAKER, lambda outcome: outcome.update(duration_s=99.0, started_at="2030-01-01T00:00:00.000Z", ended_at="2030-01-01T00:00:01.000Z")),
    (MAKER, lambda outcome: outcome["attempts"].append({"number": 2, "status": "succeeded"})),
    (MAKER, lambda outcome: outcome.update(sandbox="bubblewrap", usage={"cost_usd": 3}, prompt_sha256="0")),
    (MAKER, lambda outcome: outcome["result"].update(commit="3" * 40)),
    (VALIDATION, lambda found: found["checks"][0].update(duration_s=77.0, log="elsewhere", summary="12 passed in 3.4 s")),
    (VALIDATION, lambda found: found.update(environment={"setup_s": 9.0}, sandbox="bubblewrap")),
]


def test_what_varies_between_executions_does_not_change_the_digest(shown: Run) -> None:
    assert {digest_after(shown, name, change) for name, change in VARYING} == {again(shown)["digest"]}


def test_digest_names_the_subject_in_canonical_json(shown: Run) -> None:
    made = shown.show("maker", "loser", phase="build", after=("plan",))
    text = files.canonical_json(made["subject"])
    assert made["digest"] == files.sha256_bytes(text) == (shown.folder / "build/digest").read_text().strip()
    assert b" " not in text
    assert files.read_json(shown.folder / "build/manifest.json") == made


def test_fields_that_people_look_for(shown: Run) -> None:
    made = again(shown)
    maker, loser = shown.outcome("maker", "build"), shown.outcome("loser", "build")
    assert (made["phase"], made["run_id"], made["artifact_count"]) == ("build", "demo", 2)
    assert [item["path"] for item in made["artifacts"]] == ["b.txt", "src/a.py"]
    assert made["subject"]["deleted"] == ["gone.txt"]
    assert made["created_at"] == max(maker["ended_at"], loser["ended_at"])
    assert made["metrics_digest"] == {
        "phase": "build",
        "agents_executed": 2,
        "agents_succeeded": 1,
        "total_duration_s": round(maker["duration_s"] + loser["duration_s"], 3),
        "total_retries": 0,
        "validation": {"status": "fail", "artifacts_found": 1, "artifacts_missing": 2},
        "agents": [
            {"name": "maker", "success": True, "duration_s": maker["duration_s"], "exit_code": 0},
            {"name": "loser", "success": False, "duration_s": loser["duration_s"], "exit_code": 4},
        ],
    }


def test_without_any_attempt_the_time_is_that_of_the_runs_start(run: Run) -> None:
    run.agent("first", "exit 1")
    run.agent("second", "true", needs=["first"])
    run.merge("second")
    run.validate()
    made = run.show("second")
    assert made["created_at"] == "2026-01-01T00:00:00.000Z"
    assert made["metrics_digest"]["agents_executed"] == 0
