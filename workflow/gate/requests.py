"""REQUEST.md: what a person reads before deciding, as GitHub Markdown.

Everything that came from an agent (paths, logs, messages) is escaped or fenced: it cannot look like part of the page.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow import files, markup
from workflow.gate import costs, feedback, taskgraphs
from workflow.gate.approvals import MARKER, blockers, how_to_waive
from workflow.plan.commandline import Command
from workflow.plan.policies import SIGNED
from workflow.proof import validation as validations
from workflow.proof.hygiene import record
from workflow.proof.hygiene import summary as hygiene
from workflow.work import clashes, leaks, logs, naming, outcomes, trees
from workflow.work.redaction import Values

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).resolve().parents[1] / "templates"
GREEN, YELLOW, RED = ("🟢", "READY FOR REVIEW"), ("🟡", "PARTIAL SUCCESS"), ("🔴", "NEEDS ATTENTION")
FIRST_ARTIFACTS, FIRST_FOUND, FIRST_CHANGES, FIRST_UNTIDY = 5, 10, 50, 10
LOG_END = 3000
KEY = "key=~/.ssh/id_ed25519"  # what a suggested command says; a person who has another key changes it
PATCH_LIMIT = 20_000
CHECKLISTS = {
    "planning": [
        "The requirements say what the brief wants, and nothing that nobody asked for.",
        "The architecture fits the constraints, and each risk has an answer.",
        "The tasks cover the requirements.",
    ],
    "development": [
        "The code does what the requirements say.",
        "The tests would fail if the code were wrong.",
        "A newcomer can follow the README.",
    ],
    "testing": ["The findings were read, not only counted.", "What is not covered by tests is known and acceptable."],
}
GENERAL = ["The changed files are those that this phase should change.", "Nothing secret is in the files."]


def ribbon(manifest: Mapping[str, Any]) -> tuple[str, str]:
    """Colour and words of a manifest: red where a gate would be blocked, yellow where optional parts are missing."""
    if blockers(manifest["subject"]):
        return RED
    return YELLOW if manifest["subject"]["validation"]["status"] == "partial" else GREEN


def write_request(
    run_dir: Path, manifest: dict[str, Any], bundle: Path, command: Command, secret: Values, budgets: Sequence[Mapping[str, Any]] = ()
) -> Path:
    """Write REQUEST.md for a manifest. `command` starts this snakemake again; `secret` and tokens by shape do not appear.

    `budgets` are those that the phase's agents count against.
    """
    phase = manifest["phase"]
    folder = run_dir / phase
    merge, validation = files.read_json(folder / "merge.json"), validations.read(run_dir, phase)
    repo = run_dir / "project.git"
    stats = trees.diffstat(repo, merge["base"]["commit"], merge["commit"])
    found = [files.read_json(folder / "agents" / row["agent"] / "outcome.json") for row in merge["agents"]]
    parts = [one for row in merge["agents"] for one in outcomes.with_tasks(run_dir, phase, row["agent"])]
    sign, words = ribbon(manifest)
    values = {
        "sign": sign,
        "ribbon": words,
        "manifest": manifest,
        "phase": phase,
        "run": run_dir.name,
        "run_dir": run_dir.as_posix(),
        "bundle": bundle.as_posix(),
        "bundle_size": bundle.stat().st_size,
        "blockers": blockers(manifest["subject"]),
        **_review(run_dir, phase, manifest, merge, command, secret),
        "agents": [_agent(folder, outcome, command) for outcome in found],
        "fanned": [shown for outcome in found if (shown := taskgraphs.page_of(outcome, command, merge.get("resolutions", [])))],
        "resolutions": merge.get("resolutions", []),
        "plans": validation["plans"],
        "unusual": _unusual(merge, parts),
        "costs": costs.of_phase(run_dir, phase, budgets),
        "validation": validation,
        "cleanliness": _cleanliness(run_dir, phase, list(manifest["subject"]["upstream"])),
        "allowed": sum(row["allowed"] for row in validation["secrets"]),
        "first_found": validation["artifacts_found"][:FIRST_FOUND],
        "stats": [stat_row(row) for row in stats[:FIRST_CHANGES]],
        "stats_more": max(0, len(stats) - FIRST_CHANGES),
        "totals": {"files": len(stats), "added": sum(row[1] or 0 for row in stats), "deleted": sum(row[2] or 0 for row in stats)},
        "checklist": CHECKLISTS.get(phase, []) + GENERAL,
        "touch": _touch(command.path(folder / MARKER), folder / MARKER),
        "go_on": command.go_on(),
        "retry_failed": command.line("retry", config=(f"phase={phase}",)),
        "failed": [outcome["agent"] for outcome in found if outcome["status"] not in ("succeeded", "skipped")],
    }
    values["show_costs"] = costs.told_at_all(values["costs"])
    files.write_text(folder / "REQUEST.md", template(secret).render(values))
    return folder / "REQUEST.md"


def template(secret: Values) -> jinja2.Template:
    """The page; what it quotes is escaped, and neither `secret` nor a token by shape is among it."""
    pages = markup.environment(TEMPLATES)
    pages.filters["md"] = lambda text: untrusted(leaks.redact_text(str(text), secret))
    pages.filters["places"] = lambda row: untrusted(leaks.redact_text(clashes.places(row), secret))
    pages.filters["fence"] = lambda text, language="": markup.fenced(markup.visible(leaks.redact_text(text, secret)), language)
    return pages.get_template("REQUEST.md.j2")


def _touch(shown: str, marker: Path) -> str:
    """The command for a bare marker; one that names another digest has to go first."""
    named = marker.is_file() and marker.stat().st_size
    return f"rm {shown} && touch {shown}" if named else f"touch {shown}"


def untrusted(text: str) -> str:
    """`text` on one line that is neither markup nor a link (GitHub makes links of addresses on its own)."""
    plain = markup.markdown_text(markup.visible(markup.one_line(text)))
    return re.sub(r"(?i)(?<=www)\.|:(?=//)", r"\\\g<0>", plain).replace("\\@", "@<!-- -->")


def _review(run_dir: Path, phase: str, manifest: dict[str, Any], merge: dict[str, Any], command: Command, secret: Values) -> dict[str, Any]:
    """What the page says about decisions: the feedback that it answers, what was approved before, the commands."""
    answered = feedback.rounds(run_dir, phase)
    wrong, gate = blockers(manifest["subject"]), manifest["gate"]
    key = [KEY] if gate["policy"] == SIGNED else []
    approve = (f"phase={phase}", *([f"waive={how_to_waive(item.id for item in wrong)}"] if wrong else []), *key)
    values: dict[str, Any] = {
        "approvals": manifest["approvals"],
        "approve": command.line("approve", config=approve),
        "ask": command.line("request_changes", config=(f"phase={phase}", "note=what should change", *key)),
        "signatures": _signatures(gate),
        "adopt": command.line("adopt", config=(f"phase={phase}",)),
        "diff": command.line("diff", config=(f"phase={phase}",)),
        "round": None,
    }
    if answered:
        last = answered[-1]
        old, new, repo = last["reviewed"]["commit"], merge["commit"], run_dir / "project.git"
        values["round"] = last
        values["answers"] = [_answer(item, merge["agents"], last["agents"], run_dir / phase) for item in last["items"]]
        values["since_review"] = [stat_row(row) for row in trees.diffstat(repo, old, new)[:FIRST_CHANGES]]
        patch = trees.patch(repo, old, new)
        shown = leaks.redact_text(patch[: 2 * PATCH_LIMIT], secret)  # before it is cut: half a secret has no shape
        values["patch"], values["patch_cut"] = shown[:PATCH_LIMIT], len(patch) > PATCH_LIMIT
        values["since_more"] = max(0, len(trees.diffstat(repo, old, new)) - FIRST_CHANGES)
        values["diff_reviewed"] = command.line("diff", config=(f"phase={phase}", "against=reviewed"))
    return values


def _signatures(gate: Mapping[str, Any]) -> str:
    """How many signatures the gate wants, and whose, in words; empty where it wants none."""
    if gate["policy"] != SIGNED:
        return ""
    count, names = gate["approvals"], gate["approvers"]
    return f"{count} signature{'' if count == 1 else 's'}" + (f" of {', '.join(map(markup.plain, names))}" if names else "")


def _answer(item: dict[str, str], rows: list[dict[str, Any]], asked: list[str], folder: Path) -> dict[str, Any]:
    """One item of feedback with what the agents that were asked answered to it."""
    said = []
    for row in (row for row in rows if row["agent"] in asked):  # others still answer an earlier round
        outcome = files.try_read_json(folder / "agents" / row["agent"] / "outcome.json") or {}
        said += [f"{row['agent']}: {entry['status']}. {entry['why']}" for entry in outcome.get("feedback", []) if entry["id"] == item["id"]]
    return {**item, "said": said}


def _agent(folder: Path, outcome: dict[str, Any], command: Command) -> dict[str, Any]:
    """One agent for the page: its outcome, its first artifacts, and the end of its log where it failed."""
    log = folder / "agents" / outcome["agent"] / (outcome["log"] or "no-log")
    failed = outcome["status"] not in ("succeeded", "skipped")
    return outcome | {
        "first": [item["path"] for item in outcome["artifacts"][:FIRST_ARTIFACTS]],
        "more": max(0, len(outcome["artifacts"]) - FIRST_ARTIFACTS),
        "log_end": logs.log_end(log, LOG_END) if failed and outcome["log"] else "",
        "log_path": log.as_posix(),
        "retry": command.line("--cores", "2", "--forcerun", f"{outcome['phase']}_{outcome['agent']}"),
    }


def _cleanliness(run_dir: Path, phase: str, after: Sequence[str]) -> dict[str, Any]:
    """What the page says about hygiene: score, grade, points, the first findings, and how the score has moved."""
    found = record.read(run_dir, phase)
    moved = hygiene.trend(after, dict(record.scored(run_dir, after)), found)
    counts = [row["found"] or 0 for row in found["components"].values()]
    first = sorted(found["findings"], key=lambda row: -int(row["points"]))[:FIRST_UNTIDY]
    return {
        "score": found["score"],
        "grade": found["grade"],
        "points": hygiene.lost(found),
        "trend": moved if moved and moved["delta"] is not None else None,
        "first": [row | {"place": row["path"] + (f":{row['line']}" if row["line"] else "")} for row in first],
        "more": sum(counts) - len(first),
    }


def _unusual(merge: Mapping[str, Any], found: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Files with odd names or several names, which do not block; in the order of their paths."""
    listed = [*merge.get("findings", [])]  # a run of an older version has none
    listed += [row for outcome in found if outcome["status"] == "succeeded" for row in outcome.get("findings", [])]
    rows = {(row["path"], row["reason"]): {"path": naming.escaped(row["path"]), "reason": row["reason"]} for row in listed}
    return [row for _, row in sorted(rows.items())]


def stat_row(row: tuple[str, int | None, int | None]) -> dict[str, Any]:
    """A file of a diffstat for a page, with a bar."""
    path, added, deleted = row
    if added is None or deleted is None:
        return {"path": path, "added": "binary", "deleted": "", "bar": ""}
    total = added + deleted
    width = min(total, 20)
    plus = round(width * added / total) if total else 0
    return {"path": path, "added": added, "deleted": deleted, "bar": "+" * plus + "-" * (width - plus)}
