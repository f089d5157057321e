"""Merging: the commits of agents or tasks, one after the other, in memory, onto what was merged before.

Where the next one changed the same lines as one before it, it works once more: on top of the merged tree, with both sides in its
prompt. That attempt is its own (journal, budget, key), so it is not made twice. Where it does not help, the conflict stands, with
files, lines and both names, and what builds on it is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import GitError, RunError
from workflow.plan import tasks
from workflow.work import agents, joining, outcomes, trees
from workflow.work.jobs import Job, Policy

SHOWN_BYTES = 12_000  # of one file's conflicting places in the prompt


@dataclass
class Merging:
    """What is merged by now (`now`), from which steps, and what did not merge.

    `steps` are {agent, commit}: the merged state after each. `policies` say for each agent how it works again; one that is not
    there does not.
    """

    run_dir: Path
    phase: str
    now: trees.Commit
    policies: Mapping[str, Policy]
    accept: agents.Accept | None = None
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    resolutions: list[dict[str, Any]] = field(default_factory=list)
    steps: list[dict[str, str]] = field(default_factory=list)
    touched: dict[str, str] = field(default_factory=dict)
    left_out: set[str] = field(default_factory=set)
    held: set[str] = field(default_factory=set)  # the start, and the commits of agents that `now` holds; empty where these are not known

    def __post_init__(self) -> None:
        """It holds itself."""
        self.held.add(self.now.commit)

    @property
    def repo(self) -> Path:
        """The run's repository."""
        return self.run_dir / "project.git"

    def add_agent(self, outcome: Mapping[str, Any]) -> None:
        """Merge what an agent made; of one that fans out the tasks that succeeded, each by itself where they do not merge as a whole."""
        rows = outcome.get("tasks")
        if rows is None:
            self.add(outcome)
            return
        self.conflicts += outcome["conflicts"]
        self.resolutions += outcome["resolutions"]
        if not outcome["steps"]:
            return
        before = self.now
        joined, _ = joining.join(self.repo, before, dict(outcome), self._message(outcome["agent"]))
        if joined is not None:
            first = outcome["base"]["commit"] == before.commit
            self.steps += [step | ({} if first else {"onto": before.commit}) for step in outcome["steps"]]
            self._note(joined, outcome)
            return
        self.left_out |= set(outcome["left_out"])
        for row in rows:
            unit = tasks.unit(outcome["agent"], row["id"])
            if unit not in self.left_out:
                self.add(
                    current_outcome(self.run_dir, self.phase, unit), [tasks.unit(outcome["agent"], other) for other in row["builds_on"]]
                )

    def add(self, outcome: Mapping[str, Any], needs: Sequence[str] = ()) -> None:
        """Merge what an agent or a task made, where it succeeded and all of `needs` were merged."""
        name = outcome["agent"]
        if outcome["status"] != outcomes.SUCCEEDED:
            return
        if self.left_out & set(needs):
            self.left_out.add(name)
            return
        joined, merged = joining.join(self.repo, self.now, dict(outcome), self._message(name), self.held)
        if joined is None:
            joined = self._resolve(outcome, merged)
        if joined is None:
            self.left_out.add(name)
            return
        self._note(joined, outcome)
        self.steps.append({"agent": name, "commit": joined.commit})

    def owners(self, paths: Iterable[str]) -> list[str]:
        """Who changed these files last; everybody so far where nobody did."""
        return sorted({self.touched[path] for path in paths if path in self.touched}) or sorted(set(self.touched.values()))

    def _message(self, name: str) -> str:
        return f"{self.phase}: merge {name}"

    def _note(self, joined: trees.Commit, outcome: Mapping[str, Any]) -> None:
        if outcome["base"]["commit"] in self.held:
            self.held.add(outcome["result"]["commit"])
        else:  # it has brought commits of others with it, who may be merged later
            self.held.clear()
        self.now = joined
        self.touched |= dict.fromkeys([item["path"] for item in outcome["artifacts"]] + outcome["deleted"], outcome["agent"])

    def _resolve(self, outcome: Mapping[str, Any], merged: trees.Merge) -> trees.Commit | None:
        """Let the later side work once more, on the merged tree; the commit that holds both, or None."""
        name, others = outcome["agent"], self.owners(merged.conflicts)
        places = [_place(self.repo, merged.marked, path) for path in merged.conflicts]
        clash: dict[str, Any] = {
            "files": list(merged.conflicts),
            "between": [*others, name],
            "lines": {place["path"]: place["lines"] for place in places if place["lines"]},
        }
        policy = self.policies.get(name.split("/")[0])
        if policy is None:
            self.conflicts.append(clash)
            return None
        brief = files.read_json(self.run_dir / self.phase / "agents" / name / "brief.json")
        job = Job(self.run_dir, brief | {"conflict": {"with": others, "files": places}, "rework": None}, policy)
        job.say(f"changed the same lines as {' and '.join(others)} in {', '.join(merged.conflicts)}; works once more on what is merged")
        again = agents.work_on(job, self.now, job.parents(), self.accept)
        number = again["attempts"][-1]["number"] if again["attempts"] else None
        self.resolutions.append({**clash, "agent": name, "attempt": number, "status": again["status"], "errors": again["errors"]})
        if again["status"] != outcomes.SUCCEEDED:
            self.conflicts.append(clash | {"attempt": number, "errors": again["errors"][:1]})
            return None
        parents = [self.now.commit, outcome["result"]["commit"]]
        return trees.commit_tree(self.repo, again["result"]["tree"], parents, f"{self.phase}: resolve {name}", joining.MERGE_DATE)


def _place(repo: Path, marked: str | None, path: str) -> dict[str, Any]:
    """Where in a file both sides changed the same lines, and both sides; nothing where it is not text, or one side has deleted it."""
    try:
        text = trees.read_file(repo, marked or "", path).decode()
    except (GitError, UnicodeDecodeError):
        return {"path": path, "lines": [], "text": ""}
    found = joining.hunks(text)
    shown = "\n\n".join(hunk.text for hunk in found)[:SHOWN_BYTES]
    return {"path": path, "lines": [[hunk.first, hunk.last] for hunk in found], "text": shown}


def current_outcome(run_dir: Path, phase: str, name: str) -> dict[str, Any]:
    """The outcome of an agent or a task. RunError where it answers another brief than the current one."""
    folder = run_dir / phase / "agents" / name
    outcome: dict[str, Any] = files.read_json(folder / "outcome.json")
    if outcome["brief_sha256"] != files.sha256_json(files.read_json(folder / "brief.json")):
        raise RunError(f"{folder}/outcome.json answers another brief than {folder}/brief.json; run snakemake again")
    return outcome
