"""Commands that look or decide: each is settled while the Snakefile is parsed and ends the call with its exit code.

They build no DAG, so they answer in the time that Snakemake needs to start, and need no lock: they may run while a
run is going on. `rollback` and `restore` move files of the run, so they become its writer first.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from workflow.call import ending, handover
from workflow.call.model import Call
from workflow.errors import UsageError
from workflow.gate import decisions, people, rollback, taskgates, verdict
from workflow.markup import plain
from workflow.plan.commandline import PARAMETERS
from workflow.plan.policies import Signed
from workflow.view import changes, doctor, logs, overview, proofs, records, runs, state, summary, tables
from workflow.work.redaction import Values, declared


@dataclass(frozen=True)
class Act:
    """One command: what it does (returning the exit code), the parameters it reads, whether it writes the run.

    What `decides` is left alone by a dry run.
    """

    perform: Callable[[Call], int]
    reads: tuple[str, ...]
    writes: bool = False
    decides: bool = False


def chosen(targets: list[str]) -> str | None:
    """The command among the targets. UsageError where it stands beside other targets."""
    named = [target for target in targets if target in ACTS]
    if named and len(targets) > 1:
        raise UsageError(f"`{named[0]}` stands alone: type it without {', '.join(other for other in targets if other != named[0])}")
    return named[0] if named else None


def check_parameters(call: Call) -> None:
    """UsageError for a parameter that nothing in this call reads."""
    names = call.line.targets or ["all"]
    readers = {name: ACTS[name].reads if name in ACTS else (*WORKING.get(name, ()), "confirm") for name in names}
    read = {parameter for parameters in readers.values() for parameter in parameters}
    for name in call.line.raw:
        if name in PARAMETERS and name not in read:
            known = ", ".join(sorted(read)) or "none"
            raise UsageError(f"--config {name}=...: `{' '.join(names)}` does not read `{name}`; it reads: {known}")


def status(call: Call) -> int:
    """Say where the run stands, phase by phase."""
    _require_run(call)
    record = records.read(call.state(), call.seen())
    overview.show(overview.as_json(record, call.command), _format(call))
    return 0


def list_runs(call: Call) -> int:
    """List all runs of this working directory."""
    runs.show(call.run_dir.parent, call.run, _format(call), call.settings["gate"]["allowed_signers"])
    return 0


def metrics(call: Call) -> int:
    """Measure the run anew and show it."""
    _require_run(call)
    from workflow.view import measuring  # pandas takes half a second
    from workflow.view.metrics import TABLES, write

    table, form = call.line.choice("table", list(TABLES), "agents"), call.line.choice("format", ["table", "json", "csv"], "table")
    moment = ending.moment_of(call)
    keep = None if call.line.dry_run else lambda record, found: write(record.run_dir, found, moment)
    measuring.show(lambda: records.read(call.state(), call.seen()), keep, form, table)
    return 0


def bundles(call: Call) -> int:
    """List the bundles."""
    _require_run(call)
    tables.show_bundles(call.run_dir, call.line.raw.get("phase"), _format(call))
    return 0


def verify(call: Call) -> int:
    """Recompute what every phase claims; 1 where anything does not verify."""
    _require_run(call)
    after = {name: list(phase.after) for name, phase in call.plan.phases.items()}
    verdicts = {name: call.judge(name) for name in call.plan.phases}
    return proofs.show(call.run_dir, after, verdicts, _format(call))


def diff(call: Call) -> int:
    """Show the change of a phase."""
    _require_run(call)
    phase = _phase(call, call.state().held(*verdict.HOLDING, verdict.OPEN)[-1:])
    against = call.line.choice("against", ["base", "reviewed"], "base")
    return changes.show(call.run_dir, phase, against, Values(declared(call.declared())))


def log(call: Call) -> int:
    """Show the log of an agent's newest attempt, and follow it while it works."""
    _require_run(call)
    agents = {agent.rule: agent for agent in call.seen().agents()}
    agent = agents[call.line.choice("agent", list(agents))]
    secret = Values(declared(call.declared()))
    return logs.show(call.run_dir / agent.phase / "agents" / agent.name, call.line.flag("follow"), secret)


def publish(call: Call) -> int:
    """Push what was approved, or write it as patches."""
    _require_run(call)
    return handover.publish(call)


def approve(call: Call) -> int:
    """Approve what the request of a phase shows."""
    _require_run(call)
    phase = _phase(call, call.state().held(*verdict.HOLDING))
    if call.plan.phases[phase].gate == "none" and not call.line.text("waive"):
        raise UsageError(f"{phase} has no gate; it is open when nothing is wrong")
    if "tasks" in call.line.raw:
        return _approve_tasks(call, phase)
    policy = call.policy_of(phase)
    if policy == "marker" and call.line.text("waive"):
        raise UsageError("gate.policy is `marker`: only a marker's time counts, so nothing can be waived; set it to `digest`")
    signed = isinstance(policy, Signed)
    by = " ".join(call.line.text("by").split()) if signed else people.name(call.line.text("by"))
    words = (by, call.line.text("note"), call.line.text("waive"), call.line.amount("budget_usd"))
    given = decisions.approve(call.run_dir, phase, list(call.plan.phases[phase].after), *words, policy, _key(call))
    trust = "signed" if signed else "recorded"
    print(f"approved: {phase} of {call.run}, digest {given.digest[:12]}, by {given.by} (trust: {trust})")
    found = call.judge(phase)
    if signed and not found.is_open:
        print(f"not yet:  {plain('; '.join(found.reasons))}")
    if given.budget_usd is not None:
        print(f"budget:   what follows may cost {given.budget_usd:g} USD")
    for item, reason in given.waivers:
        print(f"waived:   {item}: {reason}")
    print(f"go on:    {call.command.go_on()}")
    return 0


def _approve_tasks(call: Call, phase: str) -> int:
    """Approve tasks that wait at gates of their own: those that are named, or all that nothing blocks."""
    policy = call.policy_of(phase)
    by = " ".join(call.line.text("by").split()) if isinstance(policy, Signed) else people.name(call.line.text("by"))
    words = (by, call.line.text("note"), call.line.text("waive"), None)
    for name in _tasks(call, phase):
        given = decisions.approve(call.run_dir, taskgates.place(phase, name), [], *words, policy, _key(call))
        print(f"approved: task {name.split('/')[-1]} of {phase}, digest {given.digest[:12]}, by {given.by}")
    print(f"go on:    {call.command.go_on()}")
    return 0


def _tasks(call: Call, phase: str) -> list[str]:
    """The tasks that `tasks=` names, by their names among the agents; UsageError for one that is not shown."""
    held = call.state().phases[phase].tasks
    if not held:
        raise UsageError(f"{phase}: no task of it is shown by itself; that is for phases with `gate: each` and agents with `for_each`")
    wanted = [word.strip() for word in call.line.text("tasks").split(",") if word.strip()]
    if wanted == ["all"]:
        found = [name for name, seen in held.items() if seen.state in (verdict.WAITING, verdict.STALE)]
        if not found:
            raise UsageError(f"{phase}: no task waits that nothing blocks; name a task to waive what does")
        return found
    short = {name.split("/")[-1]: name for name in held} | {name: name for name in held}
    unknown = [word for word in wanted if word not in short]
    if unknown or not wanted:
        known = ", ".join(name.split("/")[-1] for name in held)
        raise UsageError(
            f"tasks={call.line.text('tasks')}: {unknown[0] if unknown else 'nothing'} is no task that is shown; known: {known}"
        )
    return [short[word] for word in wanted]


def request_changes(call: Call) -> int:
    """Ask the agents of a phase for changes."""
    _require_run(call)
    phase = _phase(call, call.state().held(*verdict.HOLDING))
    if "tasks" in call.line.raw:
        return _ask_tasks(call, phase)
    known = call.names_in(phase)
    agents = [name.strip() for name in call.line.text("agents").split(",") if name.strip()]
    for name in agents:
        if name not in known:
            raise UsageError(f"--config agents={call.line.text('agents')}: unknown agent `{name}`; known: {', '.join(known)}")
    if not (call.run_dir / phase / "manifest.json").is_file():
        raise UsageError(f"{phase} has made no request yet; run snakemake first")
    words = (call.line.text("note"), agents, call.line.text("by"), call.policy_of(phase), _key(call))
    path = decisions.request_changes(call.run_dir, phase, *words)
    print(f"asked:    {', '.join(agents or [agent.name for agent in call.plan.phases[phase].agents])} of {phase}, in {path}")
    print(f"go on:    {call.command.go_on()}")
    return 0


def _ask_tasks(call: Call, phase: str) -> int:
    """Ask for changes of tasks that are shown by themselves."""
    nobody: list[str] = []
    for name in _tasks(call, phase):
        words = (call.line.text("note"), nobody, call.line.text("by"), call.policy_of(phase), _key(call))
        path = decisions.request_changes(call.run_dir, taskgates.place(phase, name), *words)
        print(f"asked:    task {name.split('/')[-1]} of {phase}, in {path}")
    print(f"go on:    {call.command.go_on()}")
    return 0


def roll_back(call: Call) -> int:
    """Go back to the gate of a phase."""
    _require_run(call)
    to = call.line.choice("to", list(call.plan.phases))
    later = [name for name in call.plan.phases if to in call.plan.upstream(name)]
    apply = call.line.flag("apply", True) and call.writes
    rollback.preview(call.run_dir, to, later, apply)
    if not apply:
        print(f"go back:  {call.command.line('rollback', config=(f'to={to}',))}")
        return 0
    advisory = rollback.apply(call.run_dir, to, later, call.command)
    print(f"advisory: {advisory}")
    print(f"undo:     {call.command.line('restore', config=(f'from={advisory.name}',))}")
    return 0


def restore(call: Call) -> int:
    """Undo a rollback."""
    _require_run(call)
    names = sorted(path.name for path in call.run_dir.glob("ROLLBACK_*.md"))
    if not names:
        raise UsageError(f"{call.run_dir} has no ROLLBACK_*.md: there is nothing to restore")
    advisory = call.line.choice("from", names, names[-1] if len(names) == 1 else None)
    rollback.restore(call.run_dir, call.run_dir / advisory)
    print(f"restored what {advisory} had put away")
    return 0


def examine(call: Call) -> int:
    """Say which runners and which sandbox work here."""
    return doctor.show(call.settings["runners"], call.settings["sandbox"], _format(call))


def report(call: Call) -> int:
    """Write the report of the run, and say where it is."""
    _require_run(call)
    if call.line.dry_run:
        print("report: a dry run writes nothing; leave out -n")
        return 0
    from workflow.call import reporting  # what makes pages and figures takes most of a second to load

    path = reporting.write(call)
    print(f"report:   {call.command.path(path)} ({path.stat().st_size:,} bytes)")
    print(f"open:     {reporting.how_to_open(call, path)}")
    return 0


def _key(call: Call) -> Path | None:
    """The SSH key that signs a decision."""
    return Path(call.line.text("key")) if call.line.text("key") else None


def _require_run(call: Call) -> None:
    if not (call.run_dir / "run.json").is_file():
        raise UsageError(f"there is no run `{call.run}` here yet; start it: {call.command.go_on()}")


def _format(call: Call) -> str:
    return call.line.choice("format", ["table", "json"], "table")


def _phase(call: Call, held: list[state.PhaseState]) -> str:
    """The phase that is meant: the one that is named, else the only one that waits."""
    if "phase" in call.line.raw:
        return call.line.choice("phase", list(call.plan.phases))
    names = [phase.name for phase in held if phase.manifest or phase.held_tasks]
    if len(names) != 1:
        which = f"several phases wait: {', '.join(names)}" if names else "no phase waits"
        raise UsageError(f"{which}; name one with --config phase=...: {', '.join(call.plan.phases)}")
    return names[0]


def perform(call: Call, name: str) -> int:
    """Carry out a command; returns the exit code."""
    if call.line.dry_run and ACTS[name].decides:
        print(f"{name}: a dry run decides nothing; leave out -n")
        return 0
    code = ACTS[name].perform(call)
    if ACTS[name].writes and call.writes:
        now, notes = call.state(), ending.show_project(call)
        summary.status_file(call.run_dir, state.as_json(now, call.command))
        summary.show([*notes, *ending.measure(call, now), *summary.lines(now, call.command)])
    sys.stdout.flush()
    return code


ACTS = {
    "status": Act(status, ("format",)),
    "runs": Act(list_runs, ("format",)),
    "metrics": Act(metrics, ("format", "table")),
    "bundles": Act(bundles, ("phase", "format")),
    "verify": Act(verify, ("format",)),
    "diff": Act(diff, ("phase", "against")),
    "logs": Act(log, ("agent", "follow")),
    "report": Act(report, ()),
    "publish": Act(publish, ("remote", "branch", "phase", "patches"), decides=True),
    "doctor": Act(examine, ("format",)),
    "approve": Act(approve, ("phase", "by", "note", "note_file", "waive", "budget_usd", "tasks", "key"), decides=True),
    "request_changes": Act(request_changes, ("phase", "by", "note", "note_file", "agents", "tasks", "key"), decides=True),
    "rollback": Act(roll_back, ("to", "apply"), writes=True),
    "restore": Act(restore, ("from",), writes=True, decides=True),
}
WORKING = {"quickstart": ("type", "name"), "retry": ("phase", "agent"), "adopt": ("phase", "by")}
