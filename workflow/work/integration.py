"""How commits come together: the start of a run, the base of a phase, the merge of a phase's agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import RunError
from workflow.plan import intake as intakes
from workflow.work import adoptions, agents, inspection, joining, merging, naming, remotes, trees
from workflow.work.jobs import Policy

START_DATE = "2000-01-01T00:00:00Z"


def start_run(run_dir: Path, limits: Mapping[str, Any]) -> dict[str, Any]:
    """Make `project.git` (empty, or from `project.source`) and write start.json: the commit that the run starts from.

    A source is fetched once and only read; when start.json is lost, the commit that was fetched is used again. RunError
    for a source that holds more than `limits` (the setting `tree`) allow, or links that lead out of it.
    """
    project = intakes.read_frozen(run_dir / "intake.yaml")["project"]
    repo = run_dir / "project.git"
    trees.require_git()
    trees.create(repo)
    if trees.git("for-each-ref", "refs/phasegate/start", repo=repo).strip():
        start = trees.resolve(repo, "refs/phasegate/start")
    elif project["source"]:
        start = trees.import_source(repo, project["source"], project["ref"], remotes.reaching())
        changes = trees.changes(repo, trees.empty(repo), start.commit)
        refused = inspection.judge_changes(repo, changes, limits, submodules=True)
        if refused:
            raise RunError(f"project.source {project['source']} is refused: {naming.summary(refused)}")
    else:
        start = trees.commit_tree(repo, trees.empty(repo), [], f"start of {run_dir.name}", START_DATE)
    trees.set_ref(repo, "phasegate/start", start.commit)
    record = {"commit": start.commit, "tree": start.tree, "source": project["source"], "ref": project["ref"]}
    files.write_json(run_dir / "start.json", record)
    return record


def start_phase(run_dir: Path, phase: str, after: list[str]) -> dict[str, Any]:
    """Write base.json: the commit that the agents of a phase start from, the merge of the phases before it."""
    repo = run_dir / "project.git"
    start = files.read_json(run_dir / "start.json")
    base, origin = trees.Commit(start["commit"], start["tree"]), start["commit"]
    conflicts: list[dict[str, Any]] = []
    merged_phases: list[str] = []
    for name in after:
        upstream = files.read_json(run_dir / name / "merge.json")
        if upstream["tree"] != files.read_json(run_dir / name / "manifest.json")["subject"]["tree"]:
            raise RunError(f"{run_dir / name}/merge.json is not what {name}'s manifest shows; run snakemake again")
        theirs = trees.Commit(upstream["commit"], upstream["tree"])
        if not merged_phases:
            base = theirs
        else:
            origin = trees.git("merge-base", base.commit, theirs.commit, repo=repo).strip()
            merged = trees.merge(repo, base.commit, theirs.commit, origin)
            if merged.tree is None:
                conflicts.append({"files": list(merged.conflicts), "between": [*merged_phases, name]})
                continue
            base = trees.commit_tree(repo, merged.tree, [base.commit, theirs.commit], f"base of {phase}", START_DATE)
        merged_phases.append(name)
    record = {"phase": phase, "commit": base.commit, "tree": base.tree, "after": after, "conflicts": conflicts}
    trees.set_ref(repo, f"bases/{phase}", base.commit)
    files.write_json(run_dir / phase / "base.json", record)
    return record


def merge_phase(
    run_dir: Path, phase: str, names: list[str], policies: Mapping[str, Policy] | None = None, accept: agents.Accept | None = None
) -> dict[str, Any]:
    """Merge the commits of a phase's agents in config order and write merge.json.

    Agents without a success contribute nothing; of one that fans out, its tasks that succeeded do. Where two changed the same lines,
    the later one works once more on the merged tree (`merging`; with `policies`, agent to policy). A conflict names files, lines and
    both sides; what merged before it is kept. RunError for an outcome that answers another brief than the current one.
    """
    record = files.read_json(run_dir / phase / "base.json")
    start = trees.Commit(record["commit"], record["tree"])
    merge = merging.Merging(run_dir, phase, start, policies or {}, accept, conflicts=list(record["conflicts"]))
    rows = []
    for name in names:
        outcome = merging.current_outcome(run_dir, phase, name)
        rows.append({"agent": name, "status": outcome["status"], "commit": (outcome["result"] or {}).get("commit")})
        merge.add_agent(outcome)
    adopted = adoptions.read_all(run_dir, phase)
    for item in adopted:
        _adopt(merge, item)
    now = merge.now
    changes = joining.described(merge.repo, start.commit, now.commit)
    added = {item["path"] for item in changes if item["change"] == "added"}
    made = {
        "phase": phase,
        "status": "conflict" if merge.conflicts else "merged",
        "base": {"commit": start.commit, "tree": start.tree},
        "commit": now.commit,
        "tree": now.tree,
        "agents": rows,
        "adoptions": adopted,
        "conflicts": merge.conflicts,
        "resolutions": merge.resolutions,
        "steps": merge.steps,
        "changes": changes,
        "findings": naming.rows(naming.findings(added, trees.files(merge.repo, now.commit))),
    }
    trees.set_ref(merge.repo, f"phases/{phase}", now.commit)
    files.write_json(run_dir / phase / "merge.json", made)
    return made


def _adopt(merge: merging.Merging, item: Mapping[str, Any]) -> None:
    """Take a person's commit in, three-way over the commit that it was made on."""
    theirs = trees.Commit(item["result"]["commit"], item["result"]["tree"])
    merged = trees.merge(merge.repo, merge.now.commit, theirs.commit, item["base"]["commit"])
    if merged.tree is None:
        merge.conflicts.append({"files": list(merged.conflicts), "between": [*merge.owners(merged.conflicts), f"human {item['by']}"]})
    elif item["base"]["commit"] == merge.now.commit:
        merge.now = theirs
    else:  # only the edit is taken: what it was made on may hold later phases, and older work of agents
        message = f"{merge.phase}: commit of {item['by']}"
        merge.now = trees.commit_tree(merge.repo, merged.tree, [merge.now.commit], message, item["at"])
