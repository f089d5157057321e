"""One agent: from its brief and base tree to one commit and one outcome.

The order of events is what makes a run survive: journal before the program starts, journal at once when it has
ended, tree into the repository, result, outcome. A finished attempt with the same key (brief + base tree) is
published again and nothing runs, whether it had succeeded or failed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow import files
from workflow.markup import plain
from workflow.work import attempts, joining, journal, outcomes, settling, trees
from workflow.work.jobs import Job, Policy
from workflow.work.journal import Attempt


def run_agent(run_dir: Path, phase: str, agent: str, policy: Policy) -> dict[str, Any]:
    """Carry out one agent and publish its outcome.json and changes.patch; returns the outcome.

    An agent that fails is data. Raises RunError or GitError only where the machine or the run's files are at fault.
    """
    brief = files.read_json(run_dir / phase / "agents" / agent / "brief.json")
    job = Job(run_dir, brief, policy)
    published = job.agent_dir / "published"
    published.unlink(missing_ok=True)
    outcome = _outcome(job)
    result, base = outcome["result"], outcome["base"]
    diff = trees.patch(job.repo, base["commit"], result["commit"]) if result else ""
    files.write_text(job.agent_dir / "changes.patch", diff)
    files.write_json(job.agent_dir / "outcome.json", outcome)
    files.write_text(published, "")  # now a missing outcome.json was deleted by a person
    return outcome


def _outcome(job: Job) -> dict[str, Any]:
    parents = job.parents()
    broken = [parent for parent in parents if parent["status"] != outcomes.SUCCEEDED]
    if broken:
        why = [f"skipped: `{parent['agent']}`, which it needs, {_ended_as(parent['status'])}" for parent in broken]
        return outcomes.blank(job.brief, "skipped", why, None)
    base, conflict = base_of(job, parents)
    if conflict:
        return outcomes.blank(job.brief, "conflict", [conflict], None)
    key = files.sha256_json({"brief": files.sha256_json(job.brief), "base": base.tree})
    attempt = journal.finished(job.agent_dir, key, job.policy.force)
    if attempt is not None and settling.settle(job, attempt, base) and not attempts.has_tries_left(job, attempt, key):
        journal.conclude(attempt)
        job.say(f"{(attempt.result or {})['status'].replace('_', ' ')} before (attempt {attempt.number}); nothing runs again")
    else:
        attempt = attempts.make(job, base, key, [told(parent) for parent in parents])
        job.say(_ended_in_words(attempt))
    return publish(job, attempt, base)


def _ended_in_words(attempt: Attempt) -> str:
    settled, ended = attempt.result or {}, attempt.exit or {}
    why = f": {plain(settled['errors'][0])}" if settled["errors"] else ""
    return f"{settled['status'].replace('_', ' ')} ({ended['duration_s']:.1f} s){why}"


def _ended_as(status: str) -> str:
    return {"timed_out": "timed out", "no_changes": "changed nothing", "skipped": "was skipped", "conflict": "met a conflict"}.get(
        status, status
    )


def base_of(job: Job, parents: list[dict[str, Any]]) -> tuple[trees.Commit, str]:
    """The commit that the agent starts from: the phase's base, with the commits of the agents that it needs."""
    phase_base = files.read_json(job.phase_dir / "base.json")
    base = trees.Commit(phase_base["commit"], phase_base["tree"])
    for parent in parents:
        merged, files_in_conflict = joining.join(job.repo, base, parent, f"base of {job.brief['phase']}_{job.brief['agent']}")
        if merged is None:
            return base, f"the results of {' and '.join(job.brief['needs'])} do not merge: {', '.join(files_in_conflict)}"
        base = merged
    return base, ""


def told(parent: dict[str, Any]) -> dict[str, Any]:
    """What an agent is told about one that it builds on."""
    return {"agent": parent["agent"], "status": parent["status"], "artifacts": [item["path"] for item in parent["artifacts"]]}


def publish(job: Job, attempt: Attempt, base: trees.Commit) -> dict[str, Any]:
    """The outcome of a settled attempt on `base`. Nothing runs."""
    settled, ended = attempt.result or {}, attempt.exit or {}
    result = base
    if settled["tree"] is not None:
        name = settling.attempt_name(job, attempt)
        result = trees.commit_tree(job.repo, settled["tree"], [base.commit], name, ended["ended_at"])
        trees.set_ref(job.repo, f"agents/{job.brief['phase']}/{job.brief['agent']}", result.commit)
    changed = joining.described(job.repo, base.commit, result.commit)
    return outcomes.from_attempt(job.brief, attempt, job.agent_dir, base, result, changed)
