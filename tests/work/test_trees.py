"""Trees and commits: what an agent leaves is read as plain files, and nothing that it prepared is run or followed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from runs import tree_of

from workflow.errors import GitError
from workflow.work import trees

DATE = "2000-01-01T00:00:00Z"
HOSTILE = [
    b"new\nline.txt",
    b"quote'\"`$(x).txt",
    b"-rf",
    b"--help",
    b"tab\there",
    b"caf\xe9.txt",
    b" blank ",
    b"](http:x)<details>",
    b"*",
    b":(glob)**",
    b"deep/" + b"d" * 200 + b"/" + b"f" * 250,
    "ü/日本.txt".encode(),
]


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    made = tmp_path / "project.git"
    trees.create(made)
    return made


def contents(repo: Path, tree: str) -> dict[str, bytes]:
    return {path: trees.read_file(repo, tree, path) for path in trees.files(repo, tree)}


def work_tree(repo: Path, base: trees.Commit, folder: Path) -> Path:
    trees.check_out(repo, base.commit, folder)
    return folder


def own_git(folder: Path, *words: str) -> None:
    """git as an agent uses it in its tree."""
    names = ("-c", "user.name=a", "-c", "user.email=a@b")
    subprocess.run(["git", *names, *words], cwd=folder, check=True, capture_output=True, env=trees.environment())


def as_plain_user(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run Python code as somebody for whom permissions count, also where the tests run as root."""
    command = [sys.executable, "-c", code, *words]
    if os.geteuid() == 0:
        command = ["bwrap", "--dev-bind", "/", "/", "--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL", *command]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})


def test_what_was_snapped_comes_out_again_unchanged(repo: Path, tmp_path: Path) -> None:
    base = tree_of(repo, {"keep.txt": "k", "change.txt": "old", "delete.txt": "d"})
    folder = work_tree(repo, base, tmp_path / "tree")
    (folder / "change.txt").write_bytes(b"new\r\n\0binary")
    (folder / "delete.txt").unlink()
    (folder / "add.sh").write_text("#!/bin/sh\n")
    (folder / "add.sh").chmod(0o755)
    tree = trees.snapshot(repo, base.commit, folder)
    assert [(c.kind, c.path, c.mode, c.size) for c in trees.changes(repo, base.commit, tree)] == [
        ("A", "add.sh", "100755", 10),
        ("M", "change.txt", "100644", 12),
        ("D", "delete.txt", "000000", 0),
    ]
    trees.export(repo, tree, tmp_path / "out")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        "keep.txt": b"k",
        "change.txt": b"new\r\n\0binary",
        "add.sh": b"#!/bin/sh\n",
    }
    assert os.access(tmp_path / "out/add.sh", os.X_OK)


def test_same_commit_has_the_same_id_and_another_parent_another_one(repo: Path) -> None:
    base = tree_of(repo, {"a": "1"})
    first, again = (trees.commit_tree(repo, base.tree, [base.commit], "m", DATE) for _ in range(2))
    assert first == again
    assert first != trees.commit_tree(repo, base.tree, [], "m", DATE)


def test_checkout_is_a_clone_of_its_own_that_replaces_what_was_there(repo: Path, tmp_path: Path) -> None:
    base = tree_of(repo, {"a.txt": "a"})
    (tmp_path / "tree/left").mkdir(parents=True)
    folder = work_tree(repo, base, tmp_path / "tree")
    assert sorted(path.name for path in folder.iterdir()) == [".git", "a.txt"]
    own_git(folder, "checkout", "-b", "mine")
    own_git(folder, "commit", "--allow-empty", "-m", "mine")
    own_git(folder, "tag", "mine")
    assert trees.git("for-each-ref", repo=repo) == ""
    assert trees.snapshot(repo, base.commit, folder) == base.tree


def test_a_file_of_the_same_size_and_time_with_other_bytes_is_a_change(repo: Path, tmp_path: Path) -> None:
    base = tree_of(repo, {"a.txt": "one", "b.txt": "two"})
    folder = work_tree(repo, base, tmp_path / "tree")
    before = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("two")
    os.utime(folder / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / ".git/index").unlink()
    assert contents(repo, trees.snapshot(repo, base.commit, folder)) == {"a.txt": b"two", "b.txt": b"two"}
    for path in tmp_path.glob("tree.*"):  # the index that was kept is no more than a help
        path.unlink()
    assert contents(repo, trees.snapshot(repo, base.commit, folder)) == {"a.txt": b"two", "b.txt": b"two"}


def test_a_tree_of_another_commit_than_the_base_is_read_in_full(repo: Path, tmp_path: Path) -> None:
    start, base = tree_of(repo, {"a.txt": "reviewed", "b.txt": "b"}), tree_of(repo, {"a.txt": "base", "c.txt": "c"})
    folder = work_tree(repo, start, tmp_path / "tree")
    assert contents(repo, trees.snapshot(repo, base.commit, folder)) == {"a.txt": b"reviewed", "b.txt": b"b"}


def test_odd_file_names_survive_snapshot_changes_contents_and_export(repo: Path, tmp_path: Path) -> None:
    base = tree_of(repo, {})
    folder = work_tree(repo, base, tmp_path / "tree")
    for name in HOSTILE:
        goal = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(goal), exist_ok=True)
        with open(goal, "wb") as file:
            file.write(name)
    tree = trees.snapshot(repo, base.commit, folder)
    assert [os.fsencode(change.path) for change in trees.changes(repo, base.commit, tree)] == sorted(HOSTILE, key=os.fsdecode)
    assert {os.fsencode(path): content for path, content in contents(repo, tree).items()} == {name: name for name in HOSTILE}
    assert {os.fsencode(path): added for path, added, _ in trees.diffstat(repo, base.tree, tree)} == dict.fromkeys(HOSTILE, 1) | {
        b"new\nline.txt": 2
    }
    trees.export(repo, tree, tmp_path / "out")
    assert all(Path(os.fsdecode(os.path.join(os.fsencode(tmp_path / "out"), name))).read_bytes() == name for name in HOSTILE)
    assert "new\\nline.txt" in trees.patch(repo, base.tree, tree)


def test_asking_for_a_file_that_is_not_there_is_a_git_error(repo: Path) -> None:
    base = tree_of(repo, {"a": "1"})
    for path in ("b", "b c", "b missing", "b blob 3", "new\nline"):
        with pytest.raises(GitError, match="there is no object"):
            trees.read_file(repo, base.commit, path)


def test_links_are_stored_as_links_and_never_followed(repo: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "key").write_text("do not read")
    base = tree_of(repo, {"docs/real.txt": "r"})
    folder = work_tree(repo, base, tmp_path / "tree")
    (folder / "link").symlink_to(secret / "key")
    (folder / "linked").symlink_to(secret)
    (folder / "docs/real.txt").unlink()
    (folder / "docs").rmdir()
    (folder / "docs").symlink_to(secret)
    tree = trees.snapshot(repo, base.commit, folder)
    assert contents(repo, tree) == {name: os.fsencode(target) for name, target in
                                    {"link": secret / "key", "linked": secret, "docs": secret}.items()}  # fmt: skip
    assert {change.mode for change in trees.changes(repo, base.tree, tree) if change.kind == "A"} == {"120000"}
    commit = trees.commit_tree(repo, tree, [base.commit], "m", DATE)
    trees.check_out(repo, base.commit, folder)
    assert not (folder / "docs").is_symlink()
    trees.check_out(repo, commit.commit, folder)
    trees.remove(folder)
    trees.export(repo, tree, tmp_path / "out")
    assert (tmp_path / "out/linked").is_symlink()
    assert [path.name for path in secret.iterdir()] == ["key"]


def test_nothing_that_an_agent_sets_in_its_own_git_has_an_effect(repo: Path, tmp_path: Path) -> None:
    trap = tmp_path / "sprung"
    base = tree_of(repo, {"a.txt": "a", ".gitattributes": "*.txt filter=evil diff=evil merge=evil\n"})
    folder = work_tree(repo, base, tmp_path / "tree")
    for name in ("pre-commit", "post-checkout", "post-index-change", "reference-transaction", "fsmonitor"):
        hook = folder / ".git/hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(f"#!/bin/sh\necho {name} >> {trap}\n")
        hook.chmod(0o755)
    touch = f"sh -c 'echo run >> {trap}; cat'"
    for key, value in {
        "filter.evil.clean": touch,
        "filter.evil.smudge": touch,
        "filter.evil.process": touch,
        "diff.evil.textconv": touch,
        "diff.evil.command": touch,
        "core.fsmonitor": str(folder / ".git/hooks/fsmonitor"),
        "core.hooksPath": str(folder / ".git/hooks"),
        "core.worktree": str(tmp_path),
        "core.autocrlf": "true",
        "core.excludesFile": str(folder / "ignore"),
        "core.attributesFile": str(folder / "attributes"),
        "user.name": "Mallory",
    }.items():
        own_git(folder, "--git-dir=.git", "config", key, value)
    (folder / ".git/info").mkdir(exist_ok=True)
    (folder / ".git/info/attributes").write_text("* text=auto eol=lf filter=evil\n")
    (folder / ".git/info/exclude").write_text("*\n")
    (folder / "ignore").write_text("*\n")
    (folder / "attributes").write_text("* text=auto\n")
    (folder / "a.txt").write_bytes(b"a\r\nb\r\n")
    (folder / "new.txt").write_bytes(b"n\r\n")
    tree = trees.snapshot(repo, base.commit, folder)
    found = contents(repo, tree)
    assert (found["a.txt"], found["new.txt"]) == (b"a\r\nb\r\n", b"n\r\n")
    assert sorted(found) == [".gitattributes", "a.txt", "attributes", "ignore", "new.txt"]
    assert "+b" in trees.patch(repo, base.tree, tree)
    commit = trees.commit_tree(repo, tree, [base.commit], "m", DATE)
    trees.export(repo, tree, tmp_path / "out")
    trees.check_out(repo, commit.commit, tmp_path / "next")
    assert not trap.exists()
    assert "Mallory" not in trees.git("cat-file", "-p", commit.commit, repo=repo)


def test_a_tree_whose_own_git_was_destroyed_or_redirected_is_still_read(repo: Path, tmp_path: Path) -> None:
    base = tree_of(repo, {"a": "1"})
    folder = work_tree(repo, base, tmp_path / "tree")
    trees.remove(folder / ".git")
    (folder / ".git").write_text(f"gitdir: {tmp_path}/elsewhere\n")
    (folder / "a").write_text("2")
    assert contents(repo, trees.snapshot(repo, base.commit, folder)) == {"a": b"2"}


def test_a_repository_inside_the_tree_is_seen_as_such(repo: Path, tmp_path: Path) -> None:
    base = tree_of(repo, {})
    folder = work_tree(repo, base, tmp_path / "tree")
    own_git(folder, "init", "inner")
    own_git(folder / "inner", "commit", "--allow-empty", "-m", "inner")
    tree = trees.snapshot(repo, base.commit, folder)
    assert [(change.path, change.mode) for change in trees.changes(repo, base.tree, tree)] == [("inner", "160000")]


def test_the_users_git_settings_change_nothing(repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = tmp_path / "settings"
    settings.write_text("[core]\n\tautocrlf = true\n\texcludesFile = ~/ignored\n[commit]\n\tgpgSign = true\n[user]\n\tname = Somebody\n")
    (tmp_path / "ignored").write_text("*.md\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    base = tree_of(repo, {"a.md": "a\r\n"})
    assert contents(repo, base.tree) == {"a.md": b"a\r\n"}
    assert "Somebody" not in trees.git("cat-file", "-p", base.commit, repo=repo)


def merged(repo: Path, base: dict[str, str], ours: dict[str, str], theirs: dict[str, str]) -> trees.Merge:
    root = tree_of(repo, base)
    left, right = tree_of(repo, ours, [root.commit]), tree_of(repo, theirs, [root.commit])
    return trees.merge(repo, left.commit, right.commit, root.commit)


def test_changes_of_different_files_and_lines_merge(repo: Path) -> None:
    lines = "1\n2\n3\n4\n5\n6\n7\n"
    done = merged(
        repo,
        {"f": lines, "gone": "x", "same": "x"},
        {"f": lines.replace("1", "one"), "same": "both", "left": "l"},
        {"f": lines.replace("7", "seven"), "gone": "x", "same": "both", "right": "r"},
    )
    assert done.tree is not None
    assert contents(repo, done.tree) == {"f": b"one\n2\n3\n4\n5\n6\nseven\n", "same": b"both", "left": b"l", "right": b"r"}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "files"),
    [
        ({"f": "0"}, {"f": "1"}, {"f": "2"}, ("f",)),
        ({}, {"new": "1"}, {"new": "2"}, ("new",)),
        ({"f": "0"}, {}, {"f": "1"}, ("f",)),
        ({"f": "0"}, {"f": "1"}, {}, ("f",)),
        ({"a": "0", "b": "0"}, {"a": "1", "b": "1"}, {"a": "2", "b": "2"}, ("a", "b")),
        ({}, {"new\nline": "1"}, {"new\nline": "2"}, ("new\nline",)),
    ],
    ids=["both changed", "both added", "we deleted", "they deleted", "two files", "odd name"],
)
def test_a_conflict_names_its_files(
    repo: Path, base: dict[str, str], ours: dict[str, str], theirs: dict[str, str], files: tuple[str, ...]
) -> None:
    found = merged(repo, base, ours, theirs)
    assert (found.tree, found.conflicts) == (None, files)
    assert found.marked


def test_deletions_and_equal_additions_merge(repo: Path) -> None:
    done = merged(repo, {"a": "0", "b": "0", "both": "0"}, {"b": "0", "new": "n"}, {"a": "0", "new": "n"})
    assert done.tree is not None
    assert contents(repo, done.tree) == {"new": b"n"}


def test_merge_is_over_the_recorded_base_not_over_the_one_that_history_suggests(repo: Path) -> None:
    """An agent whose result was re-based: what `theirs` shares with an older commit is not merged again."""
    root = tree_of(repo, {"f": "0"})
    base = tree_of(repo, {"f": "1"}, [root.commit])
    ours = tree_of(repo, {"f": "1", "ours": "o"}, [root.commit])  # does not descend from the recorded base
    theirs = tree_of(repo, {"f": "2"}, [base.commit])
    assert trees.git("merge-base", ours.commit, theirs.commit, repo=repo).strip() == root.commit
    done = trees.merge(repo, ours.commit, theirs.commit, base.commit)
    assert done.tree is not None
    assert contents(repo, done.tree) == {"f": b"2", "ours": b"o"}


def test_merge_writes_nothing_where_one_side_did_not_change(repo: Path) -> None:
    base = tree_of(repo, {"f": "0"})
    other = tree_of(repo, {"f": "1"}, [base.commit])
    assert trees.merge(repo, base.commit, other.commit, base.commit).tree == other.tree
    assert trees.merge(repo, other.commit, base.commit, base.commit).tree == other.tree


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Somebody's repository: branch main with two commits, branch side, an annotated tag on the first commit."""
    folder = tmp_path / "source"
    folder.mkdir()
    own_git(folder, "init", "--initial-branch=main")
    for content in ("one", "two"):
        (folder / "f").write_text(content)
        own_git(folder, "add", "f")
        own_git(folder, "commit", "-m", content)
    own_git(folder, "tag", "-a", "v1", "-m", "first", "HEAD~1")
    own_git(folder, "branch", "side", "HEAD~1")
    return folder


def state_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_source_is_imported_by_branch_tag_and_commit_and_only_read(repo: Path, source: Path) -> None:
    before = state_of(source)
    first = trees.git("rev-parse", "v1^{commit}", repo=source / ".git").strip()
    found = {ref: contents(repo, trees.import_source(repo, str(source), ref).commit)["f"] for ref in
             (None, "main", "side", "v1", "refs/heads/side", first, first[:8])}  # fmt: skip
    assert found == {
        None: b"two",
        "main": b"two",
        "side": b"one",
        "v1": b"one",
        "refs/heads/side": b"one",
        first: b"one",
        first[:8]: b"one",
    }
    assert state_of(source) == before


@pytest.mark.parametrize("ref", ["nope", "--upload-pack=touch sprung", "a:b", "0" * 40, "deadbeef"])
def test_a_ref_that_is_not_there_is_one_line_that_names_it(repo: Path, source: Path, ref: str) -> None:
    with pytest.raises(GitError) as error:
        trees.import_source(repo, str(source), ref)
    assert ref in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("place", ["nowhere", "--upload-pack=touch sprung", "ext::sh -c 'touch sprung'"])
def test_a_source_that_is_not_there_is_one_line_that_names_it(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GitError) as error:
        trees.import_source(repo, place, None)
    assert place.split("::")[0] in str(error.value)
    assert not (tmp_path / "sprung").exists()


def test_removing_follows_no_link_and_takes_files_too(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_text("k")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    (tmp_path / "file").write_text("f")
    for name in ("folder", "link", "file", "absent"):
        trees.remove(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept/file").read_text() == "k"


def test_removing_takes_folders_that_their_owner_may_not_write_or_enter(tmp_path: Path) -> None:
    made = """
import os, sys
from pathlib import Path
from workflow.work import trees
folder = Path(sys.argv[1])
for inside in ("a/b/c", "shut/inner/deep", "plain"):
    (folder / inside).mkdir(parents=True)
    (folder / inside / "file").write_text("f")
(folder / "a/out").symlink_to(folder.parent / "kept")
for name, mode in {"a/b/c": 0o500, "a/b": 0o500, "a": 0o500, "shut/inner/deep": 0, "shut/inner": 0o500, "shut": 0}.items():
    (folder / name).chmod(mode)
folder.chmod(0o500)
try:
    (folder / "more").write_text("x")
except PermissionError:
    trees.remove(folder)
    print(folder.exists())
"""
    (tmp_path / "kept").mkdir(mode=0o555)
    done = as_plain_user(made, str(tmp_path / "folder"))
    assert done.stdout == "False\n", done.stderr
    assert (tmp_path / "kept").stat().st_mode & 0o777 == 0o555


ATTRIBUTES = "*.txt text\n*.c ident\n*.crlf text eol=crlf\n*.bin filter=lfs diff=lfs merge=lfs -text\n"
CONVERTED: dict[str, str | bytes] = {
    ".gitattributes": ATTRIBUTES,
    "dos.txt": b"a\r\nb\r\n",
    "id.c": "x $Id: of long ago $\n",
    "good.crlf": "a\nb\n",
    "data.bin": "version https://git-lfs.github.com/spec/v1\n",
}


def as_it_is(repo: Path, content: dict[str, str | bytes]) -> trees.Commit:
    """A commit that holds exactly these bytes, whatever .gitattributes say of them."""
    lines = []
    for path, text in content.items():
        data = text if isinstance(text, bytes) else text.encode()
        lines.append(f"100644 blob {trees.git('hash-object', '-w', '--stdin', repo=repo, data=data).strip()}\t{path}\n")
    tree = trees.git("mktree", repo=repo, data="".join(lines).encode()).strip()
    return trees.commit_tree(repo, tree, [], "as it is", "2000-01-01T00:00:00Z")


def test_file_that_nobody_touched_is_no_change_though_git_would_store_it_in_another_form(tmp_path: Path) -> None:
    repo, folder = tmp_path / "project.git", tmp_path / "tree"
    trees.create(repo)
    base = as_it_is(repo, CONVERTED)
    trees.check_out(repo, base.commit, folder)
    assert (folder / "good.crlf").read_bytes() == b"a\r\nb\r\n"
    assert trees.snapshot(repo, base.commit, folder) == base.tree
    (folder / "data.bin").write_text("mended\n")
    (folder / "dos.txt").write_bytes(b"a\r\nb\r\nc\r\n")
    (folder / "id.c").chmod(0o755)
    found = trees.snapshot(repo, base.commit, folder)
    assert [change.path for change in trees.changes(repo, base.commit, found)] == ["data.bin", "dos.txt", "id.c"]
    assert trees.read_file(repo, found, "dos.txt") == b"a\nb\nc\n"


def test_repository_whose_making_was_interrupted_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """git writes HEAD before it makes the folder of the objects."""

    def killed(*words: object, **more: object) -> str:
        made = Path(str(words[-1]))
        made.mkdir(parents=True)
        (made / "HEAD").write_text("ref: refs/heads/main\n")
        raise KeyboardInterrupt

    repo = tmp_path / "runs/demo/project.git"
    with monkeypatch.context() as patch:
        patch.setattr(trees, "git", killed)
        with pytest.raises(KeyboardInterrupt):
            trees.create(repo)
    trees.create(repo)
    assert trees.git("for-each-ref", repo=repo) == ""
    assert [path.name for path in repo.parent.iterdir()] == ["project.git"]


def test_locks_of_killed_gits_are_forgotten(repo: Path) -> None:
    first = tree_of(repo, {"a.txt": "one\n"}).commit
    trees.set_ref(repo, "phases/plan", first)
    update = ("update-ref", "refs/phases/plan", first)
    held = [repo / "refs/phases/plan.lock", repo / "packed-refs.lock", repo / "HEAD.lock", repo / "refs/phases/.tmp-1-plan"]
    for lock in held:
        lock.write_text("")
    with pytest.raises(GitError, match="cannot lock ref"):
        trees.git(*update, repo=repo)
    trees.forget_locks(repo)
    assert not any(lock.exists() for lock in held)
    trees.git(*update, repo=repo)


@pytest.mark.parametrize(
    "date", ["2026-11-26T16:00:33.983Z", "2026-11-26T16:00:33Z", "2024-02-29T23:59:59+05:30", "1999-12-31T23:00:00-03:00"]
)
@pytest.mark.parametrize("message", ["plan: writer (attempt 1)", "two\n\nlines\n", "Grüße, 世界", ""])
def test_a_commit_is_the_one_that_git_would_write(repo: Path, date: str, message: str) -> None:
    first, second = (tree_of(repo, {"a.txt": text}) for text in ("one\n", "two\n"))
    made = trees.commit_tree(repo, first.tree, [first.commit, second.commit, first.commit], message, date)
    words = ("commit-tree", first.tree, "-p", first.commit, "-p", second.commit, "-p", first.commit)
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    assert trees.git(*words, repo=repo, env=dates, data=message.encode()).strip() == made.commit
    assert "error" not in trees.git("fsck", "--strict", "--no-dangling", repo=repo)


def test_a_ref_is_what_git_takes_for_one_packed_or_not(repo: Path) -> None:
    first, second = (tree_of(repo, {"a.txt": text}).commit for text in ("one\n", "two\n"))
    trees.set_ref(repo, "agents/build/writer", first)
    trees.git("pack-refs", "--all", repo=repo)
    assert trees.resolve(repo, "refs/agents/build/writer").commit == first
    (repo / "refs/agents/build").mkdir(parents=True, exist_ok=True)
    (repo / "refs/agents/build/.tmp-1-writer").write_text("half")
    trees.set_ref(repo, "agents/build/writer", second)
    assert trees.git("for-each-ref", "--format=%(refname) %(objectname)", repo=repo) == f"refs/agents/build/writer {second}\n"
    assert "error" not in trees.git("fsck", "--no-dangling", repo=repo)


def test_the_clone_of_an_agent_has_the_folders_that_tools_expect_and_no_examples(repo: Path, tmp_path: Path) -> None:
    trees.check_out(repo, tree_of(repo, {"a.txt": "one\n"}).commit, tmp_path / "tree")
    assert [list((tmp_path / "tree/.git" / name).iterdir()) for name in ("hooks", "info")] == [[], []]
