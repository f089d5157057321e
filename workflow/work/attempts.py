"""Attempts: a program run in a tree of its own, as often as the retry policy allows, each on record before it starts."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import Any

from workflow import files
from workflow.work import journal, processes, retries, sandbox, settling, slots, trees
from workflow.work.jobs import Job, start_of
from workflow.work.journal import Attempt
from workflow.work.runners import Runner, from_brief

ARGUMENT_LIMIT = 120_000
CANNOT_START = 127
UNFIT = (errno.ENOENT, errno.EACCES, errno.ENOEXEC, errno.E2BIG, errno.ELIBBAD)  # the program's fault, not the machine's


def make(job: Job, base: trees.Commit, key: str, parents: list[dict[str, Any]]) -> Attempt:
    """Make attempts until one is final: it succeeded, failed for good, or the retries are used up."""
    policy = job.policy.retry
    made = len(journal.sequence(job.agent_dir, key))
    for count in range(made, int(policy.get("retries", 0)) + 1 + made):
        attempt = _attempt(job, base, key, parents)
        settling.settle(job, attempt, base, fresh=True)
        if not has_tries_left(job, attempt, key):
            journal.conclude(attempt)
            break
        pause = retries.delay(count, policy)
        job.say(f"attempt {attempt.number} failed; the next one in {pause:.1f} s")
        slots.pause(pause)
    return attempt


def has_tries_left(job: Job, attempt: Attempt, key: str) -> bool:
    """Whether the sequence that this attempt belongs to goes on: it failed, may be repeated, and was not concluded."""
    made = len(journal.sequence(job.agent_dir, key))
    status = (attempt.result or {}).get("status", "")
    worth = retries.retryable(status, attempt.exit or {}, attempt.log, job.policy.retry)
    return worth and made <= int(job.policy.retry.get("retries", 0)) and not attempt.concluded


def _attempt(job: Job, base: trees.Commit, key: str, parents: list[dict[str, Any]]) -> Attempt:
    """Run the program once, in a tree of its own. Afterwards exit.json is there."""
    from workflow.work import prompts  # Jinja2 is needed only where something really runs

    runner = from_brief(job.brief["runner"])
    prompt = prompts.render(job.brief, job.repo, base.commit, job.run_dir, parents)
    protection = sandbox.choose(job.policy.sandbox)
    record = {
        "key": key,
        "base": {"commit": base.commit, "tree": base.tree},
        "invocation": job.policy.force,
        "prompt_sha256": files.sha256_bytes(prompt.encode("utf-8", "backslashreplace")),
        "sandbox": protection,
    }
    for earlier in journal.attempts(job.agent_dir):
        if earlier.exit is None:
            trees.remove(earlier.work)  # it was interrupted, and nothing of it will be used
    attempt = journal.begin(job.agent_dir, record)
    job.say(f"works (attempt {attempt.number}, {runner.name})")
    files.write_text(attempt.folder / "prompt.md", prompt)
    files.write_json(attempt.folder / "brief.json", job.brief)
    trees.check_out(job.repo, start_of(job, base).commit, attempt.work.absolute() / "tree")
    error = _start(job, attempt, runner, prompt, protection)
    if error:
        journal.ended(attempt, {"exit_code": error[0], "stopped": "", "duration_s": 0.0, "error": error[1], "started": False})
    return attempt


def _start(job: Job, attempt: Attempt, runner: Runner, prompt: str, protection: str) -> tuple[int | None, str] | None:
    """Run the program to its end, which is journalled; exit code and reason where it cannot be started."""
    room = sandbox.Room.inside(attempt.work)
    prompt_file, brief_file = attempt.folder.absolute() / "prompt.md", attempt.folder.absolute() / "brief.json"
    variables = {"PHASEGATE_PROMPT": str(prompt_file), "PHASEGATE_BRIEF": str(brief_file)}
    env = sandbox.environment(room, runner.env, variables)
    reads = [*runner.reads, prompt_file, brief_file, job.repo.absolute() / "objects"]  # git in the tree borrows them
    if job.brief["environment"] == "python":
        from workflow.work import environments

        made = environments.prepare(room.tree, job.policy.environments, attempt.log)
        if made.error:
            return None, made.error
        env |= made.variables(env)
        reads.append(made.folder)
    argv = runner.argv(prompt, prompt_file, brief_file)
    if runner.prompt == "argument" and len(prompt.encode("utf-8", "replace")) > ARGUMENT_LIMIT:
        way = "use `prompt: stdin` or `prompt: file`"
        return CANNOT_START, f"the prompt is longer than {ARGUMENT_LIMIT} bytes, which one argument can hold; {way}"
    if shutil.which(argv[0], path=env["PATH"]) is None:
        return CANNOT_START, f"cannot start {argv[0]}: there is no such program"
    command = sandbox.wrap(protection, argv, room, Path.cwd(), reads, env["PATH"])
    stdin = prompt_file if runner.prompt == "stdin" else None
    return _run(job, attempt, command, env, stdin)


def _run(job: Job, attempt: Attempt, command: list[str], env: dict[str, str], stdin: Path | None) -> tuple[int, str] | None:
    def note(ended: processes.Ended) -> None:
        record = {"exit_code": ended.exit_code, "stopped": ended.stopped, "duration_s": ended.duration_s}
        journal.ended(attempt, record)

    tree = attempt.work.absolute() / "tree"
    try:
        ended = processes.run(command, tree, env, attempt.log, job.policy.timeout_s, stdin, note)
    except OSError as error:
        if error.errno not in UNFIT:
            raise
        return CANNOT_START, f"cannot start {command[0]}: {error.strerror}"
    if ended.killed:
        journal.also(attempt, {"killed": list(ended.killed)})
    return None
