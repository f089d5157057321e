"""One agent's job: from its brief and base tree to one commit and one outcome.

The order of events is what makes a run survive: journal before the program starts, journal at once when it has
ended, tree into the repository, result, outcome. A finished attempt with the same key (brief + base tree) is
published again and nothing runs, whether it had succeeded or failed.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import GitError, RunError
from workflow.work import inspection, joining, journal, leaks, naming, outcomes, processes, replies, retries, sandbox, trees
from workflow.work.journal import Attempt
from workflow.work.redaction import Values, declared
from workflow.work.runners import Runner, from_brief

ARGUMENT_LIMIT = 120_000


@dataclass(frozen=True)
class Policy:
    """How an attempt is carried out. Nothing of it changes what the agent is told, so it is not part of the key."""

    timeout_s: float = 1800
    retry: Mapping[str, Any] = field(default_factory=dict)
    sandbox: str = "auto"
    environments: str | None = None
    force: str = ""
    tree: Mapping[str, Any] = field(default_factory=dict)
    public: Sequence[str] = ()


@dataclass(frozen=True)
class Job:
    """One agent's job: where its files are and what it was told."""

    run_dir: Path
    brief: dict[str, Any]
    policy: Policy

    @property
    def phase_dir(self) -> Path:
        """The folder of the phase."""
        return self.run_dir / self.brief["phase"]

    @property
    def agent_dir(self) -> Path:
        """The folder of the agent."""
        return self.phase_dir / "agents" / self.brief["agent"]

    @property
    def repo(self) -> Path:
        """The run's repository."""
        return self.run_dir / "project.git"

    def secrets(self) -> Values:
        """The values of the variables that the agent's program was given, which must not be seen."""
        return Values(declared(self.brief["runner"].get("env", ()), self.policy.public))

    def say(self, text: str) -> None:
        """A line of progress on standard output."""
        print(f"{time.strftime('%H:%M:%S')} {self.brief['phase']} {self.brief['agent']}: {text}\n", end="", flush=True)

    def parents(self) -> list[dict[str, Any]]:
        """The outcomes of the agents that this one needs."""
        return [files.read_json(self.phase_dir / "agents" / name / "outcome.json") for name in self.brief["needs"]]


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
    files.write_text(job.agent_dir / "changes.patch", leaks.redact_text(diff, job.secrets()))
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
    if attempt is not None and _settle(job, attempt, base) and not _has_tries_left(job, attempt, key):
        journal.conclude(attempt)
        job.say(f"{(attempt.result or {})['status'].replace('_', ' ')} before (attempt {attempt.number}); nothing runs again")
    else:
        attempt = _try(job, base, key, parents)
        job.say(f"{(attempt.result or {})['status'].replace('_', ' ')} ({(attempt.exit or {})['duration_s']:.1f} s)")
    return publish(job, attempt, base)


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


def _try(job: Job, base: trees.Commit, key: str, parents: list[dict[str, Any]]) -> Attempt:
    """Make attempts until one is final: it succeeded, failed for good, or the retries are used up."""
    policy = job.policy.retry
    made = len(journal.sequence(job.agent_dir, key))
    for count in range(made, int(policy.get("retries", 0)) + 1 + made):
        attempt = _attempt(job, base, key, parents)
        _settle(job, attempt, base, fresh=True)
        if not _has_tries_left(job, attempt, key):
            journal.conclude(attempt)
            break
        pause = retries.delay(count, policy)
        job.say(f"attempt {attempt.number} failed; the next one in {pause:.1f} s")
        time.sleep(pause)
    return attempt


def _has_tries_left(job: Job, attempt: Attempt, key: str) -> bool:
    """Whether the sequence that this attempt belongs to goes on: it failed, may be repeated, and was not concluded."""
    made = len(journal.sequence(job.agent_dir, key))
    return made <= int(job.policy.retry.get("retries", 0)) and not attempt.concluded and retries.retryable(attempt, job.policy.retry)


def _attempt(job: Job, base: trees.Commit, key: str, parents: list[dict[str, Any]]) -> Attempt:
    """Run the program once, in a tree of its own. Afterwards exit.json is there."""
    from workflow.work import prompts  # Jinja2 is needed only where something really runs

    runner = from_brief(job.brief["runner"])
    prompt = prompts.render(job.brief, job.repo, base.commit, job.run_dir, [told(parent) for parent in parents])
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
            leaks.redact_file(earlier.log, job.secrets())
    attempt = journal.begin(job.agent_dir, record)
    job.say(f"works (attempt {attempt.number}, {runner.name})")
    files.write_text(attempt.folder / "prompt.md", prompt)
    files.write_json(attempt.folder / "brief.json", job.brief)
    trees.check_out(job.repo, start_of(job, base).commit, attempt.work.absolute() / "tree")
    ended = _start(job, attempt, runner, prompt, protection)
    journal.ended(attempt, ended)
    return attempt


def start_of(job: Job, base: trees.Commit) -> trees.Commit:
    """The commit whose files the agent finds: its base; after feedback with its own reviewed result on top of it.

    Where that result no longer merges with a base that has moved, the agent starts from the base alone.
    """
    previous = (job.brief["rework"] or {}).get("previous")
    if not previous or not trees.exists(job.repo, previous["result"]["commit"]):
        return base
    if previous["base"]["tree"] == base.tree:
        tree = previous["result"]["tree"]
    else:
        merged = trees.merge(job.repo, base.commit, previous["result"]["commit"], previous["base"]["commit"])
        if merged.tree is None:
            return base
        tree = merged.tree
    return trees.commit_tree(job.repo, tree, [base.commit], "the version that was reviewed", joining.MERGE_DATE)


def told(parent: dict[str, Any]) -> dict[str, Any]:
    """What an agent is told about one that it builds on."""
    return {"agent": parent["agent"], "status": parent["status"], "artifacts": [item["path"] for item in parent["artifacts"]]}


def _start(job: Job, attempt: Attempt, runner: Runner, prompt: str, protection: str) -> dict[str, Any]:
    room = sandbox.Room.inside(attempt.work)
    prompt_file, brief_file = attempt.folder.absolute() / "prompt.md", attempt.folder.absolute() / "brief.json"
    variables = {"PHASEGATE_PROMPT": str(prompt_file), "PHASEGATE_BRIEF": str(brief_file)}
    env = sandbox.environment(room, runner.env, variables)
    reads = [*runner.reads, prompt_file, brief_file, job.repo.absolute() / "objects"]  # git in the tree borrows them
    if job.brief["environment"] == "python":
        from workflow.work import environments

        made = environments.prepare(room.tree, job.policy.environments, attempt.log)
        if made.error:
            return {"exit_code": None, "timed_out": False, "duration_s": 0.0, "killed": 0, "error": made.error}
        env |= made.variables(env)
        reads.append(made.folder)
    argv = runner.argv(prompt, prompt_file, brief_file)
    command = sandbox.wrap(protection, argv, room, Path.cwd(), reads, env["PATH"])
    stdin = prompt_file if runner.prompt == "stdin" else None
    if runner.prompt == "argument" and len(prompt.encode("utf-8", "replace")) > ARGUMENT_LIMIT:
        error = f"the prompt is longer than {ARGUMENT_LIMIT} bytes, which one argument can hold; use `prompt: stdin` or `prompt: file`"
        return {"exit_code": 127, "timed_out": False, "duration_s": 0.0, "killed": 0, "error": error}
    try:
        _require_program(argv[0], env["PATH"])
        ended = processes.run(command, room.tree, env, attempt.log, job.policy.timeout_s, stdin)
    except (OSError, RunError) as error:
        return {"exit_code": 127, "timed_out": False, "duration_s": 0.0, "killed": 0, "error": f"cannot start {argv[0]}: {error}"}
    return {"exit_code": ended.exit_code, "timed_out": ended.timed_out, "duration_s": ended.duration_s, "killed": ended.killed}


def _require_program(program: str, path: str) -> None:
    import shutil

    if shutil.which(program, path=path) is None:
        raise RunError("there is no such program")


def _settle(job: Job, attempt: Attempt, base: trees.Commit, fresh: bool = False) -> bool:
    """Make sure that an ended attempt has its result; False where its tree is lost and it must run again.

    Of a `fresh` attempt, which has just run, a lost tree is the agent's own doing: it has failed.
    """
    result = attempt.result
    if result is not None:
        return result["tree"] is None or trees.exists(job.repo, result["commit"])
    leaks.redact_file(attempt.log, job.secrets())
    tree = attempt.work.absolute() / "tree"
    if not tree.is_dir() or tree.is_symlink():
        if fresh:
            gone: dict[str, Any] = {"tree": None, "commit": None, "runner_version": None, "status": "failed", "feedback": []}
            journal.settled(attempt, gone | {"errors": ["the agent removed its own tree"]})
        return fresh
    ended = attempt.exit or {}
    status, errors = judge(ended, job.policy.timeout_s)
    record: dict[str, Any] = {"tree": None, "commit": None, "runner_version": from_brief(job.brief["runner"]).version}
    asked, own = job.brief["feedback"], None
    if asked and replies.NAME in trees.files(job.repo, start_of(job, base).commit):
        own = next(trees.read_objects(job.repo, [f"{start_of(job, base).tree}:{replies.NAME}"]))
    answers = replies.take(tree, attempt.folder, asked, own)
    try:
        taken = inspection.take(job.repo, base.commit, tree, job.policy.tree)
        record |= {"findings": naming.rows(taken.findings), "findings_count": len(taken.findings)}
        if taken.tree is None:
            status, errors = "failed", [*errors, taken.refused]
        elif status == outcomes.SUCCEEDED and taken.tree == base.tree and not job.brief["allow_no_changes"]:
            status, errors = "no_changes", ["the program exited 0 but changed no file"]
        else:
            name = f"{job.brief['phase']}: {job.brief['agent']} (attempt {attempt.number})"
            commit = trees.commit_tree(job.repo, taken.tree, [base.commit], name, ended["ended_at"])
            trees.set_ref(job.repo, f"attempts/{job.brief['phase']}/{job.brief['agent']}/{attempt.folder.name}", commit.commit)
            record |= {"tree": commit.tree, "commit": commit.commit}
    except GitError as error:
        status, errors = "failed", [*errors, f"the agent's tree cannot be read: {error}"]
    journal.settled(attempt, record | {"status": status, "errors": errors, "feedback": answers})
    trees.remove(attempt.work)
    return True


def judge(ended: Mapping[str, Any], timeout_s: float) -> tuple[str, list[str]]:
    """Status and errors that the program's end alone stands for."""
    if ended.get("error"):
        return "failed", [str(ended["error"])]
    if ended["timed_out"]:
        return "timed_out", [f"stopped after {timeout_s:g} s (exit code {processes.TIMED_OUT}); {ended['killed']} processes were killed"]
    if ended["exit_code"] != 0:
        return "failed", [f"the program ended with exit code {ended['exit_code']}"]
    return outcomes.SUCCEEDED, []


def publish(job: Job, attempt: Attempt, base: trees.Commit) -> dict[str, Any]:
    """The outcome of a settled attempt on `base`. Nothing runs."""
    settled, ended = attempt.result or {}, attempt.exit or {}
    result = base
    if settled["tree"] is not None:
        name = f"{job.brief['phase']}: {job.brief['agent']} (attempt {attempt.number})"
        result = trees.commit_tree(job.repo, settled["tree"], [base.commit], name, ended["ended_at"])
        trees.set_ref(job.repo, f"agents/{job.brief['phase']}/{job.brief['agent']}", result.commit)
    changed = joining.described(job.repo, base.commit, result.commit)
    return outcomes.from_attempt(job.brief, attempt, job.agent_dir, base, result, changed)
