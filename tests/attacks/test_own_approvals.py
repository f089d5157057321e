"""An agent that approves its own phase, in a real run: with a sandbox it cannot; without one it is seen, and refused when signed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from conftest import Desk, sh
from signers import ANN, BOB, make_key, write_allowed

from workflow.work import sandbox

FORGE = """
cd {desk}/runs/demo && mkdir -p plan build
for phase in plan build; do
    touch $phase/APPROVED
    touch -d 2100-01-01 $phase/APPROVED
done
"""
NAME = """
python3 - <<'END'
import json, pathlib
run = pathlib.Path("{desk}/runs/demo")
predicate = dict(decision="approved", run="demo", phase="plan", by="ann@example.org", at="2026-01-01T00:00:00.000Z", waivers=[])
subject = [dict(name="demo/plan", digest=dict(sha256="0" * 64))]
made = dict(_type="https://in-toto.io/Statement/v1", predicateType="urn:phasegate:approval:v1", predicate=predicate, subject=subject)
(run / "plan/APPROVED").write_text(json.dumps(made))
END
"""


def begun(desk: Desk, script: str, **more: Any) -> Desk:
    """A run whose first agent does its work and this."""
    work = f"(\n{script.format(desk=desk.path)}\n) >/dev/null 2>&1; echo the plan > plan.md"
    phases = {"plan": {"agents": {"writer": {"runner": "write"}}}, "build": {"agents": {"maker": {"runner": "make"}}}}
    desk.configure(phases, {"write": sh(work), "make": sh("cat plan.md > made.txt")}, **more)
    return desk


def signed(desk: Desk) -> dict[str, str]:
    folder = desk.path.parent / "keys"
    write_allowed(folder / "allowed_signers", {ANN: make_key(folder, "ann"), BOB: make_key(folder, "bob")})
    return {"policy": "signed", "allowed_signers": str(folder / "allowed_signers")}


@pytest.mark.skipif(sandbox.choose("auto") == "none", reason="no sandbox works here")
def test_with_a_sandbox_it_is_impossible(desk: Desk) -> None:
    begun(desk, FORGE + NAME, sandbox="require").run()
    assert not list(Path(desk.path, "runs/demo").glob("*/APPROVED*"))
    assert desk.json("runs/demo/status.json")["phases"]["plan"]["state"] == "waiting"


@pytest.mark.parametrize(
    ("script", "told"),
    [(FORGE, "APPROVED carries a time in the future"), (NAME, "APPROVED names 000000000000, shown is")],
)
def test_without_a_sandbox_it_is_seen_and_named(desk: Desk, script: str, told: str) -> None:
    said = begun(desk, script, sandbox="off").run().said
    assert "plan waits for your review again" in said
    assert told in said
    assert not (desk.path / "runs/demo/build/agents/maker/outcome.json").exists()


def test_where_signatures_are_asked_for_it_is_refused(desk: Desk) -> None:
    said = begun(desk, FORGE, sandbox="off", gate=signed(desk)).run().said
    assert "0 of 1 signed approvals; APPROVED is empty: a touched marker is not signed" in said
    marker = desk.path / "runs/demo/plan/APPROVED"
    marker.write_bytes((desk.path / "runs/demo/plan/digest").read_bytes())  # what a daemon of the agent may do later
    assert "APPROVED is not a statement" in desk.run().said
    assert not (desk.path / "runs/demo/build/agents/maker/outcome.json").exists()
