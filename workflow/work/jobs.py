"""An agent's job: where its files are, what it was told, from which commit it starts, and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files
from workflow.work import joining, saying, spending, trees
from workflow.work.redaction import Values, declared


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
    prompts: str | None = None  # a folder; what its templates say is in the brief, as a hash
    budgets: Sequence[Mapping[str, Any]] = ()
    versions: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def limits(self, phase: str, agent: str) -> list[spending.Limit]:
        """The budgets that what this agent uses counts against."""
        return [limit for limit in spending.limits(self.budgets) if limit.counts(phase, agent)]


@dataclass(frozen=True)
class Job:
    """One agent's job: where its files are and what it was told."""

    run_dir: Path
    brief: dict[str, Any]
    policy: Policy
    require_open: Callable[[], None] = lambda: None  # RunError where a gate was closed since

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

    @property
    def ref(self) -> str:
        """The ref of its result; tasks have a folder of their own, since a ref cannot be a folder, too."""
        return f"{'tasks' if self.brief.get('task') else 'agents'}/{self.brief['phase']}/{self.brief['agent']}"

    def secrets(self) -> Values:
        """The values of the variables that the agent's program was given, which must not be seen."""
        names = [word for entry in (self.brief["runner"], *self.brief["fallbacks"]) for word in entry.get("env", ())]
        return Values(declared((word for word in names if "=" not in word), self.policy.public))

    def limits(self) -> list[spending.Limit]:
        """The budgets that this agent counts against."""
        return self.policy.limits(self.brief["phase"], self.brief["agent"])

    def say(self, text: str) -> None:
        """A line of progress."""
        saying.say(f"{self.brief['phase']} {self.brief['agent']}: {text}")

    def parents(self) -> list[dict[str, Any]]:
        """The outcomes of the agents that this one needs."""
        return [files.read_json(self.phase_dir / "agents" / name / "outcome.json") for name in self.brief["needs"]]


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
