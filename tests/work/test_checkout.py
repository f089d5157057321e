"""The checkout for people: brought up to date, left alone where they changed it, made whole where it was interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import tree_of

from workflow.errors import UsageError
from workflow.work import adoptions, checkout, trees


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """The repository of a run."""
    trees.create(tmp_path / "project.git")
    return tmp_path / "project.git"


def versions(repo: Path) -> tuple[str, str]:
    first = tree_of(repo, {"a.txt": "one\n", "b.txt": "b\n"})
    second = tree_of(repo, {"a.txt": "two\n", "c.txt": "c\n"}, [first.commit])
    for name, commit in (("plan", first), ("build", second)):
        trees.set_ref(repo, f"phases/{name}", commit.commit)
    return first.commit, second.commit


def there(project: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in project.iterdir() if path.is_file()}


def killed_at(monkeypatch: pytest.MonkeyPatch, verb: str, repo: Path, commit: str, project: Path, after: bool = False) -> None:
    """Show a commit and be killed at (or right after) a command of git."""
    real = trees.git

    def git(*words: object, **more: object) -> str:
        if verb in words and not after:
            raise KeyboardInterrupt
        said = real(*words, **more)  # type: ignore[arg-type]
        if verb in words:
            raise KeyboardInterrupt
        return said

    with monkeypatch.context() as patch:
        patch.setattr(trees, "git", git)
        with pytest.raises(KeyboardInterrupt):
            checkout.show(repo, [commit], project)


def test_project_follows_the_phases_and_leaves_a_persons_changes_alone(repo: Path) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    assert checkout.show(repo, [first], project) == checkout.show(repo, [first], project) == []
    (project / "notes").write_text("of a person, untracked")
    assert checkout.show(repo, [second], project) == []
    assert there(project) == {"a.txt": "two\n", "c.txt": "c\n", "notes": "of a person, untracked"}
    (project / "a.txt").write_text("mine\n")
    assert checkout.show(repo, [first], project) == [f"  note:    {project} has changes of yours and was left as it is"]
    assert there(project)["a.txt"] == "mine\n"


@pytest.mark.parametrize(("verb", "after"), [("clone", False), ("clone", True), ("checkout", True), ("update-ref", False)])
def test_first_checkout_that_was_interrupted_is_made_anew(repo: Path, verb: str, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    killed_at(monkeypatch, verb, repo, first, project, after)
    assert checkout.show(repo, [second], project) == []
    assert there(project) == {"a.txt": "two\n", "c.txt": "c\n"}
    assert checkout.show(repo, [first], project) == []


@pytest.mark.parametrize(("verb", "after"), [("fetch", False), ("checkout", False), ("checkout", True), ("update-ref", False)])
def test_update_that_was_interrupted_is_carried_on(repo: Path, verb: str, after: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    checkout.show(repo, [first], project)
    killed_at(monkeypatch, verb, repo, second, project, after)
    assert checkout.show(repo, [second], project) == []
    assert there(project) == {"a.txt": "two\n", "c.txt": "c\n"}
    assert checkout.show(repo, [first], project) == [], "it is whole"


def test_half_written_checkout_with_the_locks_of_a_killed_git_is_made_whole(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    checkout.show(repo, [first], project)
    killed_at(monkeypatch, "checkout", repo, second, project)
    (project / "a.txt").write_text("tw")
    (project / "b.txt").unlink()
    (project / "c.txt").write_text("")
    for name in ("index.lock", "HEAD.lock", "refs/heads/phasegate.lock"):
        (project / ".git" / name).write_text("")
    assert checkout.show(repo, [second], project) == []
    assert there(project) == {"a.txt": "two\n", "c.txt": "c\n"}
    assert checkout.show(repo, [first], project) == []


def test_an_interruption_in_the_middle_of_another_loses_nothing_and_ends_at_what_is_asked_for_now(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = versions(repo)
    third = tree_of(repo, {"a.txt": "three\n"}, [second]).commit
    trees.set_ref(repo, "phases/test", third)
    project = repo.with_name("project")
    checkout.show(repo, [first], project)
    killed_at(monkeypatch, "checkout", repo, second, project)
    killed_at(monkeypatch, "checkout", repo, third, project, after=True)
    assert checkout.show(repo, [third], project) == []
    assert there(project) == {"a.txt": "three\n"}


@pytest.mark.parametrize(("name", "text"), [("a.txt", "mine\n"), ("b.txt", "mine\n"), ("c.txt", "mine, untracked\n")])
def test_what_a_person_changed_after_an_interruption_is_left_alone(
    repo: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    checkout.show(repo, [first], project)
    killed_at(monkeypatch, "checkout", repo, second, project)
    (project / name).write_text(text)
    for _ in range(2):
        assert "has changes of yours" in checkout.show(repo, [second], project)[0]
        assert there(project)[name] == text
    (project / name).unlink()
    assert checkout.show(repo, [second], project) == []
    assert there(project) == {"a.txt": "two\n", "c.txt": "c\n"}


def test_an_untracked_file_in_the_way_is_left_alone(repo: Path) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    checkout.show(repo, [first], project)
    (project / "c.txt").write_text("mine, untracked\n")
    assert "could not be brought up to date" in checkout.show(repo, [second], project)[0]
    assert there(project) == {"a.txt": "one\n", "b.txt": "b\n", "c.txt": "mine, untracked\n"}


def test_commits_of_a_person_after_an_interruption_are_left_alone_and_not_adopted_half_way(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = versions(repo)
    project = repo.with_name("project")
    checkout.show(repo, [first], project)
    killed_at(monkeypatch, "checkout", repo, second, project)
    mine = tree_of(project / ".git", {"a.txt": "mine\n"}, [first])
    trees.git("--work-tree", project, "reset", "--quiet", "--hard", mine.commit, repo=project / ".git")
    assert "has changes of yours" in checkout.show(repo, [second], project)[0]
    assert there(project)["a.txt"] == "mine\n"
    with pytest.raises(UsageError, match="run snakemake first"):
        adoptions.adopt(repo.parent, "plan", "me", {})
