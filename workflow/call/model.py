"""The model of one call of snakemake: what it works on, and what its rules ask of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from workflow import files
from workflow.gate import feedback, history, taskgates, verdict
from workflow.plan import briefs, fanout, policies, presets, tasks
from workflow.plan.commandline import Command, CommandLine
from workflow.plan.phases import Agent, Phase, Plan
from workflow.plan.policies import Policy
from workflow.plan.settings import Settings
from workflow.plan.tasks import Task
from workflow.view import state, terminal
from workflow.work import adoptions, scratch


@dataclass(frozen=True)
class Fanned:
    """The tasks of an agent that fans out, by id in merge order, and what their briefs have in common."""

    tasks: dict[str, Task]
    lineages: dict[str, str]
    brief: dict[str, Any]


@dataclass
class Call:
    """What one call of snakemake works on."""

    root: Path
    line: CommandLine
    settings: Settings
    run: str
    intake: dict[str, Any]
    source: Path
    plan: Plan
    main: bool
    command: Command
    writes: bool
    invocation: str
    failed: bool = False
    stopped: int = 0  # the signal with which a person has stopped it
    settled: bool = False
    retried: set[str] = field(default_factory=set)
    shadow: Path | None = None
    _briefs: dict[Path, list[tuple[int, ...] | None]] = field(default_factory=dict)
    _judged: dict[str, tuple[object, verdict.Verdict]] = field(default_factory=dict)
    _fanned: dict[tuple[str, str], tuple[int, Fanned]] = field(default_factory=dict)
    _rounds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)

    @property
    def run_dir(self) -> Path:
        """The folder of the run, relative to the working directory."""
        return Path("runs", self.run)

    def judge(self, phase: str) -> verdict.Verdict:
        """The verdict of a phase's gate, now. The writer notes what a bare marker has opened.

        It is judged anew whenever one of the files that it depends on has changed, and only then: a pass over many
        gates asks many times.
        """
        entry, policy = self.plan.phases[phase], self.policy_of(phase)
        seen = verdict.fingerprint(self.run_dir, phase, entry.after, policy)
        if phase in self._judged and self._judged[phase][0] == seen:
            return self._judged[phase][1]
        found = verdict.judge(self.run_dir, phase, entry.gate, policy)
        self._judged[phase] = (seen, found)
        if self.writes and found.by_bare_marker and found.digest:
            history.record_opening(self.run_dir, phase, found.digest, self.run_dir / phase / "APPROVED")
        if self.writes and found.is_open and found.digest and found.trust != "none":
            history.record_opened(self.run_dir, phase, found.digest, found.since)
        return found

    def policy_of(self, phase: str) -> Policy:
        """What opens the gate of a phase."""
        return self.plan.phases[phase].policy or str(self.settings["gate"]["policy"])

    def policies(self, phases: Iterable[str]) -> dict[str, Any]:
        """The same for several phases, as a JSON value."""
        return {name: policies.as_json(self.policy_of(name)) for name in phases}

    def brief(self, agent: Agent) -> str:
        """Path of an agent's brief, written anew where its bytes changed (in a dry run: to a temporary folder)."""
        path = self.run_dir / agent.phase / "agents" / agent.name / "brief.json"
        found = [self.run_dir / name / "validation.json" for name in self.plan.upstream(agent.phase)]
        seen = [files.moment(one) for one in (path, *found)]
        if self._briefs.get(path) != seen:  # all else that it says is settled for this call
            rework = feedback.for_agent(self.rounds(agent.phase), agent.name)
            made = briefs.make_brief(self.plan, agent, self.run_dir, self.intake, self.settings, rework)
            current = self._current(path, made)
            if current != str(path):
                return current
            self._briefs[path] = [files.moment(path), *seen[1:]]
        return str(path)

    def fanned(self, phase: str, agent: str) -> Fanned:
        """The tasks of an agent, read again when the file with them has changed. Snakemake asks once that file is there."""
        path = fanout.path_of(self.run_dir, phase, agent)
        moment = path.stat().st_mtime_ns
        if self._fanned.get((phase, agent), (0, None))[0] != moment:
            listed = fanout.read(self.run_dir, phase, agent)
            made = briefs.make_brief(self.plan, self.plan.agent(phase, agent), self.run_dir, self.intake, self.settings)
            self._fanned[phase, agent] = (moment, Fanned({task.id: task for task in listed}, fanout.lineages(listed), made))
        return self._fanned[phase, agent][1]

    def task_brief(self, phase: str, agent: str, task: str) -> str:
        """Path of the brief of a task, likewise."""
        fanned, name = self.fanned(phase, agent), tasks.unit(agent, task)
        rework = feedback.for_agent(self.rounds(taskgates.place(phase, name)), name) or feedback.for_agent(self.rounds(phase), name)
        made = fanout.brief(fanned.brief, fanned.tasks[task], fanned.lineages) | briefs.rework_of(rework)
        return self._current(self.run_dir / phase / "agents" / name / "brief.json", made)

    def task_parents(self, phase: str, agent: str, task: str) -> list[str]:
        """The outcomes that a task builds on: those of agents, and of tasks of the same agent."""
        names = [*self.plan.agent(phase, agent).needs, *self.fanned(phase, agent).tasks[task].units(agent)]
        return [str(self.run_dir / phase / "agents" / name / "outcome.json") for name in names]

    def reached_tasks(self, phase: str, agent: str) -> list[str]:
        """The tasks of an agent that may be done now: where each has a gate, those that build on open ones only."""
        listed = self.fanned(phase, agent).tasks
        if self.plan.phases[phase].gate != taskgates.EACH:
            return list(listed)
        opened: set[str] = set()
        found = []
        for task in listed.values():
            if opened.issuperset(task.builds_on):
                found.append(task.id)
                opened |= {task.id} if self.judge_task(phase, tasks.unit(agent, task.id)).is_open else set()
        return found

    def tasks_are_open(self, phase: str) -> bool:
        """Whether no task of a phase waits at a gate of its own."""
        entry = self.plan.phases[phase]
        fanned = [agent for agent in entry.agents if agent.for_each] if entry.gate == taskgates.EACH else []
        names = [(agent.name, task) for agent in fanned for task in self.fanned(phase, agent.name).tasks]
        return all(self.judge_task(phase, tasks.unit(agent, task)).is_open for agent, task in names)

    def judge_task(self, phase: str, unit: str) -> verdict.Verdict:
        """The verdict of a task's gate, now. The writer notes what a bare marker has opened."""
        found, here = taskgates.judge(self.run_dir, phase, unit, self.policy_of(phase)), taskgates.place(phase, unit)
        if self.writes and found.by_bare_marker and found.digest:
            history.record_opening(self.run_dir, here, found.digest, self.run_dir / here / "APPROVED")
        return found

    def task_show(self, phase: str) -> list[str]:
        """The words for its job with what the page of a task needs to know; none where tasks have no gates of their own."""
        if self.plan.phases[phase].gate != taskgates.EACH:
            return []
        return ["--show", json.dumps({"command": asdict(self.command), "declared": self.declared()})]

    def task_guard(self, phase: str, agent: str, task: str) -> str:
        """What the job of a task needs to judge the gates before it once more: those of phases, and of tasks that it builds on."""
        guard = json.loads(self.guard(phase))
        if self.plan.phases[phase].gate == taskgates.EACH:
            places = [taskgates.place(phase, other) for other in self.fanned(phase, agent).tasks[task].units(agent)]
            guard["gates"] |= dict.fromkeys(places, "required")
            guard["own"] |= dict.fromkeys(places, policies.as_json(self.policy_of(phase)))
        return json.dumps(guard)

    def names_in(self, phase: str) -> list[str]:
        """The agents of a phase, and the known tasks of those that fan out."""
        return list(dict.fromkeys(agent.name for plan in (self.plan, self.seen()) for agent in plan.phases[phase].agents))

    def seen(self) -> Plan:
        """The plan as people see it: with the known tasks in the place of agents that fan out."""
        return fanout.expanded(self.plan, self.run_dir)

    def work_policies(self, phase: str) -> str:
        """How the agents of a phase work once more where they changed the same lines, as JSON: agent to policy."""
        return json.dumps({agent.name: json.loads(self.policy(agent)) for agent in self.plan.phases[phase].agents})

    def task_policy(self, phase: str, agent: str, task: str) -> str:
        """How the attempts of a task are carried out, likewise."""
        described = self.plan.agent(phase, agent)
        return self.policy(replace(described, name=tasks.unit(agent, task), task=task))

    def criteria(self, phase: str) -> str:
        """Path of a phase's criteria, likewise."""
        answered = self.rounds(phase)
        sha256, allow = answered[-1]["sha256"] if answered else None, self.settings["secrets"]["allow"]
        made = briefs.criteria(self.plan, self.plan.phases[phase], allow, sha256)
        return self._current(self.run_dir / phase / "criteria.json", made)

    def rounds(self, phase: str) -> list[dict[str, Any]]:
        """The rounds of feedback on a phase (or on the place of a task), settled once a call; a job may mark one as answered meanwhile."""
        if phase not in self._rounds:
            owner = phase.split("/")[0]
            wanted = [phase.partition("/agents/")[2]] if "/" in phase else self.names_in(owner)
            self._rounds[phase] = feedback.settle(self.run_dir, phase, wanted, self.policy_of(owner))
            if self.writes:
                feedback.keep(self.run_dir, phase, self._rounds[phase])
        return self._rounds[phase]

    def adoptions(self, phase: str) -> list[str]:
        """The files of a phase's adoptions."""
        return [str(path) for path in adoptions.paths(self.run_dir, phase)]

    def _current(self, path: Path, value: dict[str, Any]) -> str:
        if not self.main:
            return str(path)
        if self.writes:
            self._write(path, value)
        elif not files.holds_json(path, value):
            if self.shadow is None:
                self.shadow = scratch.until_the_end("dry-run")
            files.write_json(self.shadow / path, value)
            return str(self.shadow / path)
        return str(path)

    @staticmethod
    def _write(path: Path, value: dict[str, Any]) -> None:
        try:
            files.write_json_if_changed(path, value)
        except OSError as error:
            terminal.give_up(error)
            raise

    def policy(self, agent: Agent) -> str:
        """How an agent's attempts are carried out, as JSON for its job."""
        forced = bool({agent.rule, f"{agent.rule}:merge", f"{agent.phase}_{agent.name.split('/')[0]}"} & self.retried)
        record = {"timeout_s": agent.timeout_s, "retry": dict(agent.retry), "sandbox": self.settings["sandbox"]}
        record |= {"tree": self.settings["tree"], "public": self.settings["secrets"]["public"], "budgets": self.budgets(agent)}
        known = {name: presets.about(name) for name in agent.runners}
        record |= {
            "versions": {name: [_filled(word) for word in about.version] for name, about in known.items() if about and about.version}
        }
        record |= {"prompts": self.settings["prompts"]}
        return json.dumps(record | {"environments": self.settings["environments"], "force": self.invocation if forced else ""})

    def budgets(self, agent: Agent) -> list[dict[str, Any]]:
        """The budgets that an agent's work counts against: run, phase, agent, and those given with approvals before it."""
        phase, owner = self.plan.phases[agent.phase], agent.name.split("/")[0]
        given = [
            {"name": "the run", "phases": None, "agent": None, "most": self.settings["budget"]},
            {"name": f"phase {phase.name}", "phases": [phase.name], "agent": None, "most": phase.budget},
            {"name": f"agent {phase.name}_{owner}", "phases": [phase.name], "agent": owner, "most": agent.budget},
        ]
        for name in self.plan.upstream(phase.name):
            usd = self.judge(name).budget_usd
            if usd is not None:
                later = [other for other in self.plan.phases if name in self.plan.upstream(other)]
                given.append({"name": f"what follows {name}", "phases": later, "agent": None, "most": {"usd": usd}})
        return [{**item, "most": dict(item["most"])} for item in given if item["most"]]

    def tree_limits(self) -> str:
        """How much the source of the run may hold, as JSON for the job that fetches it."""
        return json.dumps(self.settings["tree"])

    def reached(self) -> list[Phase]:
        """The phases whose upstream gates are all open now."""
        found: dict[str, Phase] = {}
        for name, phase in self.plan.phases.items():
            if all(other in found and self.judge(other).is_open for other in phase.after):
                found[name] = phase
        return list(found.values())

    def waiting(self) -> list[Agent]:
        """The agents of the reached phases that would work: no outcome, one that answers another brief, or one to be tried again."""
        found: list[Agent] = []
        for agent in (agent for phase in self.reached() for agent in phase.agents):
            outcome = files.try_read_json(self.run_dir / agent.phase / "agents" / agent.name / "outcome.json") or {}
            stale = outcome.get("brief_sha256") != files.sha256_json(files.read_json(Path(self.brief(agent))))
            needed = {other.name for other in found if other.phase == agent.phase} & set(agent.needs)
            if stale or outcome.get("again") or needed:
                found.append(agent)
        return found

    def gates(self, phase: str) -> dict[str, str]:
        """The phases that a phase builds on, each with its kind of gate."""
        return {name: self.plan.phases[name].gate for name in self.plan.upstream(phase)}

    def guard(self, phase: str) -> str:
        """What a job of a phase needs to judge the gates before it once more, as JSON."""
        gates = self.gates(phase)
        return json.dumps({"gates": gates, "policy": self.settings["gate"]["policy"], "own": self.policies(gates)})

    def check_options(self, phase: str) -> str:
        """How a phase's checks are carried out, as JSON for its job; nothing of it changes what they show."""
        limits = {check.name: check.timeout_s for check in self.plan.phases[phase].checks}
        record = {"timeouts_s": limits, "sandbox": self.settings["sandbox"], "environments": self.settings["environments"]}
        return json.dumps(record | {"declared": self.declared()})

    def hygiene_options(self) -> str:
        """What the score of a phase needs to know from the settings, as JSON for its job."""
        return json.dumps({"declared": self.declared()})

    def request_options(self, phase: str) -> str:
        """What the request of a phase needs to know from the plan and the settings, as JSON for its job."""
        entry = self.plan.phases[phase]
        record = {
            "agents": [agent.name for agent in entry.agents],
            "after": list(entry.after),
            "gates": self.gates(phase),
            "beside": {name: other.gate for name, other in self.plan.phases.items() if name not in (phase, *self.plan.upstream(phase))},
            "gate": {"kind": entry.gate, "policy": policies.as_json(self.policy_of(phase))},
            "own": self.policies(name for name in self.plan.phases if name != phase),
            "compression": self.settings["bundle"]["compression"],
            "command": asdict(self.command),
            "notify": self.settings["notify"],
            "declared": self.declared(),
            "budgets": list({item["name"]: item for agent in entry.agents for item in self.budgets(agent)}.values()),
        }
        return json.dumps(record)

    def declared(self) -> list[str]:
        """The names of the variables that hold secrets: those that a runner of this plan may see, without the public ones."""
        used = {name for agent in self.plan.agents() for name in agent.runners}
        named = {word for name in used for word in self.settings["runners"].get(name, {}).get("env", []) if "=" not in word}
        return sorted(named - set(self.settings["secrets"]["public"]))

    def first_phases(self) -> list[str]:
        """The phases that build on no other."""
        return [name for name, phase in self.plan.phases.items() if not phase.after]

    def intake_path(self) -> str:
        """The frozen intake; in a dry run of a run that has not started, the file that it would be made from."""
        frozen = self.run_dir / "intake.yaml"
        if frozen.is_file() or not self.main:
            return str(frozen)
        return str(self.source)

    def state(self) -> state.RunState:
        """Where the run stands now. That a job could not do its work is known to the call that ran it, and to status.json after it."""
        told = not self.writes and files.try_read_object(self.run_dir / "status.json").get("state") == "failed"
        return state.read(self.run_dir, self.seen(), self.settings["gate"]["policy"], told or (self.failed and not self.stopped))


def _filled(word: str) -> str:
    return word.replace("{python}", sys.executable)
