"""People who sign: real SSH keys, and a file that says whose count."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runs import Run

from workflow.gate import decisions
from workflow.gate.approvals import Approval
from workflow.gate.verdict import Verdict, judge
from workflow.plan.policies import Signed

ANN, BOB, EVE, STARTER = "ann@example.org", "bob@example.org", "eve@example.org", "zoe"


def make_key(folder: Path, name: str) -> Path:
    """An SSH key without a passphrase; the path of its private part."""
    path = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(path)], check=True)
    return path


def public(key: Path) -> str:
    """Type and text of a key's public part."""
    return " ".join(key.with_name(f"{key.name}.pub").read_text().split()[:2])


def write_allowed(path: Path, people: Mapping[str, Path], options: str = "") -> Path:
    """An allowed_signers file that lists these people with their keys."""
    lines = [" ".join(filter(None, (name, options, public(key)))) for name, key in people.items()]
    path.write_text("\n".join(lines) + "\n")
    path.chmod(0o644)
    return path


def sign(content: Path, key: Path, namespace: str = "phasegate-approval") -> None:
    """Sign a file as a person may do it by hand; the signature lies beside it."""
    content.with_name(f"{content.name}.sig").unlink(missing_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-Y", "sign", "-f", str(key), "-n", namespace, str(content)], check=True, capture_output=True)


@dataclass
class SignedRun:
    """A run whose gates want signatures, the people who may give them, and where their keys lie."""

    run: Run
    keys: Path
    terms: Signed

    @property
    def allowed(self) -> Path:
        """The allowed signers."""
        return Path(self.terms.allowed_signers)

    @property
    def folder(self) -> Path:
        """The folder of the phase that waits."""
        return self.run.folder / "plan"

    def key(self, name: str) -> Path:
        """The key of a person, made when it is first asked for."""
        path = self.keys / name.partition("@")[0]
        return path if path.exists() else make_key(self.keys, path.name)

    def allow(self, *names: str, options: str = "") -> None:
        """List exactly these people."""
        write_allowed(self.allowed, {name: self.key(name) for name in names}, options)

    def approve(self, name: str, terms: Signed | None = None, phase: str = "plan", waive: str = "") -> Approval:
        """Approve with a person's key."""
        after = list({"plan": (), "build": ("plan",)}[phase])
        return decisions.approve(self.run.folder, phase, after, name, "", waive, None, terms or self.terms, self.key(name))

    def judge(self, terms: Signed | None = None, phase: str = "plan") -> Verdict:
        """What the gate says now."""
        return judge(self.run.folder, phase, "required", terms or self.terms)


def held_run(run: Run, folder: Path) -> SignedRun:
    """A run that waits for the signature of Ann or Bob; Zoe has started it."""
    run.rewrite("run.json", lambda record: record.update(started_by=STARTER, starter=[STARTER, "Zoe Z", "zoe@example.org"]))
    run.shown()
    held = SignedRun(run, folder, Signed(str(folder / "allowed_signers")))
    held.allow(ANN, BOB)
    return held
