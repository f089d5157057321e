"""The plan of a run: its phases, their agents and checks, as the settings and the project's type give them.

Everything that Snakemake will make rules and paths of is checked here first: ids, reserved names, colliding rule
names, unknown agents, phases and runners, and cycles.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from workflow.errors import ConfigError
from workflow.plan import policies, presets
from workflow.plan.policies import Policy, Signed
from workflow.plan.settings import Settings

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED = {
    "all", "quickstart", "retry", "status", "metrics", "bundles", "history", "project", "current", "approve", "verify",
    "request_changes", "rollback", "restore", "adopt", "diff", "logs", "report", "runs", "doctor", "publish", "watch",
    "start_run", "start_phase", "merge_phase", "validate_phase", "score_hygiene", "request_review", "extract_artifact",
    "fan_out", "run_task", "agents", "artifacts", "attachments", "checks", "tasks", "attempts", "project.git", "intake.yaml", "run.json",
    "start.json", "pull_request.md", "status.json", "hygiene_summary.json", "metrics.json", "metrics.prom", "report.html",
}  # fmt: skip
NO_LIMITS = {"min_score": None, "max_orphans": None, "large_file_bytes": 1 << 20}


@dataclass(frozen=True)
class Agent:
    """One agent of a phase."""

    phase: str
    name: str
    role: str
    runner: str
    needs: tuple[str, ...]
    instructions: str
    timeout_s: float
    retry: Mapping[str, Any]
    allow_no_changes: bool
    environment: str
    fallbacks: tuple[str, ...] = ()
    budget: Mapping[str, float] = field(default_factory=dict)
    produces: tuple[str, ...] = ()
    for_each: str | None = None
    touches: str = "findings"
    task: str = ""  # the id of the task, where this is one of the jobs of an agent that fans out
    protected: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()

    @property
    def runners(self) -> tuple[str, ...]:
        """The runner, and those that take its place in this order where it is missing or out of quota."""
        return (self.runner, *self.fallbacks)

    @property
    def rule(self) -> str:
        """Name of the agent's rule, which is also what people give to --forcerun."""
        return f"{self.phase}_{self.name}"


@dataclass(frozen=True)
class Check:
    """A command that must exit 0 in a clean checkout of the phase's result."""

    name: str
    command: tuple[str, ...]
    purpose: str
    timeout_s: float
    environment: str


@dataclass(frozen=True)
class Phase:
    """One phase: what comes before it, who works in it, what it must produce, how it is checked."""

    name: str
    after: tuple[str, ...]
    gate: str
    agents: tuple[Agent, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...]
    checks: tuple[Check, ...]
    budget: Mapping[str, float] = field(default_factory=dict)
    hygiene: Mapping[str, int | None] = field(default_factory=lambda: dict(NO_LIMITS))
    policy: Policy | None = None  # the general one
    protected: tuple[str, ...] = ()

    @functools.cached_property
    def lineages(self) -> Mapping[str, frozenset[str]]:
        """For each agent the names of those that it builds on, directly or not."""
        needs = {agent.name: agent.needs for agent in self.agents}
        found: dict[str, frozenset[str]] = {}
        for name in TopologicalSorter(needs).static_order():
            found[name] = frozenset(needs[name]).union(*(found[other] for other in needs[name]))
        return found


@dataclass(frozen=True)
class Plan:
    """The phases of one run in config order, which is also a topological order."""

    phases: Mapping[str, Phase] = field(default_factory=dict)

    def agents(self) -> Iterable[Agent]:
        """Every agent, phase by phase."""
        return (agent for phase in self.phases.values() for agent in phase.agents)

    def agent(self, phase: str, name: str) -> Agent:
        """An agent by its name."""
        return next(agent for agent in self.phases[phase].agents if agent.name == name)

    def upstream(self, name: str) -> list[str]:
        """All phases that `name` builds on, directly or not, in plan order."""
        found: set[str] = set()
        waiting = list(self.phases[name].after)
        while waiting:
            phase = waiting.pop()
            if phase not in found:
                found.add(phase)
                waiting += self.phases[phase].after
        return [phase for phase in self.phases if phase in found]

    def last(self) -> list[str]:
        """The phases that no other phase builds on."""
        followed = {name for phase in self.phases.values() for name in phase.after}
        return [name for name in self.phases if name not in followed]


def make_plan(settings: Settings, intake: Mapping[str, Any], roles: Iterable[str]) -> Plan:
    """The plan for one intake. `roles` are the names of the prompt templates. Raises ConfigError."""
    kind = intake["project"]["type"]
    chosen = {name: entry for name, entry in settings["phases"].items() if kind in entry["types"]}
    if not chosen:
        raise ConfigError(f"{settings.where('phases')}: no phase is for projects of type {kind}; add one, or widen `types`")
    phases: dict[str, Phase] = {}
    roles = set(roles)
    for name, entry in chosen.items():
        _refuse_name(settings, name, ("phases", name))
        phases[name] = Phase(
            name=name,
            after=_after(settings, name, entry, chosen, list(phases)),
            gate=entry["gate"],
            agents=_agents(settings, name, entry, roles),
            required=tuple(entry["artifacts"]["required"]),
            optional=tuple(entry["artifacts"]["optional"]),
            checks=_checks(settings, name, entry, intake),
            budget=entry["budget"],
            protected=tuple(entry["protected"]),
            hygiene=settings["hygiene"] | {key: value for key, value in entry["hygiene"].items() if value is not None},
            policy=_policy(settings, name, entry, intake),
        )
    ordered = _in_order(settings, phases)
    _refuse_collisions(settings, ordered)
    return Plan(ordered)


def _policy(settings: Settings, name: str, entry: Any, intake: Mapping[str, Any]) -> Policy:
    """What opens the gate of a phase: its own keys, laid over the general ones. ConfigError for signers that cannot be trusted."""
    gate = settings["gate"]
    own = {key: entry[key] for key in ("policy", "approvals", "approvers", "expires_days") if entry[key] is not None}
    chosen = gate | own
    if chosen["policy"] != policies.SIGNED:
        return str(chosen["policy"])
    where = settings.where("phases", name, "policy") if entry["policy"] else settings.where("gate", "policy")
    if gate["allowed_signers"] is None:
        raise ConfigError(f"{where}: the policy `signed` needs `gate.allowed_signers`, a file that says whose keys count")
    if chosen["approvers"] and len(chosen["approvers"]) < chosen["approvals"]:
        raise ConfigError(
            f"{where}: `{name}` wants {chosen['approvals']} approvals, and only {', '.join(chosen['approvers'])} may give them"
        )
    signers = _signers(settings, intake)
    return Signed(signers, chosen["approvals"], tuple(chosen["approvers"]), chosen["expires_days"])


def _signers(settings: Settings, intake: Mapping[str, Any]) -> str:
    """The path of the allowed signers. ConfigError where it lies in a place that runs or agents change."""
    path = Path(settings["gate"]["allowed_signers"]).expanduser()
    source = intake["project"].get("source")
    for place, what in ((Path("runs"), "runs/, where agents work"), (Path(source or "/dev/null").expanduser(), "the project's source")):
        if path.resolve().is_relative_to(place.resolve()):
            where = settings.where("gate", "allowed_signers")
            raise ConfigError(f"{where}: allowed_signers {path} lies inside {what}; keep it where no agent can write")
    return str(path)


def _refuse_name(settings: Settings, name: str, key: tuple[str, ...]) -> None:
    """Refuse the name of a phase or an agent that Phasegate needs itself, or that git does not take as part of a ref."""
    if name.lower() in RESERVED:
        raise ConfigError(f"{settings.where(*key)}: `{name}` is a reserved name; choose another")
    if is_bad_ref(name):
        raise ConfigError(f"{settings.where(*key)}: `{name}` holds `..` or ends in `.` or `.lock`, which git refuses; choose another name")


def is_bad_ref(name: str) -> bool:
    """Whether git would refuse a name that fits `ID` as a part of a ref."""
    return ".." in name or name.endswith((".", ".lock"))


def _after(settings: Settings, name: str, entry: Any, chosen: Any, before: list[str]) -> tuple[str, ...]:
    """The phases that this one builds on: those named, else the phase before it.

    In the place of a phase that this type of project does not have stand those that it would have come after.
    """
    if entry["after"] is None:
        return tuple(before[-1:])
    found: list[str] = []
    waiting, seen = list(entry["after"]), {name}
    while waiting:
        other = waiting.pop(0)
        if other not in settings["phases"]:
            known = ", ".join(settings["phases"])
            raise ConfigError(
                f"{settings.where('phases', name, 'after')}: phase `{name}` comes after unknown phase `{other}`; known: {known}"
            )
        if other in chosen:
            found.append(other)
        elif other not in seen:
            seen.add(other)
            waiting = [*_before(settings, other), *waiting]
    return tuple(dict.fromkeys(found))


def _before(settings: Settings, name: str) -> list[str]:
    """The phases after which the configuration puts a phase, whatever the type of the project."""
    after, names = settings["phases"][name]["after"], list(settings["phases"])
    return names[: names.index(name)][-1:] if after is None else after


def _agents(settings: Settings, phase: str, entry: Any, roles: set[str]) -> tuple[Agent, ...]:
    found: list[Agent] = []
    for name, agent in entry["agents"].items():
        key = ("phases", phase, "agents", name)
        _refuse_name(settings, name, key)
        for other in agent["needs"]:
            if other not in entry["agents"]:
                raise ConfigError(
                    f"{settings.where(*key, 'needs')}: phase `{phase}` needs unknown agent `{other}`; known: {', '.join(entry['agents'])}"
                )
        runners = _runners(settings, key, phase, agent, entry)
        role = agent["role"] or (name if name in roles else "agent")
        if role not in roles:
            raise ConfigError(f"{settings.where(*key, 'role')}: unknown role `{role}`; known: {', '.join(sorted(roles))}")
        chained = () if entry["parallel"] else tuple(other.name for other in found)
        found.append(
            Agent(
                phase=phase,
                name=name,
                role=role,
                runner=runners[0],
                fallbacks=runners[1:],
                needs=tuple(dict.fromkeys([*agent["needs"], *chained[-1:]])),
                instructions=agent["instructions"],
                timeout_s=agent["timeout"] or entry["timeout"] or settings["timeout"],
                retry={**settings["retry"], **agent["retry"]},
                allow_no_changes=agent["allow_no_changes"],
                environment=agent["environment"],
                budget=agent["budget"],
                produces=tuple(agent["produces"]),
                for_each=_for_each(settings, key, agent["for_each"]),
                touches=agent["touches"],
                protected=tuple(agent["protected"]),
                owns=tuple(agent["owns"]),
            )
        )
    cycle = _cycle({agent.name: agent.needs for agent in found})
    if cycle:
        raise ConfigError(f"{settings.where('phases', phase, 'agents')}: the agents of `{phase}` need each other in a circle: {cycle}")
    return tuple(found)


def _for_each(settings: Settings, key: tuple[str, ...], value: str | None) -> str | None:
    """What an agent fans out on. ConfigError for a path outside of the project."""
    if value and (value.startswith("/") or "\\" in value or ".." in value.split("/")):
        raise ConfigError(
            f"{settings.where(*key, 'for_each')}: `{value}` lies outside of the project; name it from the project's top, with `/`"
        )
    return value


def _runners(settings: Settings, key: tuple[str, ...], phase: str, agent: Any, entry: Any) -> tuple[str, ...]:
    """The runners of an agent, the first one first: its own, else its phase's, else the general ones."""
    given = agent["runner"] or entry["runner"] or settings["runner"]
    chosen = (given,) if isinstance(given, str) else tuple(given)
    able = {name for name, runner in settings["runners"].items() if runner.get("command")} | {presets.EMBEDDED}
    for name in chosen:
        if name not in able:
            general = settings.where("phases", phase, "runner") if entry["runner"] else settings.where("runner")
            where = settings.where(*key, "runner") if agent["runner"] else general
            if name in settings["runners"]:
                raise ConfigError(f"{where}: runner `{name}` has no command; give it one in `runners.{name}.command`")
            raise ConfigError(f"{where}: unknown runner `{name}`; known: {', '.join(sorted(able))}")
    return chosen


def _checks(settings: Settings, phase: str, entry: Any, intake: Mapping[str, Any]) -> tuple[Check, ...]:
    made: list[Check] = []
    for index, check in enumerate(entry["checks"]):
        where = settings.where("phases", phase, "checks", index)
        if check["name"] in {other.name for other in made}:
            raise ConfigError(f"{where}: phase `{phase}` has two checks named `{check['name']}`; rename one")
        made.append(
            Check(
                name=check["name"],
                command=tuple(_filled(word, intake, where) for word in check["command"]),
                purpose=check["purpose"],
                timeout_s=check["timeout"] or settings["timeout"],
                environment=check["environment"],
            )
        )
    return tuple(made)


def _filled(word: str, intake: Mapping[str, Any], where: str) -> str:
    """`word` with `{intake.a.b}` replaced by that value. ConfigError where the intake has no such key."""

    def value(match: re.Match[str]) -> str:
        found: Any = intake
        for part in match[1].split("."):
            if not isinstance(found, Mapping) or part not in found:
                raise ConfigError(f"{where}: {match[0]} names no key of the intake")
            found = found[part]
        if isinstance(found, Mapping | list):
            raise ConfigError(f"{where}: {match[0]} names several values of the intake; name one")
        return "" if found is None else str(found)

    return re.sub(r"\{intake\.([^{}]*)\}", value, word)


def _cycle(needs: Mapping[str, tuple[str, ...]]) -> str | None:
    """A circle among the names as `a -> b -> a`, or None."""
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        return " -> ".join(reversed(error.args[1]))
    return None


def _in_order(settings: Settings, phases: dict[str, Phase]) -> dict[str, Phase]:
    """The phases so that each comes after those it builds on, else in config order."""
    cycle = _cycle({phase.name: phase.after for phase in phases.values()})
    if cycle:
        raise ConfigError(f"{settings.where('phases')}: phases come after each other in a circle: {cycle}")
    ordered: dict[str, Phase] = {}
    while len(ordered) < len(phases):
        for name, phase in phases.items():
            if name not in ordered and all(other in ordered for other in phase.after):
                ordered[name] = phase
                break
    return ordered


def _refuse_collisions(settings: Settings, phases: Mapping[str, Phase]) -> None:
    """Refuse rule names that two things would share, and names that differ only in case."""
    taken: dict[str, str] = {}
    for phase in phases.values():
        names: list[tuple[str, str, tuple[str, ...]]] = [(phase.name, f"phase `{phase.name}`", ("phases", phase.name))]
        names += [
            (agent.rule, f"agent `{agent.name}` of phase `{phase.name}`", ("phases", phase.name, "agents", agent.name))
            for agent in phase.agents
        ]
        for rule, owner, key in names:
            folded = rule.lower()
            if folded in taken or rule in RESERVED:
                other = taken.get(folded, "a rule of Phasegate")
                raise ConfigError(f"{settings.where(*key)}: {owner} and {other} would both be the rule `{rule}`; rename one")
            taken[folded] = owner
