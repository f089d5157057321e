"""How commits come together: the start of a run, the base of a phase, the merge of a phase's agents."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import RunError
from workflow.plan import intake as intakes
from workflow.work import adoptions, inspection, joining, naming, outcomes, remotes, trees

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


def merge_phase(run_dir: Path, phase: str, names: list[str]) -> dict[str, Any]:
    """Merge the commits of a phase's agents in config order and write merge.json.

    Agents without a success contribute nothing. A conflict names the files and the agents on both sides; what
    merged before it is kept. RunError for an outcome that answers another brief than the current one.
    """
    repo = run_dir / "project.git"
    record = files.read_json(run_dir / phase / "base.json")
    start = now = trees.Commit(record["commit"], record["tree"])
    conflicts = list(record["conflicts"])
    touched: dict[str, str] = {}
    rows = []
    for name in names:
        outcome = _current_outcome(run_dir, phase, name)
        rows.append({"agent": name, "status": outcome["status"], "commit": (outcome["result"] or {}).get("commit")})
        if outcome["status"] != outcomes.SUCCEEDED:
            continue
        joined, clashing = joining.join(repo, now, outcome, f"{phase}: merge {name}")
        if joined is None:
            others = sorted({touched[path] for path in clashing if path in touched}) or sorted(set(touched.values()))
            conflicts.append({"files": list(clashing), "between": [*others, name]})
            continue
        now = joined
        touched |= {item["path"]: name for item in outcome["artifacts"]} | dict.fromkeys(outcome["deleted"], name)
    adopted = adoptions.read_all(run_dir, phase)
    for item in adopted:
        theirs = trees.Commit(item["result"]["commit"], item["result"]["tree"])
        merged = trees.merge(repo, now.commit, theirs.commit, item["base"]["commit"])
        if merged.tree is None:
            others = sorted({touched[path] for path in merged.conflicts if path in touched})
            conflicts.append({"files": list(merged.conflicts), "between": [*others, f"human {item['by']}"]})
        elif item["base"]["commit"] == now.commit:
            now = theirs
        else:  # only the edit is taken: what it was made on may hold later phases, and older work of agents
            now = trees.commit_tree(repo, merged.tree, [now.commit], f"{phase}: commit of {item['by']}", item["at"])
    changes = joining.described(repo, start.commit, now.commit)
    added = {item["path"] for item in changes if item["change"] == "added"}
    merge = {
        "phase": phase,
        "status": "conflict" if conflicts else "merged",
        "base": {"commit": start.commit, "tree": start.tree},
        "commit": now.commit,
        "tree": now.tree,
        "agents": rows,
        "adoptions": adopted,
        "conflicts": conflicts,
        "changes": changes,
        "findings": naming.rows(naming.findings(added, trees.files(repo, now.commit))),
    }
    trees.set_ref(repo, f"phases/{phase}", now.commit)
    files.write_json(run_dir / phase / "merge.json", merge)
    return merge


def _current_outcome(run_dir: Path, phase: str, name: str) -> dict[str, Any]:
    folder = run_dir / phase / "agents" / name
    outcome = files.read_json(folder / "outcome.json")
    if outcome["brief_sha256"] != files.sha256_json(files.read_json(folder / "brief.json")):
        raise RunError(f"{folder}/outcome.json answers another brief than {folder}/brief.json; run snakemake again")
    return outcome
