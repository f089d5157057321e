"""Loose objects: what git has added and not packed lies in files of its own, which can be read, and written, without starting git.

Format: zlib, of `<kind> <size in bytes>`, a zero byte and the content (Pro Git, chapter 10.2); the name is the SHA-1 of what is
compressed. Agents' results are added one by one and never packed, so that nearly all that is read again soon is loose.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import zlib
from pathlib import Path

from workflow.errors import GitError

ID = re.compile("[0-9a-f]{40}")
HEAD_BYTES = 4096  # the tables of a compressed block may stand before the first byte that they give
LONGEST_HEAD = 64
DAMAGE = (zlib.error, ValueError, IndexError)


def has(repo: Path, name: str) -> bool:
    """Whether a name is an object's id, and the object is loose."""
    return ID.fullmatch(name) is not None and os.path.isfile(_path(repo, name))


def size(repo: Path, name: str) -> int:
    """The bytes that a loose object holds, by its head."""
    try:
        with open(_path(repo, name), "rb", buffering=0) as file:
            return _told(_head(file.read(HEAD_BYTES)))
    except DAMAGE as error:
        raise _damaged(repo, name, error) from error


def content(repo: Path, name: str) -> bytes:
    """The bytes of a loose object. GitError where they are not as many as its head says."""
    import deflate  # not where only bundles are verified, which asks for nothing but Python

    try:
        with open(_path(repo, name), "rb", buffering=0) as file:
            packed = file.read()
        head = _head(packed)
        whole = len(head) + 1 + _told(head)
        found = deflate.zlib_decompress(packed, whole)
        if len(found) != whole:
            raise ValueError(f"{len(found)} bytes instead of {whole}")
        return bytes(memoryview(found)[len(head) + 1 :])
    except (*DAMAGE, deflate.DeflateError) as error:
        raise _damaged(repo, name, error) from error


def write(repo: Path, kind: str, told: bytes) -> str:
    """Add an object, unless it is there, and return its name. It is whole or absent; git clears what a kill leaves (`tmp_obj_`) away."""
    whole = b"%s %d\0%s" % (kind.encode(), len(told), told)
    name = hashlib.sha1(whole, usedforsecurity=False).hexdigest()
    if has(repo, name):
        return name
    path = _path(repo, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    handle, made = tempfile.mkstemp(dir=os.path.dirname(path), prefix="tmp_obj_")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(zlib.compress(whole, 1))
            file.flush()
            os.fsync(file.fileno())
        os.chmod(made, 0o444)
        os.replace(made, path)
    except BaseException:
        os.unlink(made)
        raise
    return name


def _path(repo: Path, name: str) -> str:
    return f"{repo}/objects/{name[:2]}/{name[2:]}"  # a Path takes longer to make than the file to be read


def _head(packed: bytes) -> bytes:
    """What stands before the zero byte; ValueError where there is none."""
    begin = zlib.decompressobj().decompress(packed[:HEAD_BYTES], LONGEST_HEAD)
    return begin[: begin.index(b"\0")]


def _told(head: bytes) -> int:
    return int(head.split(b" ")[1])


def _damaged(repo: Path, name: str, error: Exception) -> GitError:
    return GitError(f"{repo}: the object {name} is damaged ({error}); copy it from a backup of the run")
