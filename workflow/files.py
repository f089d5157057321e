"""Files: atomic writes, canonical JSON, hashes, times.

JSON is sorted, indented by two, and ends in a newline. Times are UTC in ISO 8601 with a `Z`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from workflow.errors import RunError

CHUNK = 1 << 20


def now() -> str:
    """The current time, as `2026-01-31T12:00:00.123Z`."""
    return timestamp(datetime.now(UTC))


def timestamp(moment: datetime) -> str:
    """`moment` in UTC, ISO 8601, milliseconds, with a `Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def parse_time(text: str) -> datetime:
    """The moment that `now` or `timestamp` wrote; ValueError for anything else."""
    return datetime.fromisoformat(text)


def is_time(text: Any) -> bool:
    """Whether a value is such a moment, in UTC."""
    try:
        return isinstance(text, str) and text.endswith("Z") and parse_time(text).tzinfo is not None
    except ValueError:
        return False


def write_bytes(path: Path, content: bytes, durable: bool = False) -> None:
    """Write a file so that it is whole or absent: temporary name beside it, fsync, rename.

    A `durable` one is there after a power failure, too: the folder is synced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".tmp-", suffix=f"-{path.name}"[:64])
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
        if durable:
            _sync_folder(path.parent)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_text(path: Path, text: str, durable: bool = False) -> None:
    """`write_bytes` for UTF-8 text; lone surrogates (from odd file names) are kept as escapes."""
    write_bytes(path, text.encode("utf-8", "backslashreplace"), durable)


def write_json(path: Path, value: Any, durable: bool = False) -> None:
    """Write `value` as sorted, indented JSON with a newline at the end."""
    write_text(path, pretty_json(value), durable)


def write_json_if_changed(path: Path, value: Any) -> bool:
    """Write `value` only where the file holds another one; says whether it wrote."""
    if holds_json(path, value):
        return False
    write_json(path, value)
    return True


def holds_json(path: Path, value: Any) -> bool:
    """Whether a file holds this value. Compared in the short form, which is much faster to make than the one that people read."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        return canonical_json(json.loads(path.read_bytes())) == canonical_json(value)
    return False


def moment(path: Path, follow: bool = False) -> tuple[int, ...] | None:
    """What tells the state of a file from any other: time of its content and of its entry, size, inode. None where there is none."""
    try:
        found = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def pretty_json(value: Any) -> str:
    """`value` as the JSON text that the files of a run hold."""
    return json.dumps(value, sort_keys=True, indent=2, ensure_ascii=True) + "\n"


def canonical_json(value: Any) -> bytes:
    """`value` as JSON for hashing: sorted keys, no blanks, ASCII; numbers are integers or texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def read_json(path: Path) -> Any:
    """The value in a JSON file; RunError that names the file where it cannot be read."""
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RunError(f"{path}: the file is missing; run snakemake again to make it") from error
    except (OSError, ValueError, RecursionError) as error:
        raise RunError(f"{path}: cannot be read as JSON ({error}); delete it and run snakemake again") from error


def try_read_json(path: Path) -> Any:
    """The value in a JSON file, or None where there is no readable one."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None


def try_read_object(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; an empty one where there is no readable one."""
    found = try_read_json(path)
    return found if isinstance(found, dict) else {}


def disk_is_full(path: Path) -> bool:
    """Whether the disk that a path lies on has hardly any room left (less than 1 MiB)."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize < 1 << 20


def sha256_bytes(content: bytes) -> str:
    """SHA-256 of `content` in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sha256_json(value: Any) -> str:
    """SHA-256 of the canonical JSON of `value`."""
    return sha256_bytes(canonical_json(value))


def sha256_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
