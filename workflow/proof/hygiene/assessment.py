"""The assessment of a phase: all components of hygiene for its merged tree, written to hygiene.json."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import GitError
from workflow.proof.hygiene import deadcode, exposed, inventory, notebooks, orphans, record, scoring, sizes
from workflow.proof.hygiene.inventory import File
from workflow.proof.hygiene.mentions import Mentions
from workflow.proof.hygiene.scoring import DEAD, LARGE, NOTEBOOKS, ORPHANS, SECRETS, WEIGHTS, Result, Unmeasured
from workflow.work.redaction import Values, declared
from workflow.work.trees import SUBMODULE


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
        if not found:
            raise Unmeasured("no files", "there are no files to judge")
        results = _results(repo, tree, found, criteria, values)
    except (GitError, Unmeasured) as error:
        why = error if isinstance(error, Unmeasured) else Unmeasured("git", str(error))
        found, results = [], [scoring.unknown(name, why) for name in WEIGHTS]
    made = {"schema": 1, "phase": phase, "tree": tree, "files": len(found), **record.summed(results, values)}
    files.write_json(run_dir / phase / record.NAME, made)
    return made


def _results(repo: Path, tree: str, found: Sequence[File], criteria: Mapping[str, Any], values: Values) -> list[Result]:
    """All components; one pass over the contents serves those that look at every file."""
    mentions, search = Mentions(orphans.names(found)), exposed.Search(values, criteria["allow"])
    for item, content in inventory.contents(repo, [item for item in found if item.mode != SUBMODULE]):
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
