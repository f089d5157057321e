"""The release manager of the embedded runner: changelog, version, Dockerfile, and a checklist made of evidence.

A box of the checklist is ticked only where a check of an earlier phase passed, and it links that result. Take the
result away and the box is open again. What no check can prove is left for a person.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow import files
from workflow.work.runners import templates

SCAFFOLDS = Path(__file__).resolve().parents[2] / "scaffolds"
EXPECTED = {
    "tests": "The project's own tests pass.",
    "coverage": "The tests reach the coverage target of {target} %.",
    "security": "The linter's security rules find nothing in the code.",
}


def prepare_release(tree: Path, brief: dict[str, Any]) -> list[str]:
    """Write the release's files into `tree`; returns their paths."""
    intake = brief["intake"]
    items, written = _proved(tree, brief)
    features = sorted(path.as_posix() for path in (Path("docs"), Path("reports")) if (tree / path).is_dir())
    values = templates.context(intake) | {"items": items, "folders": features}
    for folder in (SCAFFOLDS / "common" / "release_manager", SCAFFOLDS / intake["project"]["type"] / "release_manager"):
        if folder.is_dir():
            written += templates.render_tree(folder, tree, values)
    return sorted(set(written))


def _proved(tree: Path, brief: dict[str, Any]) -> tuple[list[dict[str, Any]], list[str]]:
    """The boxes that checks prove or fail to prove, and the evidence files that were written for them."""
    results: dict[str, dict[str, Any]] = {}
    for found in brief["upstream"]:
        for check in found["checks"]:
            results[check["name"]] = {"phase": found["phase"], **check}
    texts = EXPECTED | {name: f"The check {name} passes." for name in results if name not in EXPECTED}
    items, written = [], []
    for name, text in texts.items():
        result = results.get(name)
        proved = result is not None and result["status"] == "pass"
        item = {"text": text.format(target=brief["intake"]["testing"]["coverage_target"]), "proved": proved, "link": "", "phase": ""}
        if result is not None and result["exit_code"] is not None:
            path = f"release/evidence/{result['phase']}.{name}.json"
            files.write_json(tree / path, result)
            written.append(path)
            item |= {"link": f"evidence/{result['phase']}.{name}.json", "phase": result["phase"], "status": result["status"]}
        items.append(item)
    return items, written
