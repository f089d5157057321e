"""The embedded runner: it makes a real project from templates, without a key and without a network.

Roles that write (analyst, architect, data_engineer, developer, tester, documentarian) render
`workflow/scaffolds/common/<role>/` and then `workflow/scaffolds/<type>/<role>/` over it. Roles that measure (qa,
security) run the project's own tools; release_manager writes down what was proved.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow import files
from workflow.errors import RunError
from workflow.work import replies
from workflow.work.runners import measuring, releasing, templates

WRITERS = ("data_engineer", "developer", "tester", "documentarian")
SCAFFOLDS = Path(__file__).resolve().parents[2] / "scaffolds"


def scaffold(tree: Path, brief: dict[str, Any]) -> list[str]:
    """Do a role's work in `tree`; returns the paths that were written. RunError where it cannot be done."""
    kind, role = brief["intake"]["project"]["type"], brief["role"]
    makers = {"qa": measuring.test_project, "security": measuring.scan_project, "release_manager": releasing.prepare_release}
    if brief.get("task"):
        written = _render_task(tree, brief, kind)
    else:
        written = makers[role](tree, brief) if role in makers else _render(tree, brief, kind, role)
    if brief["feedback"]:
        why = "the embedded runner renders templates and cannot take feedback; configure a coding agent for this"
        answers = [{"id": item["id"], "status": "not done", "why": why} for item in brief["feedback"]]
        files.write_json(tree / replies.NAME, answers)
    for path in written:
        print(f"wrote {path}")
    return written


def _render(tree: Path, brief: dict[str, Any], kind: str, role: str) -> list[str]:
    folders = [folder for folder in (SCAFFOLDS / "common" / role, SCAFFOLDS / kind / role) if folder.is_dir()]
    if not folders:
        known = ", ".join(sorted(path.name for path in SCAFFOLDS.iterdir() if path.name != "common"))
        raise RunError(
            f"the scaffold runner has nothing for role `{role}` of a project of type `{kind}` (types: {known}); configure another runner"
        )
    values = templates.context(brief["intake"])
    return sorted({path for folder in folders for path in templates.render_tree(folder, tree, values)})


def _render_task(tree: Path, brief: dict[str, Any], kind: str) -> list[str]:
    """Render what a task touches, of all that the writing roles render for a project of this type."""
    task = brief["task"]
    if not task["touches"]:
        raise RunError(
            f"the scaffold runner renders what a task touches, and task {task['id']} does not say what that is; name files in `touches`"
        )
    folders = [folder for role in WRITERS for folder in (SCAFFOLDS / "common" / role, SCAFFOLDS / kind / role) if folder.is_dir()]
    values = templates.context(brief["intake"])
    return sorted({path for folder in folders for path in templates.render_tree(folder, tree, values, task["touches"])})
