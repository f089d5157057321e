"""One agent: from its brief and base tree to one commit and one outcome.

The order of events is what makes a run survive: journal before the program starts, journal at once when it has
ended, tree into the repository, result, outcome. A finished attempt with the same key (brief + base tree) is
published again and nothing runs, whether it had succeeded or failed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow import files
from workflow.plan import tasks
from workflow.work import attempts, joining, journal, leaks, outcomes, settling, touching, trees
from workflow.work.jobs import Job, Policy
from workflow.work.journal import Attempt

Accept = Callable[[Job, dict[str, Any]], dict[str, Any]]


def run_agent(
    run_dir: Path, phase: str, agent: str, policy: Policy, accept: Accept | None = None, require_open: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Carry out one agent, or one task of an agent, and publish its outcome.json and changes.patch; returns the outcome.

    An agent that fails is data. `accept` holds a success against the commands that the task is accepted by; `require_open` is asked
    again when there is a slot. Raises RunError or GitError only where the machine or the run's files are at fault.
    """
    brief = files.read_json(run_dir / phase / "agents" / agent / "brief.json")
    job = Job(run_dir, brief, policy, require_open)
    published = job.agent_dir / "published"
    if not policy.force:  # what a person asked for is still to do until the attempt has begun (`attempts`)
        published.unlink(missing_ok=True)
    parents = job.parents()
    base, hindered = ground(job, parents)
    outcome = hindered or work_on(job, base, parents, accept)
    write(job, outcome)
    files.write_text(published, "")  # now a missing outcome.json was deleted by a person
    return outcome


def write(job: Job, outcome: dict[str, Any]) -> None:
    """Write what an agent, or the tasks of one together, came to: ref, changes.patch, outcome.json."""
    result, base = outcome["result"], outcome["base"]
    if result:
        trees.set_ref(job.repo, job.ref, result["commit"])
    diff = trees.patch(job.repo, base["commit"], result["commit"]) if result else ""
    files.write_text(job.agent_dir / "changes.patch", leaks.redact_text(diff, job.secrets()))
    files.write_json(job.agent_dir / "outcome.json", outcome)


def ground(job: Job, parents: list[dict[str, Any]]) -> tuple[trees.Commit, dict[str, Any] | None]:
    """The commit that a job starts from: the phase's base, with the commits of the agents that it needs.

    And the outcome of a job that cannot start, because one of these did not succeed, or they do not merge; else None.
    """
    record = files.read_json(job.phase_dir / "base.json")
    base = trees.Commit(record["commit"], record["tree"])
    broken = [parent for parent in parents if parent["status"] != outcomes.SUCCEEDED]
    if broken:
        why = [f"skipped: `{parent['agent']}`, which it needs, {ended_as(parent['status'])}" for parent in broken]
        return base, outcomes.blank(job.brief, "skipped", why, None)
    for parent in parents:
        joined, merged = joining.join(job.repo, base, parent, f"base of {job.brief['phase']}_{job.brief['agent']}")
        if joined is None:
            both, where = " and ".join(job.brief["needs"]), ", ".join(merged.conflicts)
            why = [f"the results of {both} do not merge: {where}; let one of them need the other"]
            return base, outcomes.blank(job.brief, "conflict", why, None)
        base = joined
    return base, None


def work_on(job: Job, base: trees.Commit, parents: list[dict[str, Any]], accept: Accept | None = None) -> dict[str, Any]:
    """The outcome of an agent's work on a base: of what it has done already where that is the same work, else of new attempts."""
    journal.await_end(job.agent_dir)
    key = files.sha256_json({"brief": files.sha256_json(job.brief), "base": tree_told(job, base.tree)})
    attempt = journal.finished(job.agent_dir, key, job.policy.force)
    if attempt is not None and settling.settle(job, attempt, base) and attempts.is_final(job, attempt, key):
        journal.conclude(attempt)
        job.say(f"{(attempt.result or {})['status'].replace('_', ' ')} before (attempt {attempt.number}); nothing runs again")
        return _judged(job, publish(job, attempt, base), accept)
    try:
        attempt = attempts.make(job, base, key, [told(parent) for parent in parents])
    except attempts.OverBudget as spent:
        job.say(f"does not start: {spent}")
        return outcomes.blank(job.brief, "over_budget", [str(spent)], base) | outcomes.made(job.agent_dir)
    job.say(settling.in_words(attempt))
    return _judged(job, publish(job, attempt, base), accept)


def tree_told(job: Job, tree: str) -> str:
    """What a tree is known by where the same work is looked for; for a task without the file of which its brief holds a part."""
    source = _source(job)
    return trees.tree_without(job.repo, tree, source) if source else tree


def _source(job: Job) -> str | None:
    """The file that a task comes from; None for other agents, and for tasks that are a file each."""
    source: str | None = job.brief.get("for_each")
    return source if source and job.brief.get("task") and tasks.is_file(source) else None


def _judged(job: Job, outcome: dict[str, Any], accept: Accept | None) -> dict[str, Any]:
    """The outcome of a task held against what it was to touch, and against the commands that it is accepted by."""
    task = job.brief.get("task")
    if not task or outcome["status"] != outcomes.SUCCEEDED:
        return outcome
    outcome = touching.judge(outcome, task["touches"], job.brief["touches"] == "strict")
    return accept(job, outcome) if accept and task["accept"] and outcome["status"] == outcomes.SUCCEEDED else outcome


def ended_as(status: str) -> str:
    """A status for the end of a sentence about an agent or a task."""
    words = {"timed_out": "timed out", "no_changes": "changed nothing", "skipped": "was skipped", "conflict": "met a conflict"}
    words |= {"parked": "is parked", "over_budget": "is over its budget"}
    return words.get(status, status)


def told(parent: dict[str, Any]) -> dict[str, Any]:
    """What an agent is told about one that it builds on."""
    return {"agent": parent["agent"], "status": parent["status"], "artifacts": [item["path"] for item in parent["artifacts"]]}


def publish(job: Job, attempt: Attempt, base: trees.Commit) -> dict[str, Any]:
    """The outcome of a settled attempt on `base`. Nothing runs."""
    settled, ended = attempt.result or {}, attempt.exit or {}
    result = base
    if settled["tree"] is not None and attempt.begin["base"]["commit"] == base.commit:
        result = trees.Commit(settled["commit"], settled["tree"])
    elif settled["tree"] is not None:
        name = settling.attempt_name(job, attempt)
        result = trees.commit_tree(job.repo, _tree_on(job, attempt, base), [base.commit], name, ended["ended_at"])
    changed = joining.described(job.repo, base.commit, result.tree)
    return outcomes.from_attempt(job.brief, attempt, job.agent_dir, base, result, changed)


def _tree_on(job: Job, attempt: Attempt, base: trees.Commit) -> str:
    """The tree that an attempt made, on `base`: the file that its task comes from is as it is there, unless the attempt changed it."""
    made: str = (attempt.result or {})["tree"]
    began, source = attempt.begin["base"]["tree"], _source(job)
    if source is None or began == base.tree or source in {change.path for change in trees.changes(job.repo, began, made)}:
        return made
    return trees.put_back(job.repo, made, base.tree, [source])
