"""The state of a run, live from its files: one record per phase, one word for the whole, and the next command."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import approvals, feedback, requests, taskgates, verdict
from workflow.plan.commandline import Command
from workflow.plan.phases import Phase, Plan
from workflow.plan.policies import Policy, Signed

NAMED = 12
PENDING, WORKING = "pending", "running"


@dataclass(frozen=True)
class PhaseState:
    """Where one phase stands. `manifest` is None until its request was made."""

    name: str
    state: str
    reasons: tuple[str, ...]
    digest: str | None
    trust: str
    by: str
    since: str
    waived: tuple[tuple[str, str], ...]
    manifest: Mapping[str, Any] | None
    signers: tuple[Mapping[str, str], ...] = ()
    to_sign: bool = False  # only a signed approval opens its gate

    tasks: Mapping[str, verdict.Verdict] = field(default_factory=dict)  # the verdicts of tasks that have gates of their own

    @property
    def held_tasks(self) -> list[str]:
        """The tasks that wait for a person."""
        return [name for name, found in self.tasks.items() if not found.is_open]

    @property
    def ribbon(self) -> str:
        """The words on the phase's request."""
        return requests.ribbon(self.manifest)[1] if self.manifest else ""


@dataclass(frozen=True)
class RunState:
    """Where a run stands (delivered, waiting, changes_requested, blocked, failed, running), and each phase."""

    run: str
    run_dir: Path
    state: str
    phases: Mapping[str, PhaseState]

    @property
    def exit_code(self) -> int:
        """0 delivered, waiting, or not finished by wish; 1 blocked, failed, or unchanged after a request for changes."""
        return 1 if self.state in (verdict.BLOCKED, verdict.CHANGES, "failed") else 0

    def held(self, *states: str) -> list[PhaseState]:
        """The phases in one of the given states."""
        return [phase for phase in self.phases.values() if phase.state in states]


def read(run_dir: Path, plan: Plan, policy: Policy, failed: bool = False) -> RunState:
    """Judge every phase now, by its own policy or else the general one. `failed` says that a job could not do its work."""
    phases: dict[str, PhaseState] = {}
    for name, phase in plan.phases.items():
        closed = [other for other in plan.upstream(name) if phases[other].state != verdict.OPEN]
        manifest = shown(run_dir / name / "manifest.json")
        if closed:
            waived = (
                verdict.judge(run_dir, name, phase.gate, phase.policy or policy).waived if manifest else ()
            )  # it shows, whatever is closed
            why = (_why_pending(run_dir, closed, phases), *verdict.waived_reasons(waived))
            phases[name] = PhaseState(name, PENDING, why, None, "none", "", "", waived, manifest)
        elif not all((run_dir / name / file).exists() for file in ("manifest.json", "REQUEST.md")):
            phases[name] = _unfinished(run_dir, phase, policy)
        else:
            old = verdict.outdated(run_dir, manifest["subject"]) if manifest else ""
            if old:
                phases[name] = PhaseState(name, WORKING, (f"will run again: {old}",), None, "none", "", "", (), None)
                continue
            found = verdict.judge(run_dir, name, phase.gate, phase.policy or policy)
            facts = (found.digest, found.trust, found.by, found.since, found.waived)
            phases[name] = PhaseState(name, found.state, found.reasons, *facts, manifest, found.signers, isinstance(phase.policy, Signed))
    return RunState(run_dir.name, run_dir, _overall({phase.state for phase in phases.values()}, failed), phases)


def _unfinished(run_dir: Path, phase: Phase, policy: Policy) -> PhaseState:
    """A phase that has made no request: it works, or its tasks wait at gates of their own and nothing else is left to do."""
    tasks = dict(taskgates.shown(run_dir, phase, policy))
    closed = {name: found for name, found in tasks.items() if not found.is_open}
    ended = {agent.name for agent in phase.agents if (run_dir / phase.name / "agents" / agent.name / "outcome.json").exists()}
    ready = [agent for agent in phase.agents if agent.name not in ended and ended - closed.keys() >= set(agent.needs)]
    if not closed or ready:
        return PhaseState(phase.name, WORKING, (_why_working(run_dir, phase),), None, "none", "", "", (), None, tasks=tasks)
    states = {found.state for found in closed.values()}
    state = next(word for word in (verdict.BLOCKED, verdict.CHANGES, verdict.STALE, verdict.WAITING) if word in states)
    reasons = [
        f"task {name.split('/')[-1]}: {found.state.replace('_', ' ')} ({'; '.join(found.reasons)})" for name, found in closed.items()
    ]
    more = (f"and {len(reasons) - NAMED} more tasks",) if len(reasons) > NAMED else ()
    return PhaseState(phase.name, state, (*reasons[:NAMED], *more), None, "none", "", "", (), None, tasks=tasks)


def shown(path: Path) -> Mapping[str, Any] | None:
    """A phase's manifest; None where there is none, or a damaged one."""
    found = files.try_read_json(path)
    subject = found.get("subject") if isinstance(found, dict) else None
    whole = isinstance(subject, dict) and {"agents", "conflicts", "validation"} <= subject.keys()
    return found if whole and {"metrics_digest", "artifacts", "artifact_count"} <= found.keys() else None


def _why_pending(run_dir: Path, closed: list[str], phases: Mapping[str, PhaseState]) -> str:
    return f"comes after {closed[-1]}, which is {phases[closed[-1]].state} ({run_dir / closed[-1]})"


def _why_working(run_dir: Path, phase: Phase) -> str:
    """Which agents have not published an outcome."""
    left = [agent.name for agent in phase.agents if not (run_dir / phase.name / "agents" / agent.name / "outcome.json").exists()]
    return f"will run: {', '.join(left)}" if left else f"will be merged, checked and shown in {run_dir / phase.name / 'REQUEST.md'}"


def _overall(states: set[str], failed: bool) -> str:
    if failed:
        return "failed"
    for word in (verdict.BLOCKED, verdict.CHANGES):
        if word in states:
            return word
    if WORKING in states:
        return "running"
    return "waiting" if states - {verdict.OPEN} else "delivered"


def next_command(phase: PhaseState, run_dir: Path, command: Command) -> str:
    """What a person types next for a phase."""
    if phase.manifest is None and phase.held_tasks:
        return _next_for_tasks(phase, command)
    marker, asked = run_dir / phase.name / approvals.MARKER, run_dir / phase.name / feedback.MARKER
    if phase.state in (verdict.WAITING, verdict.STALE) and phase.to_sign:
        return f"{command.line('approve', config=(f'phase={phase.name}', requests.KEY))} && {command.go_on()}"
    if phase.state in (verdict.WAITING, verdict.STALE) and marker.is_file() and marker.stat().st_size:
        return f"{command.line('approve', config=(f'phase={phase.name}',))} && {command.go_on()}"  # a touch opens nothing
    if phase.state == verdict.CHANGES and phase.reasons[0].startswith((feedback.UNCHANGED, feedback.UNSIGNED)):
        return f"rm {command.path(asked)} && {command.go_on()}"
    if phase.state in (verdict.WAITING, verdict.STALE):
        return f"touch {command.path(run_dir / phase.name / 'APPROVED')} && {command.go_on()}"
    if phase.state == verdict.BLOCKED and phase.manifest is None:
        return f"rm {command.path(run_dir / phase.name / 'manifest.json')} && {command.go_on()}"
    if phase.state == verdict.BLOCKED:
        failed = [agent for agent in (phase.manifest or {})["subject"]["agents"] if agent["status"] not in ("succeeded", "skipped")]
        if failed:
            return command.line("retry", config=(f"phase={phase.name}",))
        key = (requests.KEY,) if phase.to_sign else ()
        return command.line("request_changes", config=(f"phase={phase.name}", "note=what should change", *key))
    return "" if phase.state == verdict.OPEN else command.go_on()


def _next_for_tasks(phase: PhaseState, command: Command) -> str:
    """What a person types next where tasks wait at gates of their own."""
    waiting = [name.split("/")[-1] for name in phase.held_tasks if phase.tasks[name].state in (verdict.WAITING, verdict.STALE)]
    if waiting:
        names = "all" if len(waiting) > 1 else waiting[0]
        return f"{command.line('approve', config=(f'phase={phase.name}', f'tasks={names}'))} && {command.go_on()}"
    return command.go_on() if phase.state == verdict.CHANGES else command.line("retry", config=(f"phase={phase.name}",))


def as_json(state: RunState, command: Command) -> dict[str, Any]:
    """The content of status.json."""
    return {
        "run": state.run,
        "state": state.state,
        "phases": {
            phase.name: {
                "state": phase.state,
                "reasons": list(phase.reasons),
                "digest": phase.digest,
                "trust": phase.trust,
                "by": phase.by,
                "signers": [dict(signer) for signer in phase.signers],
                "since": phase.since,
                "waivers": [{"item": item, "reason": reason} for item, reason in phase.waived],
                "request": str(state.run_dir / phase.name / "REQUEST.md") if phase.manifest else None,
                "next": next_command(phase, state.run_dir, command),
                **({"tasks": {name: found.state for name, found in phase.tasks.items()}} if phase.tasks else {}),
            }
            for phase in state.phases.values()
        },
    }
