"""The manifest of a phase and its digest: what exactly a person is asked to approve.

`subject` holds everything that is reviewed and nothing that varies from one execution to the next without changing
it; `digest` is the SHA-256 of the subject in canonical JSON. Beside it stand the fields that people look for.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow import files
from workflow.proof import validation as validations
from workflow.proof.hygiene import limits
from workflow.work import outcomes


def make_manifest(
    run_dir: Path, phase: str, agents: list[str], after: list[str], gate: Mapping[str, Any], decided: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of a phase from its merge, validation, hygiene and outcomes.

    `decided` says what people decided before: `feedback` (the round that this version answers, or None), `approvals`
    (what opened the gate of each phase before) and `beside` (the same of the phases that this one does not build on:
    their waivers are shown, but are not part of what is approved).
    """
    merge = files.read_json(run_dir / phase / "merge.json")
    validation = validations.read(run_dir, phase)
    found = [files.read_json(run_dir / phase / "agents" / name / "outcome.json") for name in agents]
    subject = _subject(run_dir, phase, after, merge, validation, found) | limits.subject(run_dir, phase)
    subject |= {
        "feedback": _feedback(decided["feedback"], merge["tree"]),
        "waivers": {name: entry["waivers"] for name, entry in decided["approvals"].items() if entry["waivers"]},
    }
    artifacts = subject["files"]
    workers = [one for name in agents for one in _workers(run_dir, phase, name)]
    return {
        "schema": 1,
        "phase": phase,
        "run_id": run_dir.name,
        "created_at": _newest_end(run_dir, workers),
        "digest": files.sha256_json(subject),
        "gate": dict(gate),
        "approvals": dict(decided["approvals"]),
        "waivers": _waivers(decided["approvals"]) + _waivers(decided["beside"]),
        "artifact_count": len(artifacts),
        "artifacts": artifacts,
        "metrics_digest": _metrics(phase, workers, validation),
        "subject": subject,
    }


def _subject(run_dir: Path, phase: str, after: list[str], merge: Any, validation: Any, found: list[dict[str, Any]]) -> dict[str, Any]:
    kept, located = ("path", "sha256", "size", "mode"), ("place", "path", "line", "kind")
    return {
        "schema": 1,
        "run": run_dir.name,
        "phase": phase,
        "upstream": {name: (run_dir / name / "digest").read_text(encoding="ascii").strip() for name in after},
        "base_tree": merge["base"]["tree"],
        "tree": merge["tree"],
        "files": [{key: item[key] for key in kept} for item in merge["changes"] if item["change"] != "deleted"],
        "deleted": [item["path"] for item in merge["changes"] if item["change"] == "deleted"],
        "conflicts": merge["conflicts"],
        "agents": [
            {"name": item["agent"], "status": item["status"], "exit_code": item["exit_code"], "tree": (item["result"] or {}).get("tree")}
            | _tasks(item)
            for item in found
        ],
        **_resolved(merge),
        "validation": {
            "status": validation["status"],
            "missing": validation["artifacts_missing"],
            "artifacts": [
                {"pattern": row["pattern"], "required": row["required"], "found": row["found"]} for row in validation["artifacts"]
            ],
            "checks": [
                {key: row[key] for key in ("name", "command", "status", "exit_code")}
                | ({"culprit": row["culprit"]["agent"]} if row.get("culprit") else {})
                for row in validation["checks"]
            ],
            **(
                {"plans": [{key: row[key] for key in ("path", "status", "tasks")} for row in validation["plans"]]}
                if validation["plans"]
                else {}
            ),
            "restored": validation.get("restored", []),
            "scan": validation["scan"]["status"],
            "secrets": [{key: row[key] for key in located} for row in validation["secrets"] if not row["allowed"]],
        },
        "adoptions": [{key: item[key] for key in ("by", "tree")} for item in merge["adoptions"]],
    }


def _tasks(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """The tasks of an agent that fans out, as they are reviewed."""
    if outcome.get("tasks") is None:
        return {}
    kept = ("id", "title", "needs", "after", "status", "exit_code", "tree", "outside", "accept")
    return {"tasks": [{key: row[key] for key in kept} for row in outcome["tasks"]]}


def _resolved(merge: Mapping[str, Any]) -> dict[str, Any]:
    """Who worked once more because two had changed the same lines; where that worked, it is part of what is reviewed."""
    rows = [{key: row[key] for key in ("agent", "between", "files", "status")} for row in merge.get("resolutions", [])]
    return {"resolutions": rows} if rows else {}


def _workers(run_dir: Path, phase: str, agent: str) -> list[dict[str, Any]]:
    """The outcomes of those that worked: of an agent that fans out its tasks."""
    first, *rest = outcomes.with_tasks(run_dir, phase, agent)
    return rest or [first]


def _waivers(approvals: Mapping[str, Any]) -> list[dict[str, str]]:
    """Everything that was waived in these phases: phase, item, reason, by, at."""
    return [{"phase": name, **item, "by": entry["by"], "at": entry["at"]} for name, entry in approvals.items() for item in entry["waivers"]]


def _feedback(answered: Mapping[str, Any] | None, tree: str) -> dict[str, Any] | None:
    """The round of feedback that this version answers, and whether anything was changed since it was given."""
    if answered is None:
        return None
    return {"sha256": answered["sha256"], "unchanged": answered["reviewed"]["tree"] == tree}


def _newest_end(run_dir: Path, found: list[dict[str, Any]]) -> str:
    """When the newest attempt ended; where none ran, when the run started."""
    ends = [item["ended_at"] for item in found if item["ended_at"]]
    return max(ends) if ends else files.read_json(run_dir / "run.json")["started_at"]


def _metrics(phase: str, found: list[dict[str, Any]], validation: Any) -> dict[str, Any]:
    """The few figures of a phase that travel with its manifest."""
    return {
        "phase": phase,
        "agents_executed": sum(1 for item in found if item["attempts"]),
        "agents_succeeded": sum(1 for item in found if item["status"] == outcomes.SUCCEEDED),
        "total_duration_s": round(sum(item["duration_s"] for item in found), 3),
        "total_retries": sum(max(0, len(item["attempts"]) - 1) for item in found),
        "validation": {
            "status": validation["status"],
            "artifacts_found": len(validation["artifacts_found"]),
            "artifacts_missing": len(validation["artifacts_missing"]),
        },
        "agents": [
            {
                "name": item["agent"],
                "success": item["status"] == outcomes.SUCCEEDED,
                "duration_s": item["duration_s"],
                "exit_code": item["exit_code"],
            }
            for item in found
        ],
    }
