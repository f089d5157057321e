"""Logs: within their limit at every moment, and readable from the first to the last byte while they are written."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from workflow.work import logs
from workflow.work.logs import CappedLog


def test_a_log_is_within_its_limit_at_every_moment_and_counts_what_it_leaves_out(tmp_path: Path) -> None:
    path, printed, chance = tmp_path / "log", 0, random.Random(4)
    with CappedLog(path) as log:
        while printed < 8_000_000:
            part = chance.randbytes(chance.choice([1, 700, 65_536, 1_300_000]))
            log.write(part)
            printed += len(part)
            size = path.stat().st_size
            assert size <= logs.HEAD_BYTES + logs.NOTE_BYTES + logs.TAIL_BYTES
            assert size - (logs.NOTE_BYTES if log.left_out else 0) + log.left_out == printed
    assert log.error is None


def test_what_is_kept_is_the_beginning_and_the_end(tmp_path: Path) -> None:
    text = b"".join(b"%09d\n" % number for number in range(500_000))
    with CappedLog(tmp_path / "log") as log:
        for begin in range(0, len(text), 70_001):
            log.write(text[begin : begin + 70_001])
    kept = (tmp_path / "log").read_bytes()
    assert kept[: logs.HEAD_BYTES] == text[: logs.HEAD_BYTES]
    tail = kept[logs.HEAD_BYTES + logs.NOTE_BYTES :]
    assert len(tail) >= logs.KEPT_BYTES
    assert text.endswith(tail)


def test_a_reader_sees_every_byte_once_while_it_keeps_up(tmp_path: Path) -> None:
    text = b"".join(b"%09d\n" % number for number in range(500_000))
    seen, read = 0, []
    with CappedLog(tmp_path / "log") as log, (tmp_path / "log").open("rb") as file:
        for begin in range(0, len(text), 90_001):
            log.write(text[begin : begin + 90_001])
            new, seen = logs.follow(file, seen)
            read.append(new)
    assert b"".join(read) == text
    assert seen == len(text)


def test_a_reader_that_was_away_is_told_of_the_gap_and_goes_on_behind_it(tmp_path: Path) -> None:
    with CappedLog(tmp_path / "log") as log, (tmp_path / "log").open("rb") as file:
        log.write(b"a" * 10)
        assert logs.follow(file, 0) == (b"a" * 10, 10)
        log.write(b"b" * 5_000_000)
        new, seen = logs.follow(file, 10)
        assert seen == 5_000_010
        assert b"bytes left out" in new
        assert logs.follow(file, seen) == (b"", seen)
        log.write(b"c")
        assert logs.follow(file, seen) == (b"c", seen + 1)


def test_a_log_that_goes_on_keeps_what_was_in_it(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("before\n")
    with CappedLog(tmp_path / "log") as log:
        log.write(b"after\n")
    assert (tmp_path / "log").read_text() == "before\nafter\n"


def test_a_full_disk_costs_output_and_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with CappedLog(tmp_path / "log") as log:
        log.write(b"kept\n")
        with monkeypatch.context() as disk:
            disk.setattr(logs.os, "pwrite", full)
            log.write(b"lost\n")
        log.write(b"kept again\n")
        assert (log.left_out, log.error and log.error.errno) == (5, errno.ENOSPC)
    assert (tmp_path / "log").read_bytes() == b"kept\n\0\0\0\0\0kept again\n"
