"""The forgeries: each leaves files that must not open a gate, and names the reason that a person is told.

`ALONE` are those that exactly one step of the verification catches: without that step they would open the gate.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

from runs import check
from signers import ANN, BOB, EVE, Desk, make_key, public, sign, write_allowed

from attacks.desks import by_hand
from workflow import files
from workflow.gate import approvals
from workflow.plan.policies import Policy

OTHER_CONTENT = "a trap"


@dataclass(frozen=True)
class Forgery:
    """An attack, what of the reasons it is told by, the phase that it is about, and the policy in force (None: the desk's)."""

    attack: Callable[[Desk], Policy | None]
    reason: str
    phase: str = "plan"


def days_ago(days: float) -> str:
    """A moment in the past."""
    return files.timestamp(datetime.now(UTC) - timedelta(days=days))


def touched(desk: Desk) -> None:
    (desk.folder / "APPROVED").touch()


def names_the_digest_only(desk: Desk) -> None:
    shutil.copy(desk.folder / "digest", desk.folder / "APPROVED")


def without_signature(desk: Desk) -> None:
    by_hand(desk, ANN)
    (desk.folder / "APPROVED.sig").unlink()


def signature_of_something_else(desk: Desk) -> None:
    by_hand(desk, ANN)
    shutil.copy(desk.folder / "APPROVED.sig", desk.keys / "kept")
    by_hand(desk, ANN, note="pay eve")
    shutil.copy(desk.keys / "kept", desk.folder / "APPROVED.sig")


def everything_forged_together(desk: Desk) -> None:
    """Zip, manifest, digest and request of other content, all in order, and the marker made to fit."""
    desk.approve(ANN)
    old = (desk.folder / "digest").read_text().strip()
    desk.run.shown(OTHER_CONTENT)
    new = (desk.folder / "digest").read_text().strip()
    marker = desk.folder / "APPROVED"
    marker.write_bytes(marker.read_bytes().replace(old.encode(), new.encode()))


def replay_from_another_phase(desk: Desk) -> None:
    desk.approve(ANN)
    for name in ("APPROVED", "APPROVED.sig"):
        shutil.copy(desk.folder / name, desk.run.folder / "build" / name)


def replay_from_another_run(desk: Desk) -> None:
    """What Ann approved in a run of another name, made with the same content."""
    other = replace(desk, run=type(desk.run)(Path("runs/other")))
    shutil.copytree(desk.run.folder, other.run.folder, symlinks=True)
    other.run.show("writer")
    other.approve(ANN)
    for name in ("APPROVED", "APPROVED.sig"):
        shutil.copy(other.folder / name, desk.folder / name)


def replay_of_older_content(desk: Desk) -> None:
    desk.approve(ANN)
    desk.run.shown(OTHER_CONTENT)


def statement_for_another_place(desk: Desk) -> None:
    by_hand(desk, ANN, place="other/plan")


def unlisted_key(desk: Desk) -> None:
    by_hand(desk, EVE)


def false_name(desk: Desk) -> None:
    by_hand(desk, ANN, key=BOB)


def no_name(desk: Desk) -> None:
    by_hand(desk, "", key=ANN)


def another_namespace(desk: Desk) -> None:
    """The signature that git makes for a commit."""
    by_hand(desk, ANN, namespace="git")


def request_taken_for_approval(desk: Desk) -> None:
    by_hand(desk, ANN, namespace="phasegate-feedback")


def expired_key(desk: Desk) -> None:
    by_hand(desk, ANN)
    desk.allow(ANN, options='valid-before="20200101"')


def revoked_key(desk: Desk) -> None:
    by_hand(desk, ANN)
    desk.allow(BOB)


def expired_approval(desk: Desk) -> Policy:
    by_hand(desk, ANN, at=days_ago(31))
    return replace(desk.terms, expires_days=30)


def approval_from_the_future(desk: Desk) -> None:
    by_hand(desk, ANN, at=days_ago(-2))


def starter_of_the_run(desk: Desk) -> None:
    desk.allow(ANN, "zoe@example.org")
    by_hand(desk, "zoe@example.org")


def starter_under_another_name(desk: Desk) -> None:
    """The same key is listed for the starter and for somebody who does not exist."""
    write_allowed(desk.allowed, {"kim@example.org,zoe": desk.key("zoe")})
    by_hand(desk, "kim@example.org", key="zoe")


def starter_behind_a_pattern(desk: Desk) -> None:
    write_allowed(desk.allowed, {"*@example.org": desk.key("zoe")})
    by_hand(desk, "kim@example.org", key="zoe")


def restarted_by_the_signer(desk: Desk) -> None:
    """Ann approves what Zoe started; then Ann starts the same run anew and finds her approval."""
    desk.approve(ANN)
    desk.run.rewrite("run.json", lambda record: record.update(starter=["ann"], started_at="2026-02-02T00:00:00.000Z"))


def not_an_approver(desk: Desk) -> Policy:
    by_hand(desk, ANN)
    return replace(desk.terms, approvers=(BOB,))


def two_keys_of_one_person(desk: Desk) -> Policy:
    second = make_key(desk.keys, "second")
    desk.allowed.write_text(desk.allowed.read_text() + f"{ANN} {public(second)}\n")
    by_hand(desk, ANN, file="APPROVED.one")
    path = by_hand(desk, ANN, file="APPROVED.two", note="again")
    sign(path, second)
    return replace(desk.terms, approvals=2)


def two_names_of_one_key(desk: Desk) -> Policy:
    write_allowed(desk.allowed, {f"{ANN},{BOB}": desk.key(ANN)})
    by_hand(desk, ANN, file="APPROVED.one")
    by_hand(desk, BOB, key=ANN, file="APPROVED.two")
    return replace(desk.terms, approvals=2)


def one_approval_twice(desk: Desk) -> Policy:
    by_hand(desk, ANN, file="APPROVED.one")
    for end in ("", ".sig"):
        shutil.copy(desk.folder / f"APPROVED.one{end}", desk.folder / f"APPROVED.two{end}")
    return replace(desk.terms, approvals=2)


def blocked_phase(desk: Desk) -> None:
    desk.run.validate(("plan.md",), checks=(check("bad", "false"),))
    desk.run.show("writer")
    by_hand(desk, ANN)


def bundle_replaced(desk: Desk) -> None:
    desk.approve(ANN)
    path = desk.run.folder / "bundles/plan.zip"
    with ZipFile(path) as archive:
        entries = {info: archive.read(info) for info in archive.infolist()}
    with ZipFile(path, "w") as archive:
        for info, content in entries.items():
            archive.writestr(info, b"the trap" if info.filename.endswith("plan.md") else content)


def manifest_tampered(desk: Desk) -> Policy:
    """Under the policy `digest`, where no bundle is looked at."""
    digest = (desk.folder / "digest").read_text().strip()
    (desk.folder / "APPROVED").write_bytes(approvals.statement("demo", "plan", approvals.Approval(digest, ANN, files.now())))
    desk.run.rewrite("plan/manifest.json", lambda value: value["subject"]["files"][0].update(sha256="0" * 64))
    return "digest"


def upstream_replaced(desk: Desk) -> None:
    """The build was approved on a plan that is another one now, which is approved, too."""
    desk.approve(ANN)
    desk.approve(ANN, phase="build")
    desk.run.shown(OTHER_CONTENT)
    desk.approve(ANN)


def marker_is_a_link(desk: Desk) -> None:
    desk.approve(ANN)
    shutil.move(desk.folder / "APPROVED", "elsewhere")
    (desk.folder / "APPROVED").symlink_to(Path("elsewhere").absolute())


def signers_inside_the_run(desk: Desk) -> Policy:
    """An agent lists its own key where it can write."""
    inside = write_allowed(Path("runs/demo/project.allowed"), {EVE: desk.key(EVE)})
    by_hand(desk, EVE)
    return replace(desk.terms, allowed_signers=str(inside))


def signers_that_all_can_write(desk: Desk) -> None:
    by_hand(desk, ANN)
    desk.allowed.chmod(0o666)


FORGERIES: dict[str, Forgery] = {
    attack.__name__: Forgery(attack, reason, phase)
    for attack, reason, phase in (
        (touched, "APPROVED is empty: a touched marker is not signed", "plan"),
        (names_the_digest_only, "APPROVED is not a statement", "plan"),
        (without_signature, "is not signed: there is no APPROVED.sig", "plan"),
        (signature_of_something_else, f"is not signed by {ANN}", "plan"),
        (everything_forged_together, f"is not signed by {ANN}", "plan"),
        (replay_from_another_phase, "was given for demo/plan", "build"),
        (replay_from_another_run, "was given for other/plan", "plan"),
        (replay_of_older_content, "shown is", "plan"),
        (statement_for_another_place, "was given for other/plan", "plan"),
        (unlisted_key, f"is not signed by {EVE}", "plan"),
        (false_name, f"is not signed by {ANN}", "plan"),
        (no_name, "names nobody who could have signed it", "plan"),
        (another_namespace, "namespace does not match", "plan"),
        (request_taken_for_approval, "namespace does not match", "plan"),
        (expired_key, "key has expired", "plan"),
        (revoked_key, f"is not signed by {ANN}", "plan"),
        (expired_approval, "has expired: it was given at", "plan"),
        (approval_from_the_future, "carries a time in the future", "plan"),
        (starter_of_the_run, "is by zoe@example.org, who started the run", "plan"),
        (starter_under_another_name, "is by zoe, who started the run", "plan"),
        (starter_behind_a_pattern, "`*@example.org` is not the name of one person", "plan"),
        (restarted_by_the_signer, "was given for a run that somebody else started", "plan"),
        (not_an_approver, f"is by {ANN}; may approve: {BOB}", "plan"),
        (two_keys_of_one_person, "somebody else is needed", "plan"),
        (two_names_of_one_key, "somebody else is needed", "plan"),
        (one_approval_twice, "somebody else is needed", "plan"),
        (blocked_phase, "check bad failed", "plan"),
        (bundle_replaced, "has other bytes than its manifest says", "plan"),
        (manifest_tampered, "is not what runs/demo/plan/digest names", "plan"),
        (upstream_replaced, "builds on plan", "build"),
        (marker_is_a_link, "is a link, which does not count", "plan"),
        (signers_inside_the_run, "lies inside runs", "plan"),
        (signers_that_all_can_write, "can be written by others", "plan"),
    )
}
