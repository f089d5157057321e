"""Fanning out: which tasks an agent has on the base of its phase, and what its tasks came to together.

`fan_out` writes `tasks.json`; `gather` merges the commits of the tasks in that order into the agent's own result, in memory, and
writes the agent's outcome.json, which sums its tasks up.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow import files, globs
from workflow.errors import GitError
from workflow.plan import fanout, tasks
from workflow.work import agents, clashes, joining, merging, outcomes, trees
from workflow.work.jobs import Job, Policy

SAID_EACH = 100


def fan_out(run_dir: Path, phase: str, agent: str) -> dict[str, Any]:
    """Write the tasks of an agent, in merge order, or what is wrong with the file that they come from."""
    brief = files.read_json(run_dir / phase / "agents" / agent / "brief.json")
    base = files.read_json(run_dir / phase / "base.json")
    listed, problems = _listed(run_dir / "project.git", base["commit"], brief["for_each"])
    record = {"for_each": brief["for_each"], "problems": problems, "tasks": [task.as_json() for task in tasks.in_order(listed)]}
    files.write_json(fanout.path_of(run_dir, phase, agent), record)
    return record


def _listed(repo: Path, commit: str, for_each: str) -> tuple[list[tasks.Task], list[str]]:
    if not tasks.is_file(for_each):
        found = [path for path in trees.files(repo, commit) if globs.matches(path, for_each)]
        return tasks.of_files(found), [] if found else [f"no file of the phases before fits `{for_each}`"]
    try:
        text = trees.read_file(repo, commit, for_each)
    except GitError:
        return [], [f"{for_each}: the phases before have written no such file; let one of them require it"]
    try:
        return tasks.parse(text.decode(), for_each)
    except UnicodeDecodeError as error:
        return [], [f"{for_each}: is not UTF-8 text ({error})"]


def gather(run_dir: Path, phase: str, agent: str, policy: Policy, accept: agents.Accept | None = None) -> dict[str, Any]:
    """Merge the commits of an agent's tasks and write its outcome; tasks that failed add nothing, and the agent has failed."""
    brief = files.read_json(run_dir / phase / "agents" / agent / "brief.json")
    job = Job(run_dir, brief, policy)
    record = files.read_json(fanout.path_of(run_dir, phase, agent))
    base, hindered = agents.ground(job, job.parents())
    outcome = hindered or (
        outcomes.blank(brief, "failed", record["problems"], base)
        if record["problems"]
        else _gathered(job, base, [tasks.from_json(row) for row in record["tasks"]], accept)
    )
    agents.write(job, outcome)
    return outcome


def _gathered(job: Job, base: trees.Commit, listed: list[tasks.Task], accept: agents.Accept | None) -> dict[str, Any]:
    name, phase = job.brief["agent"], job.brief["phase"]
    merge = merging.Merging(job.run_dir, phase, base, {name: job.policy}, accept)
    found = []
    for task in listed:
        found.append(merging.current_outcome(job.run_dir, phase, tasks.unit(name, task.id)))
        merge.add(found[-1], task.units(name))
        if len(found) % SAID_EACH == 0:
            job.say(f"{len(found)} of {len(listed)} tasks are merged")
    now = merge.now
    changed = joining.described(job.repo, base.commit, now.commit)
    status, errors = _status(found, merge)
    job.say(f"{sum(item['status'] == outcomes.SUCCEEDED for item in found)} of {len(found)} tasks succeeded")
    return outcomes.blank(job.brief, status, errors, base) | {
        "started_at": min((item["started_at"] for item in found if item["started_at"]), default=None),
        "ended_at": max((item["ended_at"] for item in found if item["ended_at"]), default=None),
        "duration_s": round(sum(item["duration_s"] for item in found), 3),
        "result": {"commit": now.commit, "tree": now.tree},
        "artifacts": [item for item in changed if item["change"] != "deleted"],
        "deleted": [item["path"] for item in changed if item["change"] == "deleted"],
        "tasks": [_row(task, item) for task, item in zip(listed, found, strict=True)],
        "steps": merge.steps,
        "conflicts": merge.conflicts,
        "resolutions": merge.resolutions,
        "left_out": sorted(merge.left_out),
    }


def _row(task: tasks.Task, outcome: dict[str, Any]) -> dict[str, Any]:
    """A task in the outcome of its agent."""
    return {
        "id": task.id,
        "title": task.title,
        "needs": list(task.needs),
        "after": list(task.after),
        "builds_on": list(task.builds_on),
        "status": outcome["status"],
        "exit_code": outcome["exit_code"],
        "errors": outcome["errors"][:1],
        "tree": (outcome["result"] or {}).get("tree"),
        "attempts": len(outcome["attempts"]),
        "duration_s": outcome["duration_s"],
        "files": [item["path"] for item in outcome["artifacts"]] + outcome["deleted"],
        "outside": [item["path"] for item in outcome["findings"] if item.get("kind") == "outside"],
        "accept": [{key: row[key] for key in ("command", "status", "exit_code")} for row in outcome.get("accept", [])],
    }


def _status(found: Iterable[dict[str, Any]], merge: merging.Merging) -> tuple[str, list[str]]:
    """Status of the agent, and why it is not a success."""
    wrong = [item for item in found if item["status"] not in (outcomes.SUCCEEDED, "skipped")]
    skipped = [item["task"]["id"] for item in found if item["status"] == "skipped"]
    errors = [f"task {item['task']['id']} {agents.ended_as(item['status'])}: {item['errors'][0]}" for item in wrong]
    errors += [f"skipped, since they build on these: {', '.join(skipped)}"] if skipped else []
    if merge.conflicts:
        return "conflict", [*map(clashes.sentence, merge.conflicts), *errors]
    return ("failed", errors) if errors else (outcomes.SUCCEEDED, [])
