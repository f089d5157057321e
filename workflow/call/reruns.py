"""Which agents work again because somebody says so: --forcerun, --forceall, retry, a deleted outcome.

What the command line asks for is held against the plan and the gates before anything runs.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from workflow import files
from workflow.call.model import Call
from workflow.errors import UsageError
from workflow.gate import people, verdict
from workflow.plan import phases
from workflow.plan.phases import Agent
from workflow.work import adoptions, journal, spending


def check_names(call: Call) -> None:
    """Refuse words that name nothing, before anything is written."""
    rules = _rules(call)
    for name in call.line.forced:
        _agent_named(call, name, rules)
    for target in call.line.targets:
        _require_known(call, target, rules)


def _rules(call: Call) -> dict[str, Agent]:
    """The agents and the known tasks by their rules (of a task: `<phase>_<agent>/tasks/<task>`)."""
    return {agent.rule: agent for plan in (call.plan, call.seen()) for agent in plan.agents()}


def check_request(call: Call) -> None:
    """Hold what the command line asks for against the gates; note which agents are to work again.

    Whatever is asked for by name (an agent, a file of a phase, a bundle) needs every gate before its phase to be open.
    """
    rules = _rules(call)
    for name in call.line.forced:
        agent = _agent_named(call, name, rules)
        if agent is not None:
            _require_open(call, agent.phase, name)
            call.retried.add(agent.rule)
    for target in call.line.targets:
        phase = rules[target].phase if target in rules else _phase_of_path(call, target)
        if phase:
            _require_open(call, phase, target)
    if call.line.force_all:
        _confirm_all(call)
    if "retry" in call.line.targets:
        _retry(call)
    if "adopt" in call.line.targets:
        _adopt(call)
    _try_again(call)
    for agent in rules.values():
        if call.line.deletes_outputs:  # snakemake deletes, not a person: nothing is to be paid again
            (call.run_dir / agent.phase / "agents" / agent.name / "published").unlink(missing_ok=True)
        if _was_deleted(call.run_dir, agent):
            call.retried.add(agent.rule)


def _agent_named(call: Call, name: str, rules: dict[str, Agent]) -> Agent | None:
    """The agent that a word of --forcerun means: its rule, or a file that its job makes."""
    if name in rules:
        return rules[name]
    path = os.path.relpath(name)
    for agent in rules.values():
        if path == str(call.run_dir / agent.phase / "agents" / agent.name / "outcome.json"):
            return agent
    if "/" not in name and name not in phases.RESERVED and name not in call.plan.phases:
        raise UsageError(f"--forcerun {name}: there is no such agent; known: {', '.join(rules)}")
    return None


def _require_known(call: Call, target: str, rules: dict[str, Agent]) -> None:
    """Refuse a word that is no rule; paths are left to Snakemake."""
    if "/" not in target and not {target} & {*rules, *call.plan.phases, *phases.RESERVED} and not Path(target).exists():
        again = call.command.line("--list-target-rules")
        raise UsageError(f"{target}: there is no such target; phases: {', '.join(call.plan.phases)}; `{again}` lists them all")


def _phase_of_path(call: Call, target: str) -> str | None:
    """The phase that a path belongs to: a file in its folder, its bundle, or one of its logs."""
    parts = Path(os.path.relpath(target)).parts
    if len(parts) < 4 or parts[:2] != ("runs", call.run):
        return None
    if parts[2] == "bundles":
        return Path(parts[3]).stem if Path(parts[3]).stem in call.plan.phases else None
    return parts[2] if parts[2] in call.plan.phases else None


def _require_open(call: Call, phase: str, what: str) -> None:
    for name in call.plan.upstream(phase):
        found = call.judge(name)
        if not found.is_open:
            request = call.command.path(call.run_dir / name / "REQUEST.md")
            raise UsageError(f"{what}: the gate of `{name}` before it is not open ({'; '.join(found.reasons)}); see {request}")


def _confirm_all(call: Call) -> None:
    agents = [agent for phase in call.reached() for agent in phase.agents]
    if not call.line.flag("confirm"):
        again = call.command.line("--cores", "2", "--forceall", config=("confirm=true",))
        raise UsageError(
            f"--forceall would buy {len(agents)} new attempts ({', '.join(agent.rule for agent in agents)}); if that is meant: {again}"
        )
    call.retried |= {agent.rule for agent in agents}


def _retry(call: Call) -> None:
    """Archive the outcomes of failed agents, so that they work again."""
    phase = call.line.raw.get("phase")
    if phase is not None:
        call.line.choice("phase", list(call.plan.phases))
    known = [name for agent in _rules(call).values() if phase in (None, agent.phase) for name in (agent.name, agent.rule)]
    if "agent" in call.line.raw:
        call.line.choice("agent", list(dict.fromkeys(known)))
    moment = files.now().replace(":", "").replace("-", "")
    count = 0
    for agent in _rules(call).values():
        path = call.run_dir / agent.phase / "agents" / agent.name / "outcome.json"
        outcome = files.try_read_json(path) if _is_asked(call, agent, phase) else None
        if outcome and outcome.get("tasks") is not None:
            _merge_again(call, agent, outcome, moment)
        elif outcome and outcome["status"] not in ("succeeded", "skipped"):
            _put_away(call, agent, moment)
            count += 1
    where = f" of {phase}" if phase else ""
    words = {0: f"no agent{where} has failed; nothing to retry", 1: f"1 failed agent{where} works again"}
    print(f"phasegate: {words.get(count, f'{count} failed agents{where} work again')}", file=sys.stderr)


def _is_asked(call: Call, agent: Agent, phase: str | None) -> bool:
    """Whether `retry` is about an agent or a task: it, the agent whose task it is, or nobody was named."""
    owner = agent.name.split("/")[0]
    names = (None, agent.name, agent.rule, owner, f"{agent.phase}_{owner}")
    return phase in (None, agent.phase) and call.line.raw.get("agent") in names


def _merge_again(call: Call, agent: Agent, outcome: dict[str, Any], moment: str) -> None:
    """Where two tasks changed the same lines and that is not resolved, the later one works once more on the merged tree, and no other."""
    if outcome["conflicts"]:
        _put_away(call, agent, moment)
        call.retried.discard(agent.rule)
        call.retried.add(f"{agent.rule}:merge")


def _put_away(call: Call, agent: Agent, moment: str) -> None:
    """Archive the outcome of an agent, so that it works again."""
    goal = call.run_dir / "history" / "retries" / moment / f"{agent.rule}.json"
    goal.parent.mkdir(parents=True, exist_ok=True)
    (call.run_dir / agent.phase / "agents" / agent.name / "outcome.json").replace(goal)
    call.retried.add(agent.rule)


def _try_again(call: Call) -> None:
    """Agents that are parked or could not start try again by themselves, and those over a budget that allows more by now."""
    spent: list[spending.Spent] | None = None
    moment = files.now().replace(":", "").replace("-", "")
    reached = {phase.name for phase in call.reached()}
    for name, phase in call.seen().phases.items():
        for agent in phase.agents if name in reached else ():
            outcome = files.try_read_json(call.run_dir / agent.phase / "agents" / agent.name / "outcome.json")
            if not isinstance(outcome, dict):
                continue
            may = bool(outcome.get("again"))
            if outcome.get("status") == "over_budget":
                spent = spending.all_of(call.run_dir) if spent is None else spent
                may = not spending.reached(spending.limits(call.budgets(agent)), spent)
            if may:
                _put_away(call, agent, moment)


def _adopt(call: Call) -> None:
    """Take what a person committed in `project/` into the phase that is named, or the only one that waits."""
    held = [phase.name for phase in call.state().held(*verdict.HOLDING) if phase.manifest]
    phase = call.line.choice("phase", list(call.plan.phases), held[0] if len(held) == 1 else None)
    _require_open(call, phase, "adopt")
    if not (call.run_dir / phase / "manifest.json").is_file():
        raise UsageError(f"adopt: {phase} has made no request yet; run snakemake first")
    record = adoptions.adopt(call.run_dir, phase, people.name(call.line.text("by")), call.settings["tree"])
    print(f"phasegate: adopted {len(record['artifacts'])} changed files of {record['by']} into {phase}", file=sys.stderr)


def _was_deleted(run_dir: Path, agent: Agent) -> bool:
    """Whether a person deleted the published outcome of a failure, which asks for a new attempt.

    What was published last stands in the phase's merge; a newer attempt may have been made for another brief.
    """
    folder = run_dir / agent.phase / "agents" / agent.name
    if (folder / "outcome.json").exists() or not (folder / "published").exists():
        return False
    merged = (files.try_read_json(run_dir / agent.phase / "merge.json") or {}).get("agents", [])
    found = [row["status"] for row in merged if row["agent"] == agent.name]
    found += [(attempt.result or {}).get("status") for attempt in reversed(journal.attempts(folder))]
    return bool(found) and found[0] != "succeeded"
