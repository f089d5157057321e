"""Settling: what came of a program that has ended, read from its tree and kept in the repository and the journal.

It can be repeated: until result.json is there, the tree is still in its place. Where disk or memory are at fault nothing is
settled (the error is raised), so that the same command takes the work up once the cause is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.errors import GitError
from workflow.work import inspection, journal, keeper, leaks, naming, outcomes, replies, retries, trees
from workflow.work.jobs import Job, start_of
from workflow.work.journal import Attempt
from workflow.work.runners import from_brief

NOTHING: dict[str, Any] = {"tree": None, "commit": None, "feedback": []}


def settle(job: Job, attempt: Attempt, base: trees.Commit, fresh: bool = False) -> bool:
    """Make sure that an ended attempt has its result; False where its tree is lost and it must run again.

    Of a `fresh` attempt, which has just run, a lost tree is the agent's own doing: it has failed.
    """
    if attempt.result is not None:
        trees.remove(attempt.work)  # the supervisor may have been killed before it could
        return attempt.result["tree"] is None or trees.exists(job.repo, attempt.result["commit"])
    leaks.redact_file(attempt.log, job.secrets())
    ended = attempt.exit or {}
    tree = attempt.work.absolute() / "tree"
    found = NOTHING | {"killed": ended.get("killed", []), "runner_version": from_brief(job.brief["runner"]).version}
    if tree.is_dir() and not tree.is_symlink():
        found |= _read_tree(job, attempt, base, tree)
    elif fresh:
        found |= {"status": "failed", "errors": ["the agent removed its own tree"]}
    else:
        return False
    journal.settled(attempt, found | {"retryable": retries.retryable(found["status"], ended, attempt.log, job.policy.retry)})
    trees.remove(attempt.work)
    return True


def _read_tree(job: Job, attempt: Attempt, base: trees.Commit, tree: Path) -> dict[str, Any]:
    """Status, errors, commit and answers of an attempt whose tree is there."""
    ended = attempt.exit or {}
    status, errors = judge(ended, job.policy.timeout_s)
    answers: dict[str, Any] = {"feedback": _answers(job, attempt, base, tree)}
    try:
        taken = inspection.take(job.repo, base.commit, tree, job.policy.tree)
    except GitError as error:
        return answers | {"status": "failed", "errors": [*errors, f"the agent's tree cannot be read: {error}"]}
    answers |= {"findings": naming.rows(taken.findings), "findings_count": len(taken.findings)}
    if taken.tree is None:
        return answers | {"status": "failed", "errors": [*errors, taken.refused]}
    if status == outcomes.SUCCEEDED and taken.tree == base.tree and not job.brief["allow_no_changes"]:
        return answers | {"status": "no_changes", "errors": ["the program exited 0 but changed no file"]}
    commit = trees.commit_tree(job.repo, taken.tree, [base.commit], attempt_name(job, attempt), ended["ended_at"])
    trees.set_ref(job.repo, f"attempts/{job.brief['phase']}/{job.brief['agent']}/{attempt.folder.name}", commit.commit)
    return answers | {"status": status, "errors": errors, "tree": commit.tree, "commit": commit.commit}


def _answers(job: Job, attempt: Attempt, base: trees.Commit, tree: Path) -> list[dict[str, str]]:
    """What the agent answered to feedback."""
    asked, own = job.brief["feedback"], None
    if asked and replies.NAME in trees.files(job.repo, start_of(job, base).commit):
        own = next(trees.read_objects(job.repo, [f"{start_of(job, base).tree}:{replies.NAME}"]))
    return replies.take(tree, attempt.folder, asked, own)


def attempt_name(job: Job, attempt: Attempt) -> str:
    """Message of the commit that holds an attempt's result."""
    return f"{job.brief['phase']}: {job.brief['agent']} (attempt {attempt.number})"


def judge(ended: Mapping[str, Any], timeout_s: float) -> tuple[str, list[str]]:
    """Status and errors that the program's end alone stands for."""
    if ended.get("error"):
        return "failed", [str(ended["error"])]
    if ended["stopped"] == keeper.TIMEOUT:
        killed = ended.get("killed", [])
        what = f"; killed with it: {', '.join(killed)}" if killed else ""
        return "timed_out", [f"stopped after {timeout_s:g} s (exit code {ended['exit_code']}){what}"]
    if ended["exit_code"] != 0:
        return "failed", [f"the program ended with exit code {ended['exit_code']}"]
    return outcomes.SUCCEEDED, []
