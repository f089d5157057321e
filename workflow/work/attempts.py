"""Attempts: a program run in a tree of its own, as often as the retry policy allows, each on record before it starts.

Which program is tried next, and whether at all, follows from the journal alone (`next_runner`), so that it does not matter which
process asks.
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workflow import files
from workflow.errors import StorageError
from workflow.work import journal, launching, leaks, retries, sandbox, settling, slots, spending, trees
from workflow.work.jobs import Job, start_of
from workflow.work.journal import Attempt
from workflow.work.runners import Runner, from_brief


class OverBudget(Exception):
    """A budget is used up, so that nothing new starts. Its text says which."""


def make(job: Job, base: trees.Commit, key: str, parents: list[dict[str, Any]]) -> Attempt:
    """Make attempts until one is final: it succeeded, failed for good, or retries and other runners are used up.

    OverBudget where no further attempt may start.
    """
    while True:
        before = journal.sequence(job.agent_dir, key)
        name = next_runner(before, names_of(job), job.policy.retry)
        if name is None:
            journal.conclude(before[-1])
            return before[-1]
        if before and (before[-1].exit or {}).get("disk_full") and files.disk_is_full(job.run_dir):
            raise StorageError(f"{job.run_dir}: {os.strerror(errno.ENOSPC)}; free some, then run the same command again")
        _wait(job, before, name)
        ready = _get_ready(job, base, key, parents, runner_of(job, name))
        try:
            slots.take(job.agent_dir / "outcome.json")
            job.require_open()  # a gate may have been closed while it waited
            _require_budget(job)
        except Exception:
            trees.remove(journal.upcoming(job.agent_dir).folder)
            raise
        settling.settle(job, _carry_out(job, ready), base, fresh=True)


def is_final(job: Job, attempt: Attempt, key: str) -> bool:
    """Whether no attempt follows this one in its sequence."""
    return attempt.concluded or next_runner(journal.sequence(job.agent_dir, key), names_of(job), job.policy.retry) is None


def names_of(job: Job) -> list[str]:
    """The runners of an agent, in the order in which they take each other's place."""
    return [job.brief["runner"]["name"], *(entry["name"] for entry in job.brief["fallbacks"])]


def runner_of(job: Job, name: str) -> Runner:
    """A runner of an agent by its name."""
    return from_brief(next(entry for entry in (job.brief["runner"], *job.brief["fallbacks"]) if entry["name"] == name))


def next_runner(sequence: Sequence[Attempt], names: Sequence[str], policy: Any) -> str | None:
    """The runner of the next attempt after those that were made for the same work; None where the last one is final.

    The same runner again while the policy allows, or after a failure on a full disk; then the next one, where this one is missing or
    out of quota.
    """
    if not sequence:
        return names[0]
    last = sequence[-1]
    name, found = last.begin.get("runner", names[0]), last.result or {}
    made = sum(attempt.begin.get("runner", name) == name for attempt in sequence)
    started = (last.exit or {}).get("started", True)
    if (last.exit or {}).get("disk_full") and sum(bool((attempt.exit or {}).get("disk_full")) for attempt in sequence) == 1:
        return name  # that says nothing about the work; once, since the agent itself may have filled the disk
    if started and made <= int(policy.get("retries", 0)) and retries.retryable(found, last.exit or {}, last.log, policy):
        return name
    if not started or found.get("status") == "parked":
        later = names[names.index(name) + 1 :] if name in names else []
        return later[0] if later else None
    return None


def _wait(job: Job, before: Sequence[Attempt], name: str) -> None:
    """Back off before a repetition; other agents may work meanwhile."""
    if not before:
        return
    last = before[-1]
    if last.begin.get("runner", name) != name:
        job.say(f"attempt {last.number} ended without a result ({last.begin.get('runner')}); {name} takes over")
        return
    pause = retries.delay(len(before) - 1, job.policy.retry)
    job.say(f"attempt {last.number} {settling.in_words(last)}; the next one in {pause:.1f} s")
    slots.give_back()
    time.sleep(pause)


def _require_budget(job: Job) -> None:
    """OverBudget where a budget is used up."""
    limits = job.limits()
    spent = spending.reached(limits, spending.all_of(job.run_dir)) if limits else ""
    if spent:
        raise OverBudget(spent)


@dataclass(frozen=True)
class _Ready:
    """The upcoming attempt of which tree, prompt and brief are there. `record` is what will be noted when it begins."""

    record: dict[str, Any]
    start: launching.Start


def _get_ready(job: Job, base: trees.Commit, key: str, parents: list[dict[str, Any]], runner: Runner) -> _Ready:
    """Make what an attempt starts from; a slot is not needed for that, and nothing is on record yet."""
    from workflow.work import prompts  # Jinja2 is needed only where something really runs

    asked = job.policy.versions.get(runner.name)
    prompt = prompts.render(job.brief, job.repo, base.commit, job.run_dir, parents, job.policy.prompts)
    protection = sandbox.choose(job.policy.sandbox)
    record = {
        "key": key,
        "base": {"commit": base.commit, "tree": base.tree},
        "invocation": job.policy.force,
        "runner": runner.name,
        "version": launching.version(list(asked)) if asked else runner.version,
        "model": runner.model,
        "prompt_sha256": files.sha256_bytes(prompt.encode("utf-8", "backslashreplace")),
        "sandbox": protection,
    }
    for earlier in journal.attempts(job.agent_dir):
        if earlier.exit is None:
            trees.remove(earlier.work)  # it was interrupted, and nothing of it will be used
            leaks.redact_file(earlier.log, job.secrets())
    attempt = journal.upcoming(job.agent_dir)
    trees.remove(attempt.folder)
    trees.check_out(job.repo, start_of(job, base).commit, attempt.work.absolute() / "tree")
    files.write_text(attempt.folder / "prompt.md", prompt)
    files.write_json(attempt.folder / "brief.json", job.brief)
    return _Ready(record, launching.prepare(job, attempt, runner, prompt, protection))


def _carry_out(job: Job, ready: _Ready) -> Attempt:
    """Begin the attempt, and run its program to the end. Afterwards exit.json is there."""
    attempt = journal.begin(job.agent_dir, ready.record)
    if job.policy.force and not job.brief.get("conflict"):  # that is the merge's job
        (job.agent_dir / "published").unlink(missing_ok=True)
    job.say(f"works (attempt {attempt.number}, {ready.record['runner']})")
    with journal.alive(attempt):
        failure = launching.launch(job, attempt, ready.start)
    if not (job.brief.get("task") or {}).get("accept"):  # commands that are still to run, and fill a slot
        slots.give_back()
    if failure:
        code, why = failure
        journal.ended(attempt, {"exit_code": code, "stopped": "", "duration_s": 0.0, "error": why, "started": False})
    return attempt
