"""A run made by calling the library directly: real git, real processes, real files, and no snakemake."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from conftest import INTAKE

from workflow import files
from workflow.gate import review, verdict
from workflow.plan import briefs, documents, policies
from workflow.plan.commandline import Command
from workflow.plan.phases import NO_LIMITS, Agent, Phase, Plan
from workflow.plan.policies import Policy as Policies
from workflow.plan.settings import Settings
from workflow.proof import validation
from workflow.proof.hygiene import assessment
from workflow.work import agents, integration, outcomes, trees
from workflow.work.agents import Policy

COMMAND = Command(("snakemake",))
OPEN_AIR = Policy(timeout_s=30, sandbox="off")


def full_intake(**project: Any) -> dict[str, Any]:
    """The minimal intake of the tests with every default filled in."""
    brief = json.loads(json.dumps(INTAKE))
    brief["project"] |= project
    return documents.fill_defaults(brief, documents.schema("intake"))


def tree_of(repo: Path, content: Mapping[str, str | bytes], parents: list[str] | None = None) -> trees.Commit:
    """A commit that holds exactly these files."""
    empty = trees.git("mktree", repo=repo).strip()
    with tempfile.TemporaryDirectory() as name:
        for path, text in content.items():
            goal = Path(name, path)
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_bytes(text if isinstance(text, bytes) else text.encode())
        tree = trees.snapshot(repo, empty, Path(name))
    return trees.commit_tree(repo, tree, parents or [], "made by a test", "2000-01-01T00:00:00Z")


@dataclass
class Run:
    """`runs/demo` of the current folder."""

    folder: Path = Path("runs/demo")

    @property
    def repo(self) -> Path:
        """The run's repository."""
        return self.folder / "project.git"

    def start(self, content: Mapping[str, str | bytes] | None = None) -> trees.Commit:
        """Make (again) the start of the run, with these files in it."""
        trees.create(self.repo)
        start = tree_of(self.repo, content or {})
        files.write_json(self.folder / "start.json", {"commit": start.commit, "tree": start.tree})
        files.write_json(self.folder / "run.json", {"started_at": "2026-01-01T00:00:00.000Z"})
        return start

    def phase(self, name: str = "plan", after: tuple[str, ...] = ()) -> dict[str, Any]:
        """Let a phase begin."""
        return integration.start_phase(self.folder, name, list(after))

    def brief(self, agent: str, script: str, phase: str = "plan", **changes: Any) -> dict[str, Any]:
        """Write the brief of an agent that is a shell script; `changes` are laid over its keys."""
        entry = {"runners": {"shell": {"command": ["sh", "-c", script]}}}
        settings = Settings(documents.fill_defaults(entry, documents.schema("config")))
        described = Agent(
            phase=phase,
            name=agent,
            role="agent",
            runner="shell",
            needs=(),
            instructions="",
            timeout_s=30,
            retry={},
            allow_no_changes=False,
            environment="none",
        )
        plan = Plan({phase: Phase(phase, (), "required", (described,), (), (), ())})
        brief = briefs.make_brief(plan, described, self.folder, full_intake(), settings) | changes
        files.write_json_if_changed(self.agent_dir(agent, phase) / "brief.json", brief)
        return brief

    def agent(self, name: str, script: str, phase: str = "plan", policy: Policy = OPEN_AIR, **changes: Any) -> dict[str, Any]:
        """Let an agent that is a shell script do its job; its outcome."""
        self.brief(name, script, phase, **changes)
        return agents.run_agent(self.folder, phase, name, policy)

    def agent_dir(self, name: str, phase: str = "plan") -> Path:
        """The folder of an agent."""
        return self.folder / phase / "agents" / name

    def attempts(self, name: str, phase: str = "plan") -> list[str]:
        """The names of an agent's attempts: what was paid for."""
        return sorted(path.parent.name for path in (self.agent_dir(name, phase) / "attempts").glob("*/begin.json"))

    def merge(self, *names: str, phase: str = "plan") -> dict[str, Any]:
        """Merge the agents of a phase."""
        return integration.merge_phase(self.folder, phase, list(names))

    def validate(
        self,
        required: tuple[str, ...] = (),
        optional: tuple[str, ...] = (),
        checks: tuple[dict[str, Any], ...] = (),
        phase: str = "plan",
        sandbox: str = "off",
        allow: tuple[str, ...] = (),
        declared: tuple[str, ...] = (),
        hygiene: Mapping[str, Any] | None = None,
        before: tuple[str, ...] = (),
        protected: tuple[str, ...] = (),
    ) -> dict[str, Any]:
        """Validate a phase against these criteria."""
        wanted = [{key: value for key, value in entry.items() if key != "timeout_s"} for entry in checks]
        criteria = {"required": required, "optional": optional, "checks": wanted, "allow": allow, "protected": protected}
        criteria["hygiene"] = {**NO_LIMITS, **(hygiene or {}), "artifacts": before}
        files.write_json(self.folder / phase / "criteria.json", criteria)
        limits = {entry["name"]: entry["timeout_s"] for entry in checks}
        options = {"timeouts_s": limits, "sandbox": sandbox, "environments": str(Path("env").absolute()), "declared": declared}
        return validation.validate_phase(self.folder, phase, options)

    def score(self, phase: str = "plan", declared: tuple[str, ...] = ()) -> dict[str, Any]:
        """Score the tree of a phase that was validated."""
        return assessment.score_phase(self.folder, phase, {"declared": declared})

    def scored(self, content: Mapping[str, str | bytes], script: str = "", **criteria: Any) -> dict[str, Any]:
        """The hygiene of a phase that starts with these files, and whose one agent, if any, is this shell script."""
        self.start(content)
        self.phase()
        if script:
            assert self.agent("writer", script, allow_no_changes=True)["status"] == "succeeded"
        self.merge(*(["writer"] if script else []))
        self.validate(**criteria)
        return self.score(declared=criteria.get("declared", ()))

    def show(
        self,
        *names: str,
        phase: str = "plan",
        after: tuple[str, ...] = (),
        compression: int = 6,
        command: Command = COMMAND,
        declared: tuple[str, ...] = (),
        policy: Policies = "digest",
    ) -> dict[str, Any]:
        """Ask for the review of a phase; its manifest."""
        gate = {"kind": "required", "policy": policies.as_json(policy)}
        options = {
            "agents": list(names),
            "after": list(after),
            "gates": dict.fromkeys(after, "required"),
            "beside": {},
            "gate": gate,
            "compression": compression,
            "command": asdict(command),
            "budgets": [],
            "declared": list(declared),
        }
        return review.request_review(self.folder, phase, options)

    def shown(self, content: str = "the plan", phase: str = "plan", after: tuple[str, ...] = ()) -> dict[str, Any]:
        """A whole small phase with one agent that writes `<phase>.md`, up to its request; its manifest."""
        self.phase(phase, after)
        self.agent("writer", f"printf %s {shlex.quote(content)} > {phase}.md", phase)
        self.merge("writer", phase=phase)
        self.validate((f"{phase}.md",), phase=phase)
        return self.show("writer", phase=phase, after=after)

    def rewrite(self, name: str, change: Callable[[Any], None]) -> None:
        """Change the value in a JSON file below the run's folder."""
        value = files.read_json(self.folder / name)
        change(value)
        files.write_json(self.folder / name, value)

    def marker(self, phase: str = "plan") -> Path:
        """The marker of a phase."""
        return self.folder / phase / "APPROVED"

    def judge(self, phase: str = "plan", gate: str = "required", policy: Policies = "digest") -> verdict.Verdict:
        """What the gate of a phase says now."""
        return verdict.judge(self.folder, phase, gate, policy)

    def outcome(self, name: str, phase: str = "plan") -> dict[str, Any]:
        """The published outcome of an agent."""
        found = outcomes.read(self.folder, phase, name)
        assert found is not None
        return found


def check(name: str, *command: str, **changes: Any) -> dict[str, Any]:
    """A check as criteria.json holds it."""
    return {"name": name, "command": list(command), "purpose": "", "timeout_s": 20, "environment": "none"} | changes
