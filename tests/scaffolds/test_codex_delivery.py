"""A web application whose development is done by the real codex CLI, against a scripted model on loopback.

Its first version breaks the project's own tests; a person asks for changes; codex mends it; the project is delivered.
"""

from __future__ import annotations

import base64
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Desk
from models import clis
from models.scripts import Edit, Read, Script, Shell, Turn, Usage, Write
from models.server import Model, serve

from workflow.plan import documents
from workflow.work.runners import templates

pytestmark = pytest.mark.long
USED = Usage(4000, 250, 1000)
PLACE, RIGHT, WRONG = "src/my_notes/validation.py", "len(title) > MAX_TITLE_CHARACTERS", "len(title) >= MAX_TITLE_CHARACTERS"
NOTE = "A title of exactly the longest length must be taken."


def first_version(folder: Path) -> str:
    """The scaffold's source with a planted bug, as a compressed archive in base64: what the model's first command unpacks."""
    brief = yaml.safe_load((ROOT / "config/intakes/webapp.yaml").read_text())
    brief["project"]["name"] = "my-notes"
    values = templates.context(documents.fill_defaults(brief, documents.schema("intake")))
    templates.render_tree(ROOT / "workflow/scaffolds/webapp/developer", folder, values)
    source = folder / PLACE
    assert RIGHT in source.read_text()
    source.write_text(source.read_text().replace(RIGHT, WRONG))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        archive.add(folder, ".")
    return base64.b64encode(packed.getvalue()).decode()


def scripts(folder: Path) -> tuple[Script, ...]:
    """What the model does when it is given feedback, and when it begins."""
    reply = Write("feedback.json", '[{"id": "F1", "status": "done", "why": "the limit itself is allowed now"}]\n')
    mend: tuple[Any, ...] = (Read(PLACE), Edit(PLACE, WRONG, RIGHT), reply)
    begin = Shell(f"echo {first_version(folder)} | base64 -d | tar -xJ")
    return tuple(
        Script((*(Turn(actions=(action,), usage=USED) for action in actions), Turn("Done.", usage=USED)), when)
        for when, actions in ((NOTE, mend), ("", (begin,)))
    )


def configure(desk: Desk, model: Model) -> None:
    """The default phases, in which the developer is codex."""
    shipped = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    phases = shipped["phases"]
    phases["development"]["agents"]["developer"] = {"runner": "codex"}
    codex = {"model": "gpt-5.2-codex", "env": [f"{clis.KEY}=k"], "files": clis.codex_files(model.url)}
    desk.configure(phases, {"codex": codex})


def test_codex_develops_breaks_the_tests_is_asked_for_changes_and_delivers(desk: Desk, tmp_path: Path) -> None:
    clis.program("codex")
    desk.env = {"PATH": clis.path()}
    with serve(*scripts(tmp_path / "source")) as model:
        configure(desk, model)
        desk.run("quickstart", "--config", "type=webapp", "name=my-notes")
        desk.touch("planning", run="my-notes")

        broken = desk.run(check=1, timeout=900)
        assert "development is blocked" in broken.last[-5]
        rows = {row["name"]: row["status"] for row in desk.json("runs/my-notes/development/validation.json")["checks"]}
        assert rows["tests"] == "fail"
        page = desk.read("runs/my-notes/development/REQUEST.md")
        assert "What it used" in page
        calls = model.calls
        assert calls >= 2

        desk.run("request_changes", "--config", "phase=development", f"note={NOTE}", "agents=developer", "by=Ann")
        desk.run(timeout=900)
        assert desk.outcome("development", "developer", "my-notes")["feedback"] == [
            {"id": "F1", "status": "done", "why": "the limit itself is allowed now"}
        ]
        page = desk.read("runs/my-notes/development/REQUEST.md")
        assert "developer: done. the limit itself is allowed now" in page
        assert f"+    if {RIGHT}" in page or f"{RIGHT}" in page
        usage = desk.outcome("development", "developer", "my-notes")["usage"]
        assert usage["input_tokens"] == 4000 * model.calls
        assert usage["cost_usd"] is None or usage["cost_usd"] > 0

    for phase in ("development", "testing"):
        desk.touch(phase, run="my-notes")
        done = desk.run(timeout=900)
    assert "delivered" in done.last[-5]
    assert RIGHT in desk.read(f"runs/my-notes/project/{PLACE}")
    assert desk.run("verify").code == 0
