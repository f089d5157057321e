"""The story of what leaves a run: a bug in an existing repository, mended on a branch that people can review and merge."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import cmarkgfm
import pytest
from conftest import INTAKE, Desk, sh, snapshot

from workflow.call import handover

SUMS = {"name": "sums", "command": ["sh", "-c", '[ "$(sh add.sh 2 3)" = 5 ]'], "environment": "none"}
PHASES = {
    "repair": {"agents": {"fixer": {}}, "artifacts": {"required": ["add.sh"]}, "checks": [SUMS]},
    "look": {"gate": "none", "agents": {"looker": {"runner": "idle", "allow_no_changes": True}}},
    "tell": {"agents": {"writer": {"runner": "write"}}},
}
RUNNERS = {
    "command": sh("sed -i 's/\\$1 - \\$2/$1 + $2/' add.sh"),
    "write": sh("echo 'Sums are right now: été.' >> README.md; mv branch.txt renamed.txt; printf '\\0\\1' > logo.bin"),
    "idle": ["true"],
}
HOSTILE_CONFIG = "[user]\nname = Somebody Else\nemail = else@localhost\n[core]\nhooksPath = {hooks}\n[push]\ndefault = nothing\n"


def git(folder: Path, *words: str) -> str:
    """Run git as a person does."""
    who = ("-c", "user.name=Owner", "-c", "user.email=owner@localhost", "-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always")
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def said(desk: Desk, *words: str) -> str:
    """The one line that a refused command says."""
    lines = [line for line in desk.run("publish", *(("--config", *words) if words else ()), check=1).last if "specific profile" not in line]
    assert len(lines) == 1, lines
    return lines[0].removeprefix("phasegate: ")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a source that has a bug and a history, a hooked and named git configuration, and room for remotes."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "source").mkdir()
    git(folder / "source", "init", "--quiet")
    for text in ("first", "second"):
        (folder / "source/add.sh").write_text("echo $(($1 - $2))\n")
        (folder / "source/README.md").write_text(f"About sums, {text}.\n")
        (folder / "source/branch.txt").write_text("main\n")
        git(folder / "source", "add", "--all")
        git(folder / "source", "commit", "--quiet", "-m", text)
    (folder / "hooks").mkdir()
    hook = folder / "hooks/pre-push"
    hook.write_text(f"#!/bin/sh\ntouch {folder}/hook-ran\nexit 1\n")
    hook.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def desk(place: Path) -> Desk:
    """A run on the source, begun and not approved yet; each test takes it further."""
    made = Desk(place / "desk")
    made.write("home/.gitconfig", HOSTILE_CONFIG.format(hooks=place / "hooks"))
    made.configure(PHASES, RUNNERS, runner="command")
    made.brief(project=INTAKE["project"] | {"source": "../../source"}, goals={"primary": "Let 2 and 3 be 5: `add.sh` is wrong."})
    made.run()
    return made


@pytest.fixture(scope="module")
def remote(place: Path) -> Path:
    """An empty bare repository."""
    git(place, "init", "--quiet", "--bare", "handover.git")
    return place / "handover.git"


def nothing_leaves_before_it_is_approved(desk: Desk, remote: Path) -> None:
    assert said(desk).startswith("publish needs remote=URL or remote=PATH (a repository to push to), or patches=FOLDER")
    text = said(desk, f"remote={remote}")
    assert text.startswith("nothing is approved yet: repair is not approved (waiting: nobody has approved it: there is no ")
    assert "go on: touch runs/demo/repair/APPROVED && " in text
    desk.run("approve", "--config", "by=Ann <ann@example.com>", "note=seen")
    desk.run()
    text = said(desk, f"remote={remote}")
    assert text.startswith("tell is not approved (waiting: ")
    assert text.endswith(f" publish --config remote={remote} phase=look")
    assert "repair" in said(desk, f"remote={remote}", "phase=reapir")
    assert git(remote, "for-each-ref") == ""


def what_is_approved_can_leave_while_the_rest_waits_and_the_source_is_untouched(desk: Desk, place: Path, remote: Path) -> None:
    before = snapshot(place / "source")
    done = desk.run("publish", "-n", "--config", "remote=../handover.git", "phase=repair")
    assert git(remote, "for-each-ref") == ""
    done = desk.run("publish", "--config", "remote=../handover.git", "phase=repair")
    assert re.search(r"^pushed:   phasegate/demo \(1 commit, [0-9a-f]{12}\) in \.\./handover\.git$", done.out, re.MULTILINE)
    assert git(remote, "show", "phasegate/demo:add.sh") == "echo $(($1 + $2))"
    assert git(remote, "rev-parse", "phasegate/demo~1") == git(place / "source", "rev-parse", "main")
    assert git(remote, "rev-parse", "phasegate/demo^{tree}") == desk.json("runs/demo/repair/manifest.json")["subject"]["tree"]
    assert snapshot(place / "source") == before


def delivered_run_is_a_branch_with_a_commit_for_each_phase_that_changed_something(desk: Desk, place: Path, remote: Path) -> None:
    first = git(remote, "rev-parse", "phasegate/demo")
    desk.touch("tell")
    desk.run()
    before = snapshot(place / "source")
    desk.run("publish", "--config", f"remote={remote.as_uri()}")
    assert git(remote, "rev-parse", "phasegate/demo~1") == first  # a fast-forward
    log = git(remote, "log", "-2", "--format=%an <%ae> %cn %s", "phasegate/demo")
    assert log.splitlines() == [
        "Phasegate <phasegate@localhost> Phasegate tell: 4 files changed by writer",
        "Phasegate <phasegate@localhost> Phasegate repair: 1 file changed by fixer",
    ]
    body = git(remote, "log", "-1", "--format=%B", first)
    assert f"Phasegate-Digest: {desk.read('runs/demo/repair/digest').strip()}" in body
    assert "Asked for: Let 2 and 3 be 5: `add.sh` is wrong.\nChecks: sums pass\n" in body
    tip = git(remote, "rev-parse", "phasegate/demo")
    assert git(remote, "rev-parse", f"{tip}^{{tree}}") == desk.json("runs/demo/tell/manifest.json")["subject"]["tree"]
    again = desk.run("publish", "--config", f"remote={remote}")
    assert again.out.startswith("is there: phasegate/demo (2 commits, ")
    assert git(remote, "rev-parse", "phasegate/demo") == tip
    assert snapshot(place / "source") == before
    assert not (place / "hook-ran").exists()


def page_for_the_pull_request_says_what_a_reviewer_needs(desk: Desk, remote: Path) -> None:
    done = desk.run("publish", "--config", f"remote={remote}")
    assert "body:     runs/demo/PULL_REQUEST.md\n" in done.out
    assert "gh pr create" not in done.out
    page = desk.read("runs/demo/PULL_REQUEST.md")
    for text in (
        "Let 2 and 3 be 5: \\`add.sh\\` is wrong.", "by Ann &lt;ann",
        "(trust: recorded)", "(trust: unsigned, nobody signed with a name)", "no person: the phase has no gate", "✅ pass",
        "nothing changed", desk.read("runs/demo/repair/digest").strip(), desk.read("runs/demo/tell/digest").strip(), "add.sh",
        git(remote, "rev-parse", "phasegate/demo")[:12],
    ):  # fmt: skip
        assert text in page, text
    html = cmarkgfm.github_flavored_markdown_to_html(page)
    assert html.count("<table>") == 4
    assert "|" not in re.sub("<code>.*?</code>", "", html)
    assert desk.json("runs/demo/status.json")["state"] == "delivered"


def other_commits_on_that_branch_are_never_overwritten(desk: Desk, place: Path, remote: Path) -> None:
    git(place, "clone", "--quiet", "--branch", "phasegate/demo", str(remote), "theirs")
    git(place / "theirs", "commit", "--quiet", "--allow-empty", "-m", "a reviewer's own")
    git(place / "theirs", "push", "--quiet", "origin", "HEAD:phasegate/other")
    theirs = git(remote, "rev-parse", "phasegate/other")
    text = said(desk, f"remote={remote}", "branch=phasegate/other")
    assert text.startswith(f"`phasegate/other` in {remote} holds other commits, and a push is never forced; publish under another name")
    assert git(remote, "rev-parse", "phasegate/other") == theirs


def source_gets_the_branch_only_when_it_is_named_and_its_own_branch_stays(desk: Desk, place: Path) -> None:
    main, status = git(place / "source", "rev-parse", "main"), git(place / "source", "status", "--porcelain")
    text = said(desk, "remote=../source", "branch=main")
    assert text.startswith(f"`main` in {place / 'source'} is checked out there, and git does not change it under its owner; ")
    desk.run("publish", "--config", "remote=../source")
    assert (git(place / "source", "rev-parse", "main"), git(place / "source", "status", "--porcelain")) == (main, status)
    assert git(place / "source", "diff", "--name-only", "main", "phasegate/demo").splitlines()[:2] == ["README.md", "add.sh"]


def rule_of_the_remote_is_told_in_one_line(desk: Desk, place: Path) -> None:
    git(place, "init", "--quiet", "--bare", "ruled.git")
    hook = place / "ruled.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    assert said(desk, "remote=../ruled.git").endswith("is refused by a rule of that repository (pre-receive hook)")


def patches_applied_to_the_source_give_the_approved_tree(desk: Desk, place: Path) -> None:
    done = desk.run("publish", "--config", "patches=out/patches")
    names = sorted(path.name for path in (desk.path / "out/patches").iterdir())
    assert [name[:10] for name in names] == ["0001-repai", "0002-tell-"]
    before = snapshot(desk.path / "out")
    git(place, "clone", "--quiet", str(place / "source"), "applied")
    command = re.search(r"in a clone: (git am .*)$", done.out, re.MULTILINE)
    assert command is not None
    subprocess.run(
        ["sh", "-c", command[1].replace("git am", "git -c user.name=x -c user.email=x@y am -q")], cwd=place / "applied", check=True
    )
    assert git(place / "applied", "rev-parse", "HEAD^{tree}") == desk.json("runs/demo/tell/manifest.json")["subject"]["tree"]
    desk.run("publish", "--config", "patches=out/patches")
    assert {name: content for name, (content, _) in snapshot(desk.path / "out").items()} == {
        name: content for name, (content, _) in before.items()
    }
    (desk.path / "out/patches/0003-other.patch").write_text("")
    assert said(desk, "patches=out/patches").startswith("out/patches holds other patches (0003-other.patch); remove them")


def closed_gate_holds_everything_back_again(desk: Desk, remote: Path) -> None:
    marker = desk.path / "runs/demo/repair/APPROVED"
    kept = marker.read_bytes()
    marker.unlink()
    assert said(desk, f"remote={remote}").startswith("nothing is approved yet: repair is not approved (waiting: ")
    assert said(desk, f"remote={remote}", "phase=tell").startswith("nothing is approved yet: repair is not approved (waiting: ")
    marker.write_bytes(kept)


def test_run_that_started_from_nothing_is_a_branch_of_its_own(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    desk.configure({"make": {"gate": "none", "agents": {"maker": {}}}}, {"command": sh("echo made > made.txt")}, runner="command")
    desk.brief()
    desk.run()
    git(tmp_path, "init", "--quiet", "--bare", "own.git")
    desk.run("publish", "--config", "remote=../own.git", "branch=main", "patches=p")
    assert git(tmp_path / "own.git", "rev-list", "--count", "main") == "1"
    assert git(tmp_path / "own.git", "show", "main:made.txt") == "made"
    assert len(list((desk.path / "p").iterdir())) == 1


def test_blocked_gate_is_named(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "desk")
    bad = {"name": "bad", "command": ["false"], "environment": "none"}
    desk.configure({"make": {"agents": {"maker": {}}, "checks": [bad]}}, {"command": sh("echo made > made.txt")}, runner="command")
    desk.brief()
    desk.run(check=1)
    assert said(desk, f"remote={tmp_path}").startswith("nothing is approved yet: make is not approved (blocked: check bad failed); go on: ")


@pytest.mark.parametrize(
    ("remote", "source", "said"),
    [
        ("https://github.com/me/sums.git", None, "--repo me/sums --head phasegate/demo "),
        ("git@github.com:me/sums", "https://github.com/them/sums", "--repo them/sums --head me:phasegate/demo "),
        ("ssh://git@github.com/me/sums", "https://example.com/them/sums", "--repo me/sums --head phasegate/demo "),
    ],
)
def test_command_that_opens_a_pull_request_is_suggested_for_github(remote: str, source: str | None, said: str) -> None:
    from types import SimpleNamespace

    from workflow.plan.commandline import Command

    goals = {"primary": "It's broken: " + "mend it " * 20}
    call = SimpleNamespace(intake={"project": {"source": source}, "goals": goals}, command=Command(("snakemake",)))
    text = handover._suggestion(call, remote, "phasegate/demo", Path("runs/demo/PULL_REQUEST.md"))
    assert said in text
    assert text.startswith("gh pr create ")
    assert text.endswith(" mend it ...' --body-file runs/demo/PULL_REQUEST.md")


def test_what_is_approved_leaves_and_nothing_else(desk: Desk, place: Path, remote: Path) -> None:
    """One run, taken further step by step; each step builds on those before it."""
    nothing_leaves_before_it_is_approved(desk, remote)
    what_is_approved_can_leave_while_the_rest_waits_and_the_source_is_untouched(desk, place, remote)
    delivered_run_is_a_branch_with_a_commit_for_each_phase_that_changed_something(desk, place, remote)
    page_for_the_pull_request_says_what_a_reviewer_needs(desk, remote)
    other_commits_on_that_branch_are_never_overwritten(desk, place, remote)
    source_gets_the_branch_only_when_it_is_named_and_its_own_branch_stays(desk, place)
    rule_of_the_remote_is_told_in_one_line(desk, place)
    patches_applied_to_the_source_give_the_approved_tree(desk, place)
    closed_gate_holds_everything_back_again(desk, remote)
