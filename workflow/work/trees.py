"""Trees and commits: the run's bare repository, agents' throw-away work trees, merges in memory.

An agent gets a clone of its own; its `.git` is never trusted: what it leaves is read with our own git folder and
index, so that hooks, config and filters that it set have no effect. git >= 2.38 (`merge-tree --write-tree`).
"""

from __future__ import annotations

import datetime
import errno
import filecmp
import functools
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from workflow.errors import GitError, StorageError
from workflow.files import write_text
from workflow.work import loose

NAME, EMAIL = "Phasegate", "phasegate@localhost"
NO_BLOB = "0" * 40
OBJECT = re.compile(r"[0-9a-f]{40}")
QUIET = ("-c", "core.hooksPath=/dev/null", "-c", "core.autocrlf=false", "-c", "core.quotePath=false",
         "-c", "core.fsmonitor=false", "-c", "protocol.ext.allow=never", "-c", "gc.auto=0",
         "-c", "advice.detachedHead=false", "-c", "advice.addEmbeddedRepo=false")  # fmt: skip
OLDEST = (2, 38)
SUBMODULE = "160000"
EXPECTED = ("hooks", "info")  # folders that tools write to without making them
PIPE_BYTES = 1 << 20  # so that git reads ahead
READING_S = 600.0  # for git to read an agent's tree, whose patterns and contents are the agent's


@dataclass(frozen=True)
class Change:
    """One file that differs between two trees. `kind` is A (added), M (changed), D (deleted) or T (other type)."""

    kind: str
    path: str
    mode: str
    blob: str
    size: int


@dataclass(frozen=True)
class Commit:
    """A commit and its tree, as 40 hexadecimal digits each."""

    commit: str
    tree: str


@dataclass(frozen=True)
class Merge:
    """The result of a merge: the tree (None where it conflicts), the files in conflict, and a tree that has them with markers."""

    tree: str | None
    conflicts: tuple[str, ...] = ()
    marked: str | None = None


def environment() -> dict[str, str]:
    """The environment for git: nobody's configuration, no prompts, a fixed author."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    return kept | {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": NAME,
        "GIT_AUTHOR_EMAIL": EMAIL,
        "GIT_COMMITTER_NAME": NAME,
        "GIT_COMMITTER_EMAIL": EMAIL,
        "LC_ALL": "C",
    }


def git(
    *words: str | Path,
    repo: Path | None = None,
    env: Mapping[str, str] | None = None,
    ok: tuple[int, ...] = (0,),
    data: bytes | None = None,
    timeout_s: float | None = None,
) -> str:
    """Run git and return what it prints. GitError with git's last words for any other exit code than `ok`, or after `timeout_s`."""
    place = ["--git-dir", str(repo)] if repo else []
    command = ["git", *QUIET, *place, *map(str, words)]
    try:
        done = subprocess.run(
            command, input=data or b"", capture_output=True, env=environment() | dict(env or {}), check=False, timeout=timeout_s
        )
    except FileNotFoundError as error:
        raise GitError("git is not installed; install git >= 2.38") from error
    except subprocess.TimeoutExpired as error:
        raise GitError(f"git {_verb(words)} was stopped after {timeout_s:g} s") from error
    if done.returncode not in ok:
        said = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        first = next((line for line in said if line.startswith(("fatal:", "error:"))), said[-1])
        if any(os.strerror(number) in line for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO) for line in said):
            raise StorageError(f"git {_verb(words)}: {first}; mend that, then run the same command again")
        raise GitError(f"git {_verb(words)} failed (exit code {done.returncode}): {first}")
    return done.stdout.decode("utf-8", "surrogateescape")


def _verb(words: Iterable[str | Path]) -> str:
    """The command among the words for git, after the options before it."""
    return next((str(word) for word in words if re.fullmatch("[a-z][a-z-]+|--version", str(word))), "")


def require_git() -> None:
    """GitError unless git >= 2.38 is there."""
    match = re.search(r"(\d+)\.(\d+)", git("--version"))
    if not match or (int(match[1]), int(match[2])) < OLDEST:
        raise GitError(f"git {match[0] if match else '?'} is too old; install git >= 2.38")


def empty(repo: Path) -> str:
    """The id of the tree that holds nothing."""
    return git("mktree", repo=repo).strip()


def create(repo: Path) -> None:
    """Make the bare repository of a run, unless it is there. It is made elsewhere and moved: half of one would be taken for whole."""
    if (repo / "HEAD").exists():
        return
    made = repo.with_name(f"{repo.name}.new")
    remove(made)
    made.parent.mkdir(parents=True, exist_ok=True)
    git("-c", "init.defaultRefFormat=files", "init", "--quiet", "--bare", "--initial-branch=main", str(made))
    made.rename(repo)


def import_source(repo: Path, source: str, ref: str | None, env: Mapping[str, str] | None = None) -> Commit:
    """Fetch a commit of an existing repository into `repo`; the source is only read. GitError names what is missing.

    `env`: how git reaches hosts (`remotes.reaching`).
    """
    words = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", source)
    try:
        git(*words, f"+{ref or 'HEAD'}:refs/phasegate/source", repo=repo, env=env)
    except GitError:
        if not ref or not re.fullmatch(r"[0-9a-fA-F]{7,40}", ref):
            raise
        git(*words, "+refs/*:refs/phasegate/all/*", repo=repo, env=env)
        found = git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}", repo=repo, ok=(0, 1)).strip()
        if not found:
            raise GitError(f"there is no commit `{ref}` in {source}") from None
        git("update-ref", "refs/phasegate/source", found, repo=repo)
    if not git("for-each-ref", "refs/phasegate/source", repo=repo):  # git says no more than a warning
        raise GitError(f"{source} is a shallow clone; name the repository it comes from, or complete it: git fetch --unshallow")
    return resolve(repo, "refs/phasegate/source")


def resolve(repo: Path, name: str) -> Commit:
    """The commit that a ref or id names, with its tree. GitError where there is none."""
    data = f"{name}^{{commit}}\n{name}^{{tree}}\n".encode()
    lines = git("cat-file", "--batch-check=%(objectname)", repo=repo, data=data).splitlines()
    if any(line.endswith("missing") for line in lines):
        raise GitError(f"there is no commit `{name}` in {repo}")
    return Commit(*lines)


def exists(repo: Path, commit: str) -> bool:
    """Whether the repository holds this commit."""
    try:
        return git("cat-file", "-t", commit, repo=repo).strip() == "commit"
    except GitError:
        return False


def commit_tree(repo: Path, tree: str, parents: list[str], message: str, date: str) -> Commit:
    """Write a commit, the same as `git commit-tree` does. Same arguments, same id: `date` (ISO 8601) is author's and committer's."""
    moment = datetime.datetime.fromisoformat(date.replace("Z", "+00:00"))
    by = f"{NAME} <{EMAIL}> {int(moment.timestamp())} {moment:%z}"
    head = [f"tree {tree}", *(f"parent {parent}" for parent in dict.fromkeys(parents)), f"author {by}", f"committer {by}"]
    text = "\n".join([*head, "", message])
    return Commit(loose.write(repo, "commit", text.encode("utf-8", "replace")), tree)


def set_ref(repo: Path, name: str, commit: str) -> None:
    """Let `refs/<name>` name a commit. The file is replaced as a whole (`gitrepository-layout`), so that a kill leaves no lock behind."""
    write_text(repo / "refs" / name, f"{commit}\n")


def forget_locks(repo: Path) -> None:
    """Remove the lock files and half-written refs that killed processes have left in a repository; none may be at work in it.

    Git would refuse to write what they lock for ever.
    """
    for lock in (*repo.glob("*.lock"), *(repo / "refs").rglob("*.lock"), *(repo / "refs").rglob(".tmp-*")):
        lock.unlink(missing_ok=True)


def check_out(repo: Path, commit: str, target: Path) -> None:
    """Make `target` a clone of its own with this commit checked out; whatever was there before is removed."""
    remove(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    git("init", "--quiet", "--template=", "--", target)  # without fourteen examples of hooks
    own = target / ".git"
    for name in EXPECTED:
        (own / name).mkdir(exist_ok=True)
    (own / "objects" / "info" / "alternates").write_bytes(os.fsencode(repo.absolute() / "objects") + b"\n")
    git("--work-tree", target, "checkout", "--quiet", "--detach", commit, repo=own)
    shutil.copy2(own / "index", _kept_index(target, commit))


def _kept_index(tree: Path, commit: str) -> Path:
    """A copy of the index of a clone of this commit, beside the clone, where the agent cannot write."""
    return tree.with_name(f"{tree.name}.{commit}.index")


def export(repo: Path, commit: str, target: Path) -> None:
    """Write the files of a commit into the empty folder `target`, without any `.git`."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        env = {"GIT_INDEX_FILE": str(Path(folder, "index"))}
        git("read-tree", commit, repo=repo, env=env)
        git("--work-tree", target, "checkout-index", "--all", "--force", repo=repo, env=env)


def snapshot(repo: Path, base: str, folder: Path) -> str:
    """The tree id of the files in `folder` (what its `.gitignore` names is left out).

    Read with our git folder and an index of our own: nothing in the folder's `.git` is used. A file that is as a checkout
    of `base` makes it stays what it is in `base`, also where git would store it in another form now. Where `check_out` kept
    its index, git reads only files whose status (inode, size, times; the kernel alone sets ctime) is not what it was then.
    """
    with tempfile.TemporaryDirectory() as own:
        index = Path(own, "index")
        env = {"GIT_INDEX_FILE": str(index)}
        try:
            shutil.copy2(_kept_index(folder, base), index)  # with its time: git reads what is not older
        except FileNotFoundError:
            git("read-tree", base, repo=repo, env=env)
        words = ("-c", "core.bare=false", "--work-tree", folder, "add", "--all", "--", ".")
        git(*words, repo=repo, env=env | {"PWD": str(folder)}, timeout_s=READING_S)
        tree = git("write-tree", repo=repo, env=env).strip()
    return put_back(repo, tree, base, _untouched(repo, base, tree, folder))


def _untouched(repo: Path, base: str, tree: str, folder: Path) -> list[str]:
    """Files that only git's conversion (line ends, `$Id$`, encodings: .gitattributes) makes differ from `base`."""
    modes = {path: mode for mode, path in entries(repo, base)}
    if not any(path.rsplit("/", 1)[-1] == ".gitattributes" for path in modes):
        return []
    plain = [change.path for change in changes(repo, base, tree) if change.mode.startswith("100") and modes.get(change.path) == change.mode]
    with tempfile.TemporaryDirectory() as own, tempfile.TemporaryDirectory() as fresh:
        env = {"GIT_INDEX_FILE": str(Path(own, "index"))}
        git("read-tree", base, repo=repo, env=env)
        listed = "".join(f"{path}\0" for path in plain).encode("utf-8", "surrogateescape")
        git("--work-tree", fresh, "checkout-index", "-z", "--stdin", repo=repo, env=env, data=listed)
        return [path for path in plain if filecmp.cmp(Path(fresh, path), folder / path, shallow=False)]


def put_back(repo: Path, tree: str, base: str, paths: list[str]) -> str:
    """The id of `tree` with these paths as they are in `base` (absent where it has none)."""
    if not paths:
        return tree
    listed = git("ls-tree", "-r", "-z", base, "--", *(f":(literal){path}" for path in paths), repo=repo)
    there = {line.split("\t", 1)[1]: line.split("\t", 1)[0].split(" ") for line in listed.split("\0") if line}
    lines = [f"{there[path][0]} {there[path][2]}\t{path}" if path in there else f"0 {NO_BLOB}\t{path}" for path in paths]
    with tempfile.TemporaryDirectory() as own:
        env = {"GIT_INDEX_FILE": str(Path(own, "index"))}
        git("read-tree", tree, repo=repo, env=env)
        data = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
        git("update-index", "-z", "--index-info", repo=repo, env=env, data=data)
        return git("write-tree", repo=repo, env=env).strip()


def tree_without(repo: Path, tree: str, path: str) -> str:
    """A hash (SHA-256) of all that a tree holds besides one file."""
    kept = "\0".join("".join(line) for line in _listed(repo, tree) if line[2] != path)
    return hashlib.sha256(kept.encode("utf-8", "surrogateescape")).hexdigest()


def changes(repo: Path, old: str, new: str) -> list[Change]:
    """What differs between two trees or commits, sorted by path (renames are a deletion and an addition)."""
    raw = _told(repo, ("diff-tree", "-r", "-z", "--no-renames", "--raw", old, new), (old, new)).split("\0")
    found = []
    for head, path in zip(raw[0::2], raw[1::2], strict=False):
        _, mode, _, blob, kind = head.lstrip(":").split(" ")
        found.append((kind[0], path, mode, blob))
    sizes = _sizes(repo, [blob for kind, _, mode, blob in found if kind != "D" and mode != "160000"])
    return sorted((Change(kind, path, mode, blob, sizes.get(blob, 0)) for kind, path, mode, blob in found), key=lambda change: change.path)


def _sizes(repo: Path, blobs: list[str]) -> dict[str, int]:
    found = {blob: loose.size(repo, blob) for blob in blobs if loose.has(repo, blob)}
    rest = [blob for blob in blobs if blob not in found]
    if not rest:
        return found
    data = "".join(f"{blob}\n" for blob in rest).encode()
    lines = git("cat-file", "--batch-check=%(objectname) %(objectsize)", repo=repo, data=data).splitlines()
    return found | {name: int(size) for name, size in (line.split(" ") for line in lines)}


def sha256_of(repo: Path, blobs: list[str]) -> dict[str, str]:
    """SHA-256 of the contents of blobs, by their git ids."""
    wanted = sorted(set(blobs) - {NO_BLOB})
    return {blob: hashlib.sha256(content).hexdigest() for blob, content in zip(wanted, read_objects(repo, wanted), strict=True)}


def read_objects(repo: Path, names: list[str]) -> Iterator[bytes]:
    """The bytes of objects (`<blob>` or `<tree>:<path>`) in the given order, from at most one git process. GitError for a gap."""
    near = {name for name in names if loose.has(repo, name)}
    rest = _read_by_git(repo, [name for name in names if name not in near])
    for name in names:
        yield loose.content(repo, name) if name in near else next(rest)


def _read_by_git(repo: Path, names: list[str]) -> Iterator[bytes]:
    if not names:
        return
    command = ["git", *QUIET, "--git-dir", str(repo), "cat-file", "--batch", "--buffer", "-z"]
    with tempfile.TemporaryFile() as asked:
        asked.write(b"".join(name.encode("utf-8", "surrogateescape") + b"\0" for name in names))
        asked.seek(0)
        with subprocess.Popen(command, stdin=asked, stdout=subprocess.PIPE, pipesize=PIPE_BYTES, env=environment()) as process:
            assert process.stdout is not None
            for name in names:
                head = process.stdout.readline().split()
                if len(head) != 3 or not head[2].isdigit():
                    raise GitError(f"{repo}: there is no object {name}")
                yield process.stdout.read(int(head[2]))
                process.stdout.read(1)


def files(repo: Path, commit: str) -> list[str]:
    """The paths of all files in a commit, sorted."""
    return [path for _, path in entries(repo, commit)]


def blobs(repo: Path, tree: str) -> dict[str, str]:
    """The ids of all files in a tree, by path."""
    return {path: head.split(" ")[2] for head, _, path in _listed(repo, tree)}


def entries(repo: Path, commit: str) -> list[tuple[str, str]]:
    """(mode, path) of everything in a commit, sorted by path: files, links, submodules."""
    return [(head.split(" ", 1)[0], path) for head, _, path in _listed(repo, commit)]


def _listed(repo: Path, tree: str) -> Iterator[tuple[str, str, str]]:
    """(mode, kind and id, a tab, path) of everything in a tree or commit, sorted by path."""
    listed = _told(repo, ("ls-tree", "-r", "-z", "--full-tree", tree), (tree,))
    return (line.partition("\t") for line in listed.split("\0") if line)


def _told(repo: Path, words: tuple[str, ...], about: tuple[str, ...]) -> str:
    """What git says about objects: the same as before where it was asked before, since an object never changes; a ref may."""
    return _told_once(repo, words) if all(map(OBJECT.fullmatch, about)) else git(*words, repo=repo)


@functools.lru_cache(maxsize=4)
def _told_once(repo: Path, words: tuple[str, ...]) -> str:
    return git(*words, repo=repo)


def read_file(repo: Path, commit: str, path: str) -> bytes:
    """The bytes of one file in a commit. GitError where there is none."""
    return next(read_objects(repo, [f"{commit}:{path}"]))


def patch(repo: Path, old: str, new: str) -> str:
    """The difference between two trees as a unified diff."""
    return git("diff-tree", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--find-renames", old, new, repo=repo)


def diffstat(repo: Path, old: str, new: str) -> list[tuple[str, int | None, int | None]]:
    """(path, lines added, lines deleted) per changed file; None for a binary file."""
    raw = git("diff-tree", "-r", "-z", "--numstat", "--no-renames", old, new, repo=repo).split("\0")
    rows = []
    for line in filter(None, raw):
        added, deleted, path = line.split("\t", 2)
        rows.append((path, None if added == "-" else int(added), None if deleted == "-" else int(deleted)))
    return rows


def merge(repo: Path, ours: str, theirs: str, base: str | None = None) -> Merge:
    """Three-way merge of two commits over the given base, in memory.

    `merge-tree` of git 2.38 and 2.39 finds the base itself, so our side is first written again as a child of `base`
    (DESIGN: re-parenting); `theirs` must descend from `base`. Without a base, git finds it in the history.
    """
    if base is None:
        return _merge_tree(repo, ours, theirs)
    tree = resolve(repo, ours).tree
    if tree == resolve(repo, base).tree:
        return Merge(resolve(repo, theirs).tree)
    left = commit_tree(repo, tree, [base], "merge base", "2000-01-01T00:00:00Z").commit
    right = commit_tree(repo, resolve(repo, theirs).tree, [base], "merge base", "2000-01-01T00:00:01Z").commit
    return _merge_tree(repo, left, right)


def merge_child(repo: Path, ours: Commit, theirs: str, base: str) -> Merge:
    """Merge a commit whose only parent is `base`, which `ours` holds in its history, so that it is the base of both.

    To find that out, git would walk over all that `ours` has merged since, each time.
    """
    return _merge_tree(repo, commit_tree(repo, ours.tree, [base], "merge base", "2000-01-01T00:00:00Z").commit, theirs)


def _merge_tree(repo: Path, left: str, right: str) -> Merge:
    lines = git("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", left, right, repo=repo, ok=(0, 1)).split("\0")
    names = [line for line in lines[1:] if line]
    tree = lines[0].strip()
    return Merge(None, tuple(sorted(set(names))), tree) if names else Merge(tree)


def remove(folder: Path) -> None:
    """Remove a folder, however deep, that an agent may have made hard to remove; nothing that a link names is followed.

    Every folder below is moved to the top and emptied there, so that no path grows long.
    """
    if folder.is_symlink() or not folder.is_dir():
        folder.unlink(missing_ok=True)
        return
    folder.chmod(0o700)
    waiting, moved = [folder], 0
    unused = f".removed-{os.urandom(8).hex()}"
    while waiting:
        here = waiting.pop()
        with os.scandir(here) as found:
            inside = list(found)
        for entry in inside:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)
                continue
            os.chmod(entry.path, 0o700)  # moving a folder writes in it
            moved += 1
            goal = folder / f"{unused}-{moved}"
            os.rename(entry.path, goal)
            waiting.append(goal)
        if here != folder:
            here.rmdir()
    folder.rmdir()
