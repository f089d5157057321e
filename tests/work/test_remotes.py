"""Remotes: which addresses are taken, that no password is shown, how a host is reached, and that nothing is forced."""

from __future__ import annotations

import base64
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from runs import tree_of

from workflow.errors import GitError, UsageError
from workflow.work import remotes, trees

WORD = "hidden"  # stands in no URL of this file, so that the file holds no credentials


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "project.git"
    trees.create(made)
    return made


@pytest.mark.parametrize("text", ["https://h/x.git", "ssh://git@h/x", "git@h:x/y.git", "file:///srv/x.git", "h:x"])
def test_urls_are_taken_as_they_are(text: str) -> None:
    assert remotes.address(text) == text


def test_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my repo.git").mkdir()
    (tmp_path / "desk").mkdir()
    monkeypatch.chdir(tmp_path / "desk")
    assert remotes.address("../my repo.git") == str(tmp_path / "my repo.git")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("--upload-pack=touch x", "not an address; give a URL or the path of a repository"),
        ("-x", "not an address"),
        (" ", "not an address"),
        ("https://h/x\ny", "not an address"),
        ("ext::sh -c touch% x", "`ext` is not allowed; allowed: file, git, http, https, ssh, or a path"),
        ("fd::3", "`fd` is not allowed"),
        ("https::x", "`https` is not allowed"),
        ("ext://x", "`ext` is not allowed"),
        ("nowhere/x.git", "there is no folder "),
    ],
)
def test_other_addresses_are_refused_in_one_line(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        remotes.address(text)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://me:" + WORD + "@h/x.git", "https://...@h/x.git"),
        ("push to https://" + WORD + "@h/x failed: HTTPS://u:" + WORD + "@w@h/y", "push to https://...@h/x failed: HTTPS://...@h/y"),
        ("ssh://git@h/x", "ssh://git@h/x"),
        ("ssh://git:" + WORD + "@h/x", "ssh://...@h/x"),
        ("https://h/a@b git@h:x", "https://h/a@b git@h:x"),
    ],
)
def test_no_password_of_a_url_is_shown(text: str, shown: str) -> None:
    assert remotes.redacted(text) == shown


@pytest.mark.parametrize("name", ["", "-x", "HEAD", "a..b", "a b", "x.lock", "a:b", "a\nb", "refs/", "a~1", "\udcff"])
def test_bad_name_of_a_branch_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="git does not take this as the name of a branch"):
        remotes.require_branch(name)


def test_good_name_of_a_branch_is_taken() -> None:
    for name in ("main", "phasegate/todo-app", "fix/é", "a.b-c_d"):
        remotes.require_branch(name)


def test_push_says_whether_anything_was_new_and_forces_nothing(repo: Path, tmp_path: Path) -> None:
    trees.create(tmp_path / "other.git")
    other = str(tmp_path / "other.git")
    first, second = tree_of(repo, {"a": "1"}), tree_of(repo, {"a": "2"})
    assert remotes.push(repo, first.commit, other, "x")
    assert not remotes.push(repo, first.commit, other, "x")
    with pytest.raises(GitError, match=f"^`x` in {other} holds other commits, and a push is never forced; publish under another name"):
        remotes.push(repo, second.commit, other, "x")
    with pytest.raises(GitError, match="^`x/y` in .* cannot be made beside the branches that are there; publish under another name"):
        remotes.push(repo, second.commit, other, "x/y")
    assert trees.git("for-each-ref", "--format=%(refname) %(objectname)", repo=tmp_path / "other.git") == f"refs/heads/x {first.commit}\n"


def test_folder_that_is_no_repository_is_one_line(repo: Path, tmp_path: Path) -> None:
    with pytest.raises(
        GitError, match=r"cannot be pushed to: git push failed \(exit code 128\): fatal: .*not appear to be a git repository"
    ):
        remotes.push(repo, tree_of(repo, {"a": "1"}).commit, str(tmp_path), "x")


class Host(BaseHTTPRequestHandler):
    """A host that asks who is there, keeps the answer, and has no repository."""

    asked: list[str]

    def do_GET(self) -> None:
        given = self.headers.get("Authorization", "")
        self.asked.append(base64.b64decode(given.removeprefix("Basic ")).decode() if given else "nobody")
        self.send_response(404 if given else 401)
        self.send_header("WWW-Authenticate", 'Basic realm="x"')
        self.end_headers()

    def log_message(self, *words: object) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> HTTPServer:
    monkeypatch.setattr(Host, "asked", [], raising=False)
    made = HTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody whose git knows a password, a name, a signature and a rewritten host."""
    config = tmp_path / "gitconfig"
    for key, value in {
        "credential.helper": "!echo username=ann; echo password=letmein; true",
        "user.name": "Ann",
        "push.gpgSign": "true",
        "core.hooksPath": "/nowhere",
        "url.http://127.0.0.1.insteadOf": "http://example.invalid",
    }.items():
        subprocess.run(["git", "config", "--file", str(config), "--add", key, value], check=True)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(config))


def test_only_what_reaches_a_host_is_taken_from_a_persons_configuration(person: None) -> None:
    env = remotes.reaching()
    keys = {value for key, value in env.items() if key.startswith("GIT_CONFIG_KEY_")}
    assert {"credential.helper", "url.http://127.0.0.1.insteadof"} <= keys
    assert not {key for key in keys if key.startswith(("user.", "push.", "core.hookspath"))}


def test_credential_helper_is_asked_and_its_answer_is_not_shown(repo: Path, person: None, host: HTTPServer) -> None:
    commit = tree_of(repo, {"a": "1"}).commit
    with pytest.raises(GitError) as caught:
        remotes.push(repo, commit, f"http://127.0.0.1:{host.server_port}/x.git", "x")
    assert Host.asked == ["nobody", "ann:letmein"]
    with pytest.raises(GitError) as direct:
        remotes.push(repo, commit, "http://bob:" + WORD + f"@127.0.0.1:{host.server_port}/x.git", "x")
    assert Host.asked[-1] == "bob:hidden"
    assert "letmein" not in str(caught.value)
    assert "hidden" not in str(direct.value)
    assert "\n" not in str(direct.value)


def test_source_is_reached_in_the_same_way(repo: Path, person: None, host: HTTPServer) -> None:
    with pytest.raises(GitError):
        trees.import_source(repo, f"http://127.0.0.1:{host.server_port}/x.git", None, remotes.reaching())
    assert Host.asked == ["nobody", "ann:letmein"]
