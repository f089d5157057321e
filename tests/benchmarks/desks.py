"""Working directories for benchmarks, and the proof that what was timed has really been made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from conftest import Desk

from workflow.proof.verification import verify_phase
from workflow.work import trees


def desk_in(folder: Path) -> Desk:
    """A new working directory with a brief."""
    folder.mkdir(parents=True)
    desk = Desk(folder, env={"PYTHONDONTWRITEBYTECODE": ""})  # a user's second call finds bytecode
    desk.brief()
    return desk


def configure(desk: Desk, phases: Mapping[str, Sequence[str]], script: str, gate: str = "none", **more: Any) -> None:
    """Agents that run `script`, in which `{agent}` is their own name, in phases one after the other."""
    entries = {name: {"agents": {agent: {"runner": agent} for agent in agents}, "gate": gate} for name, agents in phases.items()}
    runners = {agent: ["sh", "-c", script.format(agent=agent)] for agents in phases.values() for agent in agents}
    desk.configure(entries, runners, **more)


def prove(desk: Desk, phases: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
    """AssertionError unless each agent made one commit and each phase a bundle and a request that verify; the outcomes."""
    run_dir, found, before = desk.path / "runs" / "demo", [], []
    for name, agents in phases.items():
        outcomes = [desk.outcome(name, agent) for agent in agents]
        assert all(outcome["status"] == "succeeded" for outcome in outcomes), [outcome["errors"] for outcome in outcomes]
        assert all(trees.exists(run_dir / "project.git", outcome["result"]["commit"]) for outcome in outcomes)
        assert len({outcome["result"]["tree"] for outcome in outcomes}) == len(agents), "agents whose result is the same"
        assert all(desk.attempts(name, agent) == 1 for agent in agents)
        digest, problems = verify_phase(run_dir, name, before)
        assert digest
        assert not problems, problems
        assert {f"{agent}.txt" for agent in agents} <= set(trees.files(run_dir / "project.git", f"refs/phases/{name}"))
        found += outcomes
        before = [name]
    return found
