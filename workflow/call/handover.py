"""Handover: what was approved leaves the run, as a branch that is pushed or as patch files, with a page for reviewers.

Nothing leaves that a gate holds back. The source of a run is only read; it is written to where a person names it as the
remote, and then as any other repository: one branch, never forced.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from workflow.call.model import Call
from workflow.errors import UsageError
from workflow.gate import verdict
from workflow.markup import one_line, plain
from workflow.view import state

TITLE = 70


def publish(call: Call) -> int:
    """Push the approved phases as a branch, or write them as patches. UsageError or GitError, one line, where that cannot be."""
    from workflow.gate import pull_requests
    from workflow.work import publishing, remotes

    remote, folder = call.line.text("remote"), call.line.text("patches")
    branch = call.line.text("branch", f"phasegate/{call.run}")
    if not remote and not folder:
        raise UsageError("publish needs remote=URL or remote=PATH (a repository to push to), or patches=FOLDER")
    where = remotes.address(remote) if remote else ""
    remotes.require_branch(branch)
    phases = _approved(call, call.state())
    repo = call.run_dir / "project.git"
    made = publishing.line(call.run_dir, phases, call.intake["goals"]["primary"])
    page = pull_requests.write(call.run_dir, made, phases, call.intake, call.declared(), call.judge)
    if folder:
        written = publishing.write_patches(repo, made, Path(folder).expanduser())
        apply = f"git am {shlex.quote(str(written[0].parent.resolve()))}/*.patch"
        print(f"patches:  {len(written)} in {call.command.path(Path(folder))}; in a clone: {apply}")
    if where:
        word = "pushed:  " if remotes.push(repo, made.tip, where, branch) else "is there:"
        count = f"{len(made.commits)} commit{'' if len(made.commits) == 1 else 's'}"
        print(f"{word} {branch} ({count}, {made.tip[:12]}) in {plain(remotes.redacted(remote))}")
    print(f"body:     {call.command.path(page)}")
    if remotes.github(remote):
        print(f"open:     {_suggestion(call, remote, branch, page)}")
    for text in publishing.notes(repo, made):
        print(f"note:     {text}")
    return 0


def _approved(call: Call, now: state.RunState) -> list[str]:
    """The phases that leave, in order: `phase=` with all before it, else all. UsageError where a gate among them is closed."""
    from workflow.work import remotes

    wanted = call.line.choice("phase", list(call.plan.phases)) if "phase" in call.line.raw else None
    names = [*call.plan.upstream(wanted), wanted] if wanted else list(call.plan.phases)
    closed = [now.phases[name] for name in names if now.phases[name].state != verdict.OPEN]
    if not closed:
        return names
    first = closed[0]
    why = f"{first.name} is not approved ({first.state}: {plain('; '.join(first.reasons))})"
    approved = [name for name in call.plan.phases if now.phases[name].state == verdict.OPEN]
    if not approved:
        raise UsageError(f"nothing is approved yet: {why}; go on: {state.next_command(first, call.run_dir, call.command)}")
    given = [f"{name}={call.line.raw[name]}" for name in ("remote", "branch", "patches") if name in call.line.raw]
    some = remotes.redacted(call.command.line("publish", config=(*given, f"phase={approved[-1]}")))
    raise UsageError(f"{why}; publish what is approved: {some}")


def _suggestion(call: Call, remote: str, branch: str, page: Path) -> str:
    """The command that opens a pull request on GitHub; from a fork, in the repository that the run started from."""
    from workflow.work import remotes

    fork = remotes.github(remote) or ""
    into = remotes.github(call.intake["project"]["source"]) or fork
    head = branch if into == fork else f"{fork.split('/')[0]}:{branch}"
    title = one_line(call.intake["goals"]["primary"])
    title = title if len(title) <= TITLE else f"{title[:TITLE].rsplit(' ', 1)[0]} ..."
    body = call.command.path(page)
    return f"gh pr create --repo {into} --head {shlex.quote(head)} --title {shlex.quote(plain(title))} --body-file {body}"
