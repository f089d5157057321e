"""Settling: what came of a program that has ended, read from its tree and kept in the repository and the journal.

It can be repeated: until result.json is there, the tree is still in its place. Where disk or memory are at fault nothing is
settled (the error is raised), so that the same command takes the work up once the cause is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files, globs
from workflow.errors import GitError
from workflow.markup import plain
from workflow.work import graders, inspection, journal, keeper, leaks, listening, naming, outcomes, replies, retries, trees
from workflow.work.jobs import Job, start_of
from workflow.work.journal import Attempt
from workflow.work.runners import from_brief

SETUP = "setup.json"
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
    said = _said(job, attempt)
    found = NOTHING | {"killed": ended.get("killed", []), **said}
    if tree.is_dir() and not tree.is_symlink():
        found |= _read_tree(job, attempt, base, tree, said)
    elif fresh:
        found |= {"status": "failed", "errors": ["the agent removed its own tree"]}
    else:
        return False
    journal.settled(attempt, found | {"retryable": retries.retryable(found, ended, attempt.log, job.policy.retry)})
    trees.remove(attempt.work)
    return True


def _said(job: Job, attempt: Attempt) -> dict[str, Any]:
    """What the program's own events say: usage, problem, whether it ended well (`said`), which budget stopped it."""
    names = {entry["name"]: entry for entry in (job.brief["runner"], *job.brief["fallbacks"])}
    runner = from_brief(names[attempt.begin.get("runner", job.brief["runner"]["name"])])
    if runner.usage == "none" and not (attempt.folder / listening.REPORT).exists():
        return {"said": None, "problem": None, "usage": {}, "over_budget": ""}
    found = listening.report(attempt, runner)
    return found | ({} if runner.usage != "none" else {"said": None, "problem": None})


def _read_tree(job: Job, attempt: Attempt, base: trees.Commit, tree: Path, said: Mapping[str, Any]) -> dict[str, Any]:
    """Status, errors, commit and answers of an attempt whose tree is there."""
    ended = attempt.exit or {}
    status, errors = judge(ended, job.policy.timeout_s, said)
    answers: dict[str, Any] = {"feedback": _answers(job, attempt, base, tree)}
    try:
        taken = inspection.take(job.repo, base.commit, tree, job.policy.tree)
    except GitError as error:
        return answers | {"status": "failed", "errors": [*errors, f"the agent's tree cannot be read: {error}"]}
    answers |= {"findings": naming.rows(taken.findings), "findings_count": len(taken.findings)}
    if taken.tree is None:
        return answers | {"status": "failed", "errors": [*errors, taken.refused]}
    own = _without_setup(job, attempt, base, taken.tree)
    if status == outcomes.SUCCEEDED and own == base.tree and not job.brief["allow_no_changes"]:
        return answers | {"status": "no_changes", "errors": ["the program exited 0 but changed no file"]}
    forbidden = graders.violations(job.brief, (change.path for change in trees.changes(job.repo, base.commit, own)))
    if forbidden:
        status, errors = "failed", [*errors, *forbidden]
    missing = _not_produced(job, base, own) if status == outcomes.SUCCEEDED else []
    if missing:
        status, errors = "failed", [f"the program exited 0 but made nothing that matches {', '.join(missing)}"]
    commit = trees.commit_tree(job.repo, own, [base.commit], attempt_name(job, attempt), ended["ended_at"])
    trees.set_ref(job.repo, f"attempts/{job.brief['phase']}/{job.brief['agent']}/{attempt.folder.name}", commit.commit)
    return answers | {"status": status, "errors": errors, "tree": commit.tree, "commit": commit.commit}


def _not_produced(job: Job, base: trees.Commit, tree: str) -> list[str]:
    """The patterns of `produces` that no file matches which this attempt created or changed."""
    wanted = job.brief["produces"]
    if not wanted:
        return []
    made = [change.path for change in trees.changes(job.repo, base.commit, tree) if change.kind != "D" and change.size > 0]
    return [pattern for pattern in wanted if not any(globs.matches(path, pattern) for path in made)]


def _answers(job: Job, attempt: Attempt, base: trees.Commit, tree: Path) -> list[dict[str, str]]:
    """What the agent answered to feedback."""
    asked, own = job.brief["feedback"], None
    if asked and replies.NAME in trees.files(job.repo, start_of(job, base).commit):
        own = next(trees.read_objects(job.repo, [f"{start_of(job, base).tree}:{replies.NAME}"]))
    return replies.take(tree, attempt.folder, asked, own)


def attempt_name(job: Job, attempt: Attempt) -> str:
    """Message of the commit that holds an attempt's result."""
    return f"{job.brief['phase']}: {job.brief['agent']} (attempt {attempt.number})"


def judge(ended: Mapping[str, Any], timeout_s: float, said: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Status and errors that the program's end and its own events stand for; `said` is a report (see `listening`)."""
    if ended.get("error"):
        return "failed", [str(ended["error"])]
    if ended["stopped"] == keeper.TIMEOUT:
        killed = ended.get("killed", [])
        what = f"; killed with it: {', '.join(killed)}" if killed else ""
        return "timed_out", [f"stopped after {timeout_s:g} s (exit code {ended['exit_code']}){what}"]
    if ended["stopped"] == keeper.SPENT:
        return "over_budget", [f"stopped: {said.get('over_budget') or 'a budget is spent'}"]
    problem = said.get("problem")
    if problem and said["said"] != "ok":
        parked = problem["kind"] in ("quota", "rate_limit")
        return "parked" if parked else "failed", [problem["message"]]
    if ended["exit_code"] != 0:
        return "failed", [f"the program ended with exit code {ended['exit_code']}"]
    if said.get("said") not in (None, "ok"):
        return "failed", ["the program exited 0, but its events do not say that its work ended well"]
    return outcomes.SUCCEEDED, []


def in_words(attempt: Attempt) -> str:
    """How an attempt ended, for the terminal."""
    settled, ended = attempt.result or {}, attempt.exit or {}
    why = f": {plain(settled['errors'][0])}" if settled.get("errors") else ""
    return f"{settled.get('status', 'ended').replace('_', ' ')} ({ended.get('duration_s', 0):.1f} s){why}"


def _without_setup(job: Job, attempt: Attempt, base: trees.Commit, tree: str) -> str:
    """The tree without what the set-up made in it and the agent left as it was."""
    prepared = files.try_read_json(attempt.folder / SETUP) or {}
    if not prepared:
        return tree
    now = {change.path: change.blob for change in trees.changes(job.repo, base.commit, tree)}
    return trees.put_back(job.repo, tree, base.tree, [path for path, blob in prepared.items() if now.get(path) == blob])


def note_setup(job: Job, attempt: Attempt, tree: Path) -> None:
    """Keep which files the set-up has made or changed, so that they are not taken for the agent's work."""
    base = (attempt.begin.get("base") or {})["commit"]
    prepared = trees.snapshot(job.repo, base, tree)
    changed = trees.changes(job.repo, base, prepared)
    files.write_json(attempt.folder / SETUP, {change.path: change.blob for change in changed})
