"""What opens the gate of each phase, as the settings say it; signers that agents could write are refused where they are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT
from runs import full_intake

from workflow.errors import ConfigError
from workflow.plan import commandline, phases, policies, settings
from workflow.plan.policies import Signed

PHASES: dict[str, Any] = {"plan": {"agents": {"writer": {}}}, "build": {"agents": {"maker": {}}}}


def plan(folder: Path, gate: dict[str, Any], source: str | None = None, **build: Any) -> dict[str, Any]:
    """The policy of each phase; `build` is laid over the second one."""
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/config.yaml").write_text(yaml.safe_dump({"gate": gate, "phases": PHASES | {"build": PHASES["build"] | build}}))
    found = settings.load(ROOT, folder, commandline.parse([]))
    made = phases.make_plan(found, full_intake(source=source), ["agent"])
    return {name: phase.policy for name, phase in made.phases.items()}


def test_a_phase_has_the_general_policy_or_its_own(tmp_path: Path) -> None:
    assert plan(tmp_path, {}) == {"plan": "digest", "build": "digest"}
    assert plan(tmp_path, {"policy": "marker"}, policy="digest") == {"plan": "marker", "build": "digest"}
    gate = {"policy": "signed", "allowed_signers": "/etc/signers", "approvals": 2, "expires_days": 9}
    general = Signed("/etc/signers", 2, (), 9)
    assert plan(tmp_path, gate) == {"plan": general, "build": general}
    own = {"approvals": 1, "approvers": ["ann"], "expires_days": 0.5}
    assert plan(tmp_path, gate, **own)["build"] == Signed("/etc/signers", 1, ("ann",), 0.5)
    assert plan(tmp_path, {"allowed_signers": "x"}, policy="signed") == {"plan": "digest", "build": Signed("x")}


def test_a_policy_travels_as_json() -> None:
    for policy in ("marker", "digest", Signed("/etc/signers", 2, ("ann", "bob"), 1.5)):
        assert policies.read(policies.as_json(policy)) == policy
    assert [policies.word("digest"), policies.word(Signed("x"))] == ["digest", "signed"]


@pytest.mark.parametrize(
    ("gate", "build", "message"),
    [
        ({"policy": "signed"}, {}, "config.yaml:2: the policy `signed` needs `gate.allowed_signers`"),
        ({"policy": "signed", "allowed_signers": "runs/keys"}, {}, "config.yaml:2: allowed_signers runs/keys lies inside runs/"),
        ({"policy": "signed", "allowed_signers": "link"}, {}, "allowed_signers link lies inside runs/"),
        ({"policy": "signed", "allowed_signers": "source/keys"}, {}, "lies inside the project's source"),
        (
            {"policy": "signed", "allowed_signers": "keys", "approvals": 2},
            {"approvers": ["ann"]},
            "`build` wants 2 approvals, and only ann",
        ),
    ],
)
def test_terms_that_cannot_hold_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gate: dict[str, Any], build: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("runs").mkdir()
    Path("link").symlink_to("runs/keys")
    with pytest.raises(ConfigError) as refused:
        plan(tmp_path, gate, "source", **build)
    assert message in str(refused.value)
