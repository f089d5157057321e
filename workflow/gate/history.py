"""When each digest was first shown, and what opened a gate: `history/gates/<phase>.json`.

A bare marker (an empty APPROVED) says nothing but when it was touched, so it counts only when it is newer than the
moment this digest was shown. Time stamps do not survive a copy of the folder; therefore the place (the inode of the
run's folder) is recorded, and in a new place only markers touched after the move count, besides those that had
opened the gate before.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from workflow import files

EMPTY: dict[str, Any] = {"shown": [], "opened": [], "opening": None, "place": None, "place_since_ns": 0}
SHOWN, OPENED = {"digest", "at", "at_ns"}, {"digest", "at"}


def path(run_dir: Path, phase: str) -> Path:
    """The record of a phase's gate."""
    return run_dir / "history" / "gates" / f"{phase}.json"


def read(run_dir: Path, phase: str) -> dict[str, Any]:
    """The record of a phase's gate; an empty one where there is none. What is damaged in it counts as never noted."""
    found = EMPTY | files.try_read_object(path(run_dir, phase))
    opening = found["opening"] if isinstance(found["opening"], dict) else None
    return found | {"shown": _whole(found["shown"], SHOWN), "opened": _whole(found["opened"], OPENED), "opening": opening}


def _whole(rows: Any, keys: set[str]) -> list[dict[str, Any]]:
    rows = rows if isinstance(rows, list) else []
    return [row for row in rows if isinstance(row, dict) and keys <= row.keys() and files.is_time(row["at"])]


def place(run_dir: Path) -> int:
    """What tells this folder from a copy of it."""
    return run_dir.stat().st_ino


def record_shown(run_dir: Path, phase: str, digest: str) -> None:
    """Note that this digest is what is shown from now on. Showing the same digest again changes nothing."""
    record = read(run_dir, phase)
    if record["shown"] and record["shown"][-1]["digest"] == digest:
        return
    moment = (run_dir / phase / "digest").stat().st_mtime_ns
    shown = [*record["shown"], {"digest": digest, "at": files.now(), "at_ns": moment}]
    files.write_json(path(run_dir, phase), record | {"shown": shown, "place": record["place"] or place(run_dir)})


def record_lost(run_dir: Path, phases: list[str]) -> None:
    """Where the record of a gate is lost, begin a new one: what is there counts as shown from now on."""
    for phase in phases:
        digest = run_dir / phase / "digest"
        if (run_dir / phase / "REQUEST.md").is_file() and digest.is_file() and not read(run_dir, phase)["shown"]:
            shown = {"digest": digest.read_text(encoding="ascii").strip(), "at": files.now(), "at_ns": time.time_ns()}
            files.write_json(path(run_dir, phase), EMPTY | {"shown": [shown], "place": place(run_dir)})


def record_opening(run_dir: Path, phase: str, digest: str, marker: Path) -> None:
    """Note that this bare marker has opened the gate for this digest. Only the writer of the folder calls this."""
    record = read(run_dir, phase)
    opening = {"digest": digest, "marker_mtime_ns": marker.stat().st_mtime_ns}
    if {key: (record["opening"] or {}).get(key) for key in opening} != opening:
        files.write_json(path(run_dir, phase), record | {"opening": opening | {"at": files.now()}})


def record_opened(run_dir: Path, phase: str, digest: str, at: str) -> None:
    """Note since when a gate is open for what is shown, once for each time that it was shown; figures are made of it."""
    record = read(run_dir, phase)
    shown = record["shown"]
    if shown and shown[-1]["digest"] == digest and not any(entry["at"] >= shown[-1]["at"] for entry in record["opened"]):
        files.write_json(path(run_dir, phase), record | {"opened": [*record["opened"], {"digest": digest, "at": max(at, shown[-1]["at"])}]})


def settle_place(run_dir: Path, phases: list[str]) -> None:
    """After a copy of the folder: keep gates open that were open, and trust no time stamp from before the copy."""
    for phase in phases if run_dir.is_dir() else ():
        record = read(run_dir, phase)
        if record["place"] in (None, place(run_dir)):
            continue
        opening, marker = record["opening"], run_dir / phase / "APPROVED"
        if opening and marker.is_file() and not marker.is_symlink():
            opening = opening | {"marker_mtime_ns": marker.stat().st_mtime_ns}
        record |= {"opening": opening, "place": place(run_dir), "place_since_ns": time.time_ns()}
        files.write_json(path(run_dir, phase), record)


def bare_marker_counts(record: dict[str, Any], digest: str, mtime_ns: int, here: int) -> tuple[bool, str]:
    """Whether a bare marker with this time opens the gate for this digest, and why not."""
    if not record["shown"] or record["shown"][-1]["digest"] != digest:
        return False, "this content has not been shown yet"
    opening = record["opening"]
    if opening and opening["digest"] == digest and (record["place"] != here or opening["marker_mtime_ns"] == mtime_ns):
        return True, ""
    if record["place"] != here:
        return False, "the folder was copied after APPROVED was touched"
    if mtime_ns > time.time_ns() + 60 * 10**9:
        return False, "APPROVED carries a time in the future"
    if mtime_ns <= record["place_since_ns"]:
        return False, "the folder was copied after APPROVED was touched"
    if mtime_ns <= record["shown"][-1]["at_ns"]:
        return False, "APPROVED is older than what is shown now"
    return True, ""
