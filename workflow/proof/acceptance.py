"""Acceptance: the commands that a task names as its end, run in a clean checkout of its result. They are evidence, not its word."""

from __future__ import annotations

from typing import Any

from workflow import files
from workflow.proof import checks
from workflow.work import agents, slots
from workflow.work.jobs import Job

EVIDENCE = "accept.json"


def by_commands(job: Job, outcome: dict[str, Any]) -> dict[str, Any]:
    """The outcome with the rows of its commands in `accept`; a task has failed where one of them fails or could not run.

    They run once for each result: `accept.json` beside the outcome keeps what they showed, with what the tree is known by. Like
    the task itself they do not run again where nothing but the plan around it was edited.
    """
    wanted = [_check(number, command, job.brief["environment"]) for number, command in enumerate(job.brief["task"]["accept"], 1)]
    kept = job.agent_dir / EVIDENCE
    asked = {
        "tree": agents.tree_told(job, outcome["result"]["tree"]),
        "commands": [check["command"] for check in wanted],
        "environment": job.brief["environment"],
    }
    known = files.try_read_object(kept)
    if {key: known.get(key) for key in asked} != asked:
        known = asked | _run(job, outcome, wanted)
        if all(row["status"] != "unknown" for row in known["rows"]):
            files.write_json(kept, known)
    return judged(outcome, known["rows"])


def _check(number: int, command: list[str], environment: str) -> dict[str, Any]:
    return {"name": f"{number}", "command": command, "purpose": "", "environment": environment}


def _run(job: Job, outcome: dict[str, Any], wanted: list[dict[str, Any]]) -> dict[str, Any]:
    limits = {check["name"]: job.policy.timeout_s for check in wanted}
    options = {"timeouts_s": limits, "sandbox": job.policy.sandbox, "environments": job.policy.environments}
    slots.take(job.agent_dir / "outcome.json")  # the attempt may have been made by an earlier call
    what = f"{job.brief['phase']} {job.brief['agent']}: accept"
    made = checks.run_all(job.run_dir, what, job.agent_dir / "accept", outcome["result"]["commit"], wanted, options)
    return {"rows": made["checks"], "sandbox": made["sandbox"]}


def judged(outcome: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The outcome as these rows show it."""
    wrong = [f"`{' '.join(row['command'])}`: {row['status']} ({row['reason']})" for row in rows if row["status"] != "pass"]
    if not wrong:
        return outcome | {"accept": rows}
    return outcome | {"accept": rows, "status": "failed", "errors": [f"is not accepted: {text}" for text in wrong]}
