"""Validation: does a phase's merged result hold what was asked for, and nothing secret?

Artifacts by pattern, checks by running them, secrets by a scan. Statuses of a phase: pass; partial (an optional
artifact is missing); fail (a required artifact is missing, a check failed, a secret was found); unknown (a check or the
scan could not run). Worst first: fail, unknown, partial, pass.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow import files, globs
from workflow.proof import bisection, checks, exposure, materials, planning
from workflow.work import graders


def validate_phase(run_dir: Path, phase: str, options: dict[str, Any]) -> dict[str, Any]:
    """Hold the merged result of a phase against its criteria.json and write validation.json.

    `options`: timeouts_s (check to seconds), sandbox, environments, declared (names of variables that hold secrets).
    """
    merge = files.read_json(run_dir / phase / "merge.json")
    criteria = files.read_json(run_dir / phase / "criteria.json")
    produced = sorted(item["path"] for item in merge["changes"] if item["mode"].startswith("100") and item["size"] > 0)
    patterns = [_matched(pattern, True, produced) for pattern in criteria["required"]]
    patterns += [_matched(pattern, False, produced) for pattern in criteria["optional"]]
    plans = planning.read_all(run_dir, merge, criteria.get("plans", []))
    tree, restored = graders.approved(run_dir / "project.git", merge["base"]["commit"], merge["commit"], criteria.get("protected", []))
    logs = run_dir / phase / "checks"
    results = checks.run_all(run_dir, f"{phase} check", logs, tree, criteria["checks"], options) | {"restored": restored}
    bisection.name_culprits(run_dir, phase, merge, criteria, results["checks"], options)
    scanned = exposure.scan_phase(run_dir, merge, options["declared"], criteria["allow"], results["checks"])
    exposure.clean_checks(run_dir, results, options["declared"])
    record = {
        "phase": phase,
        "tree": merge["tree"],
        "status": overall(patterns, results["checks"], scanned["scan"]["status"], plans),
        "artifacts": patterns,
        "plans": plans,
        "artifacts_found": sorted({path for row in patterns for path in row["found"]}),
        "artifacts_missing": [row["pattern"] for row in patterns if not row["found"]],
        **results,
        **scanned,
    }
    materials.record(run_dir, phase, record, options["environments"])
    files.write_json(run_dir / phase / "validation.json", record)
    return record


def read(run_dir: Path, phase: str) -> dict[str, Any]:
    """validation.json held against criteria.json: a check or scan without a result is unknown, a pattern has found nothing."""
    record = files.read_json(run_dir / phase / "validation.json")
    criteria = files.read_json(run_dir / phase / "criteria.json")
    rows = {row["name"]: row for row in record["checks"]}
    checked = [rows.get(check["name"]) or checks.no_result(check) for check in criteria["checks"]]
    known = {(row["pattern"], row["required"]): row for row in record["artifacts"]}
    wanted = [(pattern, True) for pattern in criteria["required"]] + [(pattern, False) for pattern in criteria["optional"]]
    patterns = [known.get((name, must)) or {"pattern": name, "required": must, "found": []} for name, must in wanted]
    scan = record.get("scan") or {"status": exposure.UNKNOWN, "reason": "there is no result of it", "scanner": None, "cut": []}
    held = {"checks": checked, "artifacts": patterns, "scan": scan, "secrets": record.get("secrets", [])}
    missing = [row["pattern"] for row in patterns if not row["found"]]
    held |= {"plans": planning.held(criteria.get("plans", []), record.get("plans", []))}
    return record | held | {"status": overall(patterns, checked, scan["status"], held["plans"]), "artifacts_missing": missing}


def _matched(pattern: str, required: bool, produced: list[str]) -> dict[str, Any]:
    """The files that a pattern found among what the phase produced (created or changed; neither empty nor a link)."""
    found = [path for path in produced if globs.matches(path, pattern)]
    return {"pattern": pattern, "required": required, "found": found}


def overall(patterns: list[dict[str, Any]], results: list[dict[str, Any]], scan: str, plans: list[dict[str, Any]]) -> str:
    """The status of the phase from its patterns, its checks, the scan for secrets, and the plans that it makes for later phases."""
    missing = {row["required"] for row in patterns if not row["found"]}
    states = {row["status"] for row in [*results, *plans]}
    if True in missing or "fail" in states or scan == exposure.FOUND:
        return "fail"
    if states - {"pass", "fail"} or scan != exposure.CLEAN:
        return "unknown"
    return "partial" if missing else "pass"
