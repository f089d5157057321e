"""A run with as many outcomes as a test asks for, written as the files that a real one leaves, in seconds.

The library packs, shows and approves it, so that everything in it verifies; agents, logs and times are made up (always
the same ones). No agent ran.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml
from conftest import INTAKE
from runs import tree_of

from workflow import files
from workflow.gate import approvals, history, review
from workflow.gate.approvals import Approval
from workflow.plan.commandline import Command
from workflow.work import joining, trees

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
AT_ONCE = 8
PHASES = ("plan", "build", "test", "ship")
LIMITS = {"min_score": None, "max_orphans": None, "large_file_bytes": 5_000_000, "artifacts": []}
LINE = "step {step} of {agent}: looked at module {module}, {word} in {ms} ms\n"


def make_run(folder: Path, agents: int, failed_share: float = 0.05) -> Path:
    """Write `runs/demo` and its configuration into the working directory `folder`; returns the run's folder.

    The agents are spread over four phases. The first three are approved; in the last one some agents failed, and its gate
    is blocked.
    """
    dice, run_dir = random.Random(7), folder / "runs" / "demo"
    names = {phase: [f"agent-{number:04d}" for number in range(place, agents, len(PHASES))] for place, phase in enumerate(PHASES)}
    _configure(folder, names)
    repo = run_dir / "project.git"
    trees.create(repo)
    now = tree_of(repo, {"README.md": "# Demo\n"})
    files.write_json(run_dir / "start.json", {"commit": now.commit, "tree": now.tree, "source": None, "ref": None})
    about = {"run": "demo", "started_by": "somebody", "version": "0.1.0", "type": "other", "python": "3.11.0"}
    files.write_json(run_dir / "run.json", about | {"started_at": files.timestamp(START)})
    clock, content, after = START + timedelta(seconds=5), {"README.md": "# Demo\n"}, []
    for phase in PHASES:
        share = failed_share if phase == PHASES[-1] else 0.0
        now, clock = _phase(run_dir, phase, names[phase], after, now, content, clock, share, dice)
        after = [phase]
    return run_dir


def _configure(folder: Path, names: dict[str, list[str]]) -> None:
    """The configuration and the brief that such a run would have begun with."""
    phases = {phase: {"agents": {name: {} for name in found}} for phase, found in names.items()}
    files.write_text(folder / "config" / "config.yaml", yaml.safe_dump({"phases": phases}, sort_keys=False))
    files.write_text(folder / "config" / "intake.yaml", yaml.safe_dump(INTAKE, sort_keys=False))
    from workflow.plan import intake

    intake.freeze(intake.read(folder / "config" / "intake.yaml"), folder / "config" / "intake.yaml", folder / "runs" / "demo")


def _phase(
    run_dir: Path,
    phase: str,
    names: list[str],
    after: list[str],
    base: trees.Commit,
    content: dict[str, str],
    clock: datetime,
    failed_share: float,
    dice: random.Random,
) -> tuple[trees.Commit, datetime]:
    """One phase up to its request; the commit that it ends with, and when."""
    repo, folder = run_dir / "project.git", run_dir / phase
    content |= {
        f"src/{phase}/{name.replace('-', '_')}.py": f'"""Made by {name}."""\n\nVALUE = {place}\n' for place, name in enumerate(names)
    }
    now = tree_of(repo, content, [base.commit])
    trees.set_ref(repo, f"phases/{phase}", now.commit)
    files.write_json(folder / "base.json", {"phase": phase, "commit": base.commit, "tree": base.tree, "after": after, "conflicts": []})
    changes = joining.described(repo, base.commit, now.commit)
    made = {Path(item["path"]).stem: item for item in changes}
    free, rows = [clock] * AT_ONCE, []
    for name in names:
        slot = free.index(min(free))
        failed = dice.random() < failed_share
        outcome = _outcome(phase, name, made[name.replace("-", "_")], failed, free[slot], base, now, dice)
        free[slot] = datetime.fromisoformat(outcome["ended_at"])
        _write_agent(folder / "agents" / name, name, outcome, dice)
        rows.append({"agent": name, "status": outcome["status"], "commit": (outcome["result"] or {}).get("commit")})
    merge = {"phase": phase, "status": "merged", "commit": now.commit, "tree": now.tree, "agents": rows, "adoptions": []}
    merge |= {"base": {"commit": base.commit, "tree": base.tree}, "conflicts": [], "changes": changes, "findings": []}
    files.write_json(folder / "merge.json", merge)
    _show(run_dir, phase, names, after, now, max(free) + timedelta(seconds=2))
    return now, max(free) + timedelta(minutes=20)


def _outcome(
    phase: str, name: str, made: dict[str, Any], failed: bool, start: datetime, base: trees.Commit, now: trees.Commit, dice: random.Random
) -> dict[str, Any]:
    """One outcome, of the shape that `work/outcomes.py` gives it; every fifth agent does not tell its cost."""
    tries = 3 if failed else 1 + (dice.random() < 0.1)
    attempts, at = [], start
    for number in range(1, tries + 1):
        took = round(dice.uniform(2, 90), 3)
        good = number == tries and not failed
        row = {
            "number": number,
            "status": "succeeded" if good else "failed",
            "exit_code": 0 if good else 75,
            "killed": [],
            "runner": "fake",
        }
        row |= {"started_at": files.timestamp(at), "ended_at": files.timestamp(at + timedelta(seconds=took)), "duration_s": took}
        attempts.append(row | {"error": None if good else "exit code 75", "retryable": not good})
        at += timedelta(seconds=took + 1)
    told = dice.random() < 0.8
    usage = {"input_tokens": dice.randrange(500, 90_000) * tries, "output_tokens": dice.randrange(50, 9_000) * tries, "cached_tokens": 0}
    usage |= {
        "model_calls": dice.randrange(1, 40) * tries,
        "cost_usd": round(dice.uniform(0.01, 2), 4) if told else None,
        "estimated": False,
    }
    last = attempts[-1]
    return {
        "run": "demo", "phase": phase, "agent": name, "task": None, "role": "agent", "status": last["status"],
        "exit_code": last["exit_code"], "errors": ["exit code 75 (rate limit)"] if failed else [], "attempts": attempts,
        "started_at": last["started_at"], "ended_at": last["ended_at"], "duration_s": last["duration_s"],
        "runner": {"name": "fake", "version": "1", "model": "tiny-1"}, "prompt_sha256": "0" * 64, "brief_sha256": "0" * 64,
        "base": {"commit": base.commit, "tree": base.tree}, "result": None if failed else {"commit": now.commit, "tree": now.tree},
        "artifacts": [made], "deleted": [], "usage": usage, "sandbox": "bubblewrap", "feedback": [], "findings": [],
        "findings_count": 0, "log": f"attempts/{last['number']:03d}/output.log", "again": False,
    }  # fmt: skip


def _write_agent(folder: Path, name: str, outcome: dict[str, Any], dice: random.Random) -> None:
    """The outcome and what its attempts left, without syncing each file to the disk."""
    for attempt in outcome["attempts"]:
        place = folder / "attempts" / f"{attempt['number']:03d}"
        place.mkdir(parents=True)
        begun = {"number": attempt["number"], "runner": "fake", "version": "1", "model": "tiny-1", "started_at": attempt["started_at"]}
        ended = {"exit_code": attempt["exit_code"], "duration_s": attempt["duration_s"], "ended_at": attempt["ended_at"], "stopped": ""}
        records = {"begin": begun, "exit": ended, "result": {"status": attempt["status"]}, "usage": outcome["usage"]}
        for kind, record in records.items():
            (place / f"{kind}.json").write_text(json.dumps(record))
        words = ("found nothing", "wrote a line", "thought again")
        steps = range(dice.randrange(5, 40))
        lines = [
            LINE.format(step=step, agent=name, module=step * 7 % 11, word=dice.choice(words), ms=dice.randrange(900)) for step in steps
        ]
        (place / "output.log").write_text("".join(lines))
    (folder / "outcome.json").write_text(files.pretty_json(outcome))


def _show(run_dir: Path, phase: str, names: list[str], after: list[str], now: trees.Commit, at: datetime) -> None:
    """Validate (without running anything), ask for the review, and approve it where nothing is wrong; all of it at that time."""
    folder = run_dir / phase
    files.write_json(folder / "criteria.json", {"required": [], "optional": [], "checks": [], "allow": [], "hygiene": LIMITS})
    scan = {"status": "clean", "reason": "", "scanner": {"name": "none", "version": "0"}, "files": 0, "bytes": 0, "cut": []}
    record = {"phase": phase, "tree": now.tree, "status": "pass", "artifacts": [], "artifacts_found": [], "artifacts_missing": []}
    record |= {"checks": [], "environment": None, "sandbox": None, "scan": scan, "secrets": []}
    files.write_json(folder / "validation.json", record)
    options: dict[str, Any] = {"agents": names, "after": after, "gates": dict.fromkeys(after, "required"), "beside": {}}
    options |= {"gate": {"kind": "required", "policy": "digest"}, "compression": 1, "budgets": [], "declared": []}
    made = review.request_review(run_dir, phase, options | {"command": {"words": Command(("snakemake",)).words}})
    gate = files.read_json(history.path(run_dir, phase))
    gate["shown"][-1]["at"] = files.timestamp(at)
    files.write_json(history.path(run_dir, phase), gate)
    if not approvals.blockers(made["subject"]):
        later = files.timestamp(at + timedelta(minutes=15))
        given = Approval(made["digest"], "somebody", later, "looks right", f"demo/{phase}")
        files.write_bytes(folder / approvals.MARKER, approvals.statement("demo", phase, given))
