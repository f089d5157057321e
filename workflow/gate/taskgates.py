"""Gates of single tasks (`gate: each`): each result is shown by itself, and what builds on it waits until a person has approved it.

A task's folder is a place like a phase's: manifest.json, digest and REQUEST.md are what is shown, APPROVED and CHANGES_REQUESTED
lie beside them, and the same rules judge them (`verdict`). Its digest names what the task changed and how that was accepted, not
what it was built on; so an approval holds while the base moves and the change stays the same. The phase's gate comes after.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow import files, markup
from workflow.gate import feedback, history, verdict
from workflow.gate.approvals import MARKER, blockers, how_to_waive
from workflow.gate.requests import PATCH_LIMIT, TEMPLATES, ribbon, stat_row, untrusted
from workflow.plan.commandline import Command
from workflow.plan.phases import Phase
from workflow.plan.policies import Policy
from workflow.work import leaks, trees
from workflow.work.redaction import Values, declared

EACH = "each"
LATER = "with the phase"  # when the scan for secrets looks at it


def place(phase: str, unit: str) -> str:
    """What stands for the task where a phase's name stands for a phase; its folder in the run."""
    return f"{phase}/agents/{unit}"


def judge(run_dir: Path, phase: str, unit: str, policy: Policy) -> verdict.Verdict:
    """The verdict of a task's gate, live from its files."""
    return verdict.judge(run_dir, place(phase, unit), "required", policy)


def shown(run_dir: Path, phase: Phase, policy: Policy) -> Iterator[tuple[str, verdict.Verdict]]:
    """(name, verdict) of each task of a phase (with its tasks in it) whose result is shown by itself."""
    for agent in phase.agents if phase.gate == EACH else ():
        if agent.task and (run_dir / place(phase.name, agent.name) / "REQUEST.md").is_file():
            yield agent.name, judge(run_dir, phase.name, agent.name, phase.policy or policy)


def show(run_dir: Path, phase: str, unit: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Write what a person decides on for one task; returns its manifest. A task that was skipped is not shown.

    `options`: command (how snakemake is started again), declared (names of variables that hold secrets).
    """
    here = place(phase, unit)
    folder = run_dir / here
    outcome, brief = files.read_json(folder / "outcome.json"), files.read_json(folder / "brief.json")
    if outcome["status"] == "skipped" or outcome["base"] is None:
        for name in ("REQUEST.md", "digest", "manifest.json"):
            (folder / name).unlink(missing_ok=True)
        return None
    result = outcome["result"] or outcome["base"]
    merge = {"base": outcome["base"], **result, "agents": [{"agent": unit, "commit": result["commit"]}]}
    subject = _subject(run_dir, here, outcome, brief, _answered(run_dir, here, brief, result))
    made = {
        "schema": 1,
        "phase": here,
        "run_id": run_dir.name,
        "created_at": outcome["ended_at"],
        "digest": files.sha256_json(subject),
        "subject": subject,
    }
    files.write_json(folder / "merge.json", merge)
    files.write_json(folder / "manifest.json", made)
    files.write_text(folder / "digest", f"{made['digest']}\n")
    _write_page(run_dir, made, outcome, Command(**options["command"]), Values(declared(options["declared"])))
    history.record_shown(run_dir, here, made["digest"])
    if subject["feedback"]:
        feedback.mark_answered(run_dir, here, subject["feedback"]["sha256"])
    return made


def _answered(run_dir: Path, here: str, brief: Mapping[str, Any], result: Mapping[str, str]) -> dict[str, Any] | None:
    """The round of feedback on this task that the result answers."""
    rounds = feedback.rounds(run_dir, here)
    told = (brief["rework"] or {}).get("round")
    if not rounds or rounds[-1]["sha256"] != told:
        return None
    return {"sha256": told, "unchanged": rounds[-1]["reviewed"]["tree"] == result["tree"]}


def _subject(
    run_dir: Path, here: str, outcome: Mapping[str, Any], brief: Mapping[str, Any], answered: dict[str, Any] | None
) -> dict[str, Any]:
    """What is reviewed. It has the form of a phase's subject, as far as gates look at that."""
    kept = ("path", "sha256", "size", "mode")
    validation = {"status": "unknown", "missing": [], "artifacts": [], "checks": [], "scan": LATER, "secrets": []}
    return {
        "schema": 1,
        "run": run_dir.name,
        "phase": here,
        "upstream": {},
        "task": {key: value for key, value in brief["task"].items() if key != "lineage"},
        "files": [{key: item[key] for key in kept} for item in outcome["artifacts"]],
        "deleted": outcome["deleted"],
        "outside": [row["path"] for row in outcome["findings"] if row.get("kind") == "outside"],
        "accept": [{key: row[key] for key in ("command", "status", "exit_code")} for row in outcome.get("accept", [])],
        "agents": [{"name": outcome["agent"], "status": outcome["status"], "exit_code": outcome["exit_code"], "tree": None}],
        "conflicts": [],
        "validation": validation,
        "feedback": answered,
    }


def _write_page(run_dir: Path, manifest: Mapping[str, Any], outcome: Mapping[str, Any], command: Command, secret: Values) -> None:
    here, subject = manifest["phase"], manifest["subject"]
    phase, _, unit = here.partition("/agents/")
    repo, base, result = run_dir / "project.git", outcome["base"], outcome["result"] or outcome["base"]
    patch = leaks.redact_text(trees.patch(repo, base["commit"], result["commit"])[: 2 * PATCH_LIMIT], secret)
    wrong = blockers(subject)
    named = (f"phase={phase}", f"tasks={subject['task']['id']}")
    waived = (f"waive={how_to_waive(item.id for item in wrong)}",) if wrong else ()
    sign, words = ribbon(manifest)
    pages = markup.environment(TEMPLATES)
    pages.filters["md"] = lambda text: untrusted(leaks.redact_text(str(text), secret))
    pages.filters["fence"] = lambda text, language="": markup.fenced(markup.visible(text), language)
    values = {
        "sign": sign,
        "ribbon": words,
        "manifest": manifest,
        "task": subject["task"],
        "unit": unit,
        "phase": phase,
        "run": run_dir.name,
        "outcome": outcome,
        "blockers": wrong,
        "stats": [stat_row(row) for row in trees.diffstat(repo, base["commit"], result["commit"])[:50]],
        "patch": patch[:PATCH_LIMIT],
        "patch_cut": len(patch) > PATCH_LIMIT,
        "marker": command.path(run_dir / here / MARKER),
        "approve": command.line("approve", config=(*named, *waived)),
        "ask": command.line("request_changes", config=(*named, "note=what should change")),
        "retry": command.line("retry", config=(f"phase={phase}", f"agent={unit}")) if wrong else "",
        "go_on": command.go_on(),
    }
    files.write_text(run_dir / here / "REQUEST.md", pages.get_template("TASK.md.j2").render(values))
