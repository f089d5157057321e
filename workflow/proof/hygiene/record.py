"""The record of a phase's hygiene: hygiene.json, written for its merged tree and read back with doubt.

Same tree, same criteria, same bytes: no time and no path of this machine stands in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import GitError
from workflow.proof.hygiene import deadcode, exposed, inventory, notebooks, orphans, scoring, sizes
from workflow.proof.hygiene.inventory import File
from workflow.proof.hygiene.mentions import Mentions
from workflow.proof.hygiene.scoring import DEAD, LARGE, LISTED, NOTEBOOKS, ORPHANS, SECRETS, WEIGHTS, Result, Unmeasured
from workflow.work import leaks, naming
from workflow.work.redaction import Values, declared

NAME = "hygiene.json"


def score_phase(run_dir: Path, phase: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Score the merged tree of a phase against its criteria.json and write hygiene.json.

    `options`: declared (names of variables that hold secrets).
    """
    merge = files.read_json(run_dir / phase / "merge.json")
    criteria = files.read_json(run_dir / phase / "criteria.json")
    values = Values(declared(options["declared"]))
    repo, tree = run_dir / "project.git", merge["tree"]
    try:
        found = inventory.files(repo, tree)
        results = _results(repo, tree, found, criteria, values)
    except GitError as error:
        found, results = [], [scoring.unknown(name, Unmeasured("git", str(error))) for name in WEIGHTS]
    record = {"schema": 1, "phase": phase, "tree": tree, "files": len(found), **_summed(results, values)}
    files.write_json(run_dir / phase / NAME, record)
    return record


def _results(repo: Path, tree: str, found: Sequence[File], criteria: Mapping[str, Any], values: Values) -> list[Result]:
    """All components; one pass over the contents serves those that look at every file."""
    mentions, search = Mentions(orphans.names(found)), exposed.Search(values, criteria["allow"])
    for item, content in inventory.contents(repo, [item for item in found if item.mode != "160000"]):
        search.look(item.path, content)
        if item.is_plain and not orphans.is_leftover(item):
            mentions.look(item.path, content)
    patterns = [*criteria["required"], *criteria["optional"], *criteria["hygiene"]["artifacts"]]
    return [
        _measured(ORPHANS, lambda: orphans.judge(repo, tree, found, mentions, patterns)),
        _measured(LARGE, lambda: sizes.judge(found, criteria["hygiene"]["large_file_bytes"])),
        _measured(DEAD, lambda: deadcode.judge(repo, found)),
        _measured(NOTEBOOKS, lambda: notebooks.judge(repo, found)),
        _measured(SECRETS, search.result),
    ]


def _measured(component: str, judge: Callable[[], Result]) -> Result:
    try:
        return judge()
    except Unmeasured as why:
        return scoring.unknown(component, why)


def _summed(results: Sequence[Result], values: Values) -> dict[str, Any]:
    """Components, score, grade and the first findings; nothing in them is a secret or can act on a line."""

    def shown(text: str) -> str:
        return naming.escaped(leaks.redact_text(text, values))

    score = scoring.total(result.points for result in results)
    listed = [(result.component, item) for result in results for item in result.findings[:LISTED]]
    return {
        "score": score,
        "grade": scoring.grade(score),
        "components": {result.component: result.row() | {"reason": shown(result.reason)} for result in results},
        "unknown": sorted({result.scanner for result in results if result.status == scoring.UNKNOWN}),
        "findings": [
            {"component": name, "path": shown(item.path), "line": item.line, "reason": shown(item.reason), "points": item.points}
            for name, item in listed
        ],
    }


def read(run_dir: Path, phase: str) -> dict[str, Any]:
    """hygiene.json of a phase, with the score worked out again from its components.

    Where there is no readable record of the phase's merged tree, every component is unknown.
    """
    merge = files.read_json(run_dir / phase / "merge.json")
    record = files.try_read_json(run_dir / phase / NAME)
    if not isinstance(record, dict) or record.get("tree") != merge["tree"]:
        missing = Unmeasured("score_hygiene", "not measured")
        results = [scoring.unknown(name, missing) for name in WEIGHTS]
        return {"schema": 1, "phase": phase, "tree": merge["tree"], "files": None, **_summed(results, Values({}))}
    score = scoring.total(record["components"][name]["points"] for name in WEIGHTS)
    return record | {"score": score, "grade": scoring.grade(score)}


def scored(run_dir: Path, phases: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(phase, record) of those phases that have a record."""
    for phase in phases:
        if (run_dir / phase / NAME).is_file() and (run_dir / phase / "merge.json").is_file():
            yield phase, read(run_dir, phase)
