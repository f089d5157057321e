"""Loose objects are read as git reads them, and damage is an error that names the object."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest
from runs import tree_of

from workflow.errors import GitError
from workflow.work import loose, trees

TEXT = " ".join(str(number * number % 7919) for number in range(40_000))  # its tables fill a hundred bytes
CONTENT = {"a.txt": "one\n", "empty": "", "zeros": b"\0" * 100_000, "b": bytes(range(256)), "text": TEXT}


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "project.git"
    trees.create(made)
    return made


def test_content_and_size_are_those_that_git_says_packed_or_not(repo: Path) -> None:
    made = tree_of(repo, CONTENT)
    trees.set_ref(repo, "heads/main", made.commit)
    ids = trees.blobs(repo, made.tree)
    wanted = [text if isinstance(text, bytes) else text.encode() for text in CONTENT.values()]
    for packed in (False, True):
        assert loose.has(repo, ids["b"]) is not packed
        assert list(trees.read_objects(repo, [ids[path] for path in CONTENT])) == wanted
        changed = trees.changes(repo, trees.empty(repo), made.tree)
        assert {change.path: change.size for change in changed} == {path: len(data) for path, data in zip(CONTENT, wanted, strict=True)}
        trees.git("repack", "-a", "-d", "-q", repo=repo)
    later = tree_of(repo, {**CONTENT, "c": "new"})  # one is loose, the others are packed, and the order is that of the question
    names = trees.blobs(repo, later.tree)
    assert list(trees.read_objects(repo, [names["a.txt"], names["c"], names["empty"], f"{later.tree}:c"])) == [
        b"one\n",
        b"new",
        b"",
        b"new",
    ]


def test_names_that_are_no_ids_are_not_taken_for_paths(repo: Path) -> None:
    assert not any(loose.has(repo, name) for name in ("", "HEAD", "../HEAD", "a" * 40, "A" * 40, "info/packs"))


@pytest.mark.parametrize("damaged", [b"", b"no zlib", zlib.compress(b"blob 9\0one\n"), zlib.compress(b"blob"), zlib.compress(b"blob x\0")])
def test_damage_is_an_error_that_names_the_object(repo: Path, damaged: bytes) -> None:
    name = trees.blobs(repo, tree_of(repo, CONTENT).tree)["a.txt"]
    path = repo / "objects" / name[:2] / name[2:]
    path.chmod(0o600)
    path.write_bytes(damaged)
    with pytest.raises(GitError, match=f"{name} is damaged"):
        loose.content(repo, name)
