"""The forgeries: each leaves files that must not open a gate; `FORGERIES` says with which reason a person is told."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

from runs import check
from signers import ANN, BOB, EVE, SignedRun, make_key, public, sign, write_allowed

from attacks.held import by_hand
from workflow import files
from workflow.gate import approvals
from workflow.plan.policies import Policy

OTHER_CONTENT = "a trap"


@dataclass(frozen=True)
class Forgery:
    """An attack, what of the reasons it is told by, the phase that it is about, and the policy in force (None: its own)."""

    attack: Callable[[SignedRun], Policy | None]
    reason: str
    phase: str = "plan"


def days_ago(days: float) -> str:
    """A moment in the past."""
    return files.timestamp(datetime.now(UTC) - timedelta(days=days))


def touched(held: SignedRun) -> None:
    (held.folder / "APPROVED").touch()


def names_the_digest_only(held: SignedRun) -> None:
    shutil.copy(held.folder / "digest", held.folder / "APPROVED")


def without_signature(held: SignedRun) -> None:
    by_hand(held, ANN)
    (held.folder / "APPROVED.sig").unlink()


def signature_of_something_else(held: SignedRun) -> None:
    by_hand(held, ANN)
    shutil.copy(held.folder / "APPROVED.sig", held.keys / "kept")
    by_hand(held, ANN, note="pay eve")
    shutil.copy(held.keys / "kept", held.folder / "APPROVED.sig")


def everything_forged_together(held: SignedRun) -> None:
    """Zip, manifest, digest and request of other content, all in order, and the marker made to fit."""
    held.approve(ANN)
    old = (held.folder / "digest").read_text().strip()
    held.run.shown(OTHER_CONTENT)
    new = (held.folder / "digest").read_text().strip()
    marker = held.folder / "APPROVED"
    marker.write_bytes(marker.read_bytes().replace(old.encode(), new.encode()))


def replay_from_another_phase(held: SignedRun) -> None:
    held.approve(ANN)
    for name in ("APPROVED", "APPROVED.sig"):
        shutil.copy(held.folder / name, held.run.folder / "build" / name)


def replay_from_another_run(held: SignedRun) -> None:
    """What Ann approved in a run of another name, made with the same content."""
    other = replace(held, run=type(held.run)(Path("runs/other")))
    shutil.copytree(held.run.folder, other.run.folder, symlinks=True)
    other.run.show("writer")
    other.approve(ANN)
    for name in ("APPROVED", "APPROVED.sig"):
        shutil.copy(other.folder / name, held.folder / name)


def replay_of_older_content(held: SignedRun) -> None:
    held.approve(ANN)
    held.run.shown(OTHER_CONTENT)


def statement_for_another_place(held: SignedRun) -> None:
    by_hand(held, ANN, place="other/plan")


def unlisted_key(held: SignedRun) -> None:
    by_hand(held, EVE)


def false_name(held: SignedRun) -> None:
    by_hand(held, ANN, key=BOB)


def no_name(held: SignedRun) -> None:
    by_hand(held, "", key=ANN)


def another_namespace(held: SignedRun) -> None:
    """The signature that git makes for a commit."""
    by_hand(held, ANN, namespace="git")


def request_taken_for_approval(held: SignedRun) -> None:
    by_hand(held, ANN, namespace="phasegate-feedback")


def expired_key(held: SignedRun) -> None:
    by_hand(held, ANN)
    held.allow(ANN, options='valid-before="20200101"')


def revoked_key(held: SignedRun) -> None:
    by_hand(held, ANN)
    held.allow(BOB)


def expired_approval(held: SignedRun) -> Policy:
    by_hand(held, ANN, at=days_ago(31))
    return replace(held.terms, expires_days=30)


def approval_from_the_future(held: SignedRun) -> None:
    by_hand(held, ANN, at=days_ago(-2))


def starter_of_the_run(held: SignedRun) -> None:
    held.allow(ANN, "zoe@example.org")
    by_hand(held, "zoe@example.org")


def starter_under_another_name(held: SignedRun) -> None:
    """The same key is listed for the starter and for somebody who does not exist."""
    write_allowed(held.allowed, {"kim@example.org,zoe": held.key("zoe")})
    by_hand(held, "kim@example.org", key="zoe")


def starter_behind_a_pattern(held: SignedRun) -> None:
    write_allowed(held.allowed, {"*@example.org": held.key("zoe")})
    by_hand(held, "kim@example.org", key="zoe")


def restarted_by_the_signer(held: SignedRun) -> None:
    """Ann approves what Zoe started; then Ann starts the same run anew and finds her approval."""
    held.approve(ANN)
    held.run.rewrite("run.json", lambda record: record.update(starter=["ann"], started_at="2026-02-02T00:00:00.000Z"))


def not_an_approver(held: SignedRun) -> Policy:
    by_hand(held, ANN)
    return replace(held.terms, approvers=(BOB,))


def two_keys_of_one_person(held: SignedRun) -> Policy:
    second = make_key(held.keys, "second")
    held.allowed.write_text(held.allowed.read_text() + f"{ANN} {public(second)}\n")
    by_hand(held, ANN, file="APPROVED.one")
    path = by_hand(held, ANN, file="APPROVED.two", note="again")
    sign(path, second)
    return replace(held.terms, approvals=2)


def two_names_of_one_key(held: SignedRun) -> Policy:
    write_allowed(held.allowed, {f"{ANN},{BOB}": held.key(ANN)})
    by_hand(held, ANN, file="APPROVED.one")
    by_hand(held, BOB, key=ANN, file="APPROVED.two")
    return replace(held.terms, approvals=2)


def one_approval_twice(held: SignedRun) -> Policy:
    by_hand(held, ANN, file="APPROVED.one")
    for end in ("", ".sig"):
        shutil.copy(held.folder / f"APPROVED.one{end}", held.folder / f"APPROVED.two{end}")
    return replace(held.terms, approvals=2)


def blocked_phase(held: SignedRun) -> None:
    held.run.validate(("plan.md",), checks=(check("bad", "false"),))
    held.run.show("writer")
    by_hand(held, ANN)


def bundle_replaced(held: SignedRun) -> None:
    held.approve(ANN)
    path = held.run.folder / "bundles/plan.zip"
    with ZipFile(path) as archive:
        entries = {info: archive.read(info) for info in archive.infolist()}
    with ZipFile(path, "w") as archive:
        for info, content in entries.items():
            archive.writestr(info, b"the trap" if info.filename.endswith("plan.md") else content)


def manifest_in_the_bundle_is_a_link(held: SignedRun) -> None:
    """Found by a random mutation: what unpacks it would make a link of its manifest."""
    held.approve(ANN)
    path = held.run.folder / "bundles/plan.zip"
    with ZipFile(path) as archive:
        entries = {info: archive.read(info) for info in archive.infolist()}
    with ZipFile(path, "w") as archive:
        for info, content in entries.items():
            info.external_attr = 0o120777 << 16 if info.filename == "MANIFEST.json" else info.external_attr
            archive.writestr(info, content)


def manifest_tampered(held: SignedRun) -> Policy:
    """Under the policy `digest`, where no bundle is looked at."""
    digest = (held.folder / "digest").read_text().strip()
    (held.folder / "APPROVED").write_bytes(approvals.statement("demo", "plan", approvals.Approval(digest, ANN, files.now())))
    held.run.rewrite("plan/manifest.json", lambda value: value["subject"]["files"][0].update(sha256="0" * 64))
    return "digest"


def upstream_replaced(held: SignedRun) -> None:
    """The build was approved on a plan that is another one now, which is approved, too."""
    held.approve(ANN)
    held.approve(ANN, phase="build")
    held.run.shown(OTHER_CONTENT)
    held.approve(ANN)


def marker_is_a_link(held: SignedRun) -> None:
    held.approve(ANN)
    shutil.move(held.folder / "APPROVED", "elsewhere")
    (held.folder / "APPROVED").symlink_to(Path("elsewhere").absolute())


def signers_inside_the_run(held: SignedRun) -> Policy:
    """An agent lists its own key where it can write."""
    inside = write_allowed(Path("runs/demo/project.allowed"), {EVE: held.key(EVE)})
    by_hand(held, EVE)
    return replace(held.terms, allowed_signers=str(inside))


def signers_that_all_can_write(held: SignedRun) -> None:
    by_hand(held, ANN)
    held.allowed.chmod(0o666)


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
        (manifest_in_the_bundle_is_a_link, "'MANIFEST.json' has the mode 120777", "plan"),
        (manifest_tampered, "is not what runs/demo/plan/digest names", "plan"),
        (upstream_replaced, "builds on plan", "build"),
        (marker_is_a_link, "is a link, which does not count", "plan"),
        (signers_inside_the_run, "lies inside runs", "plan"),
        (signers_that_all_can_write, "can be written by others", "plan"),
    )
}
