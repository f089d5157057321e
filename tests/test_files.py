"""Files are whole or absent, JSON is always the same text, times are UTC with a Z."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from conftest import ROOT

from workflow import files
from workflow.errors import RunError

FULL_DISK = """
import resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from workflow import files
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    files.write_bytes(Path("page.txt"), b"new" * 100_000)
except OSError as error:
    print(type(error).__name__)
"""


def test_file_keeps_its_old_content_when_writing_fails_half_way(tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("old")
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(ROOT)], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "OSError\n"
    assert (tmp_path / "page.txt").read_text() == "old"
    assert os.listdir(tmp_path) == ["page.txt"]


def test_nothing_is_left_when_the_name_is_taken_by_a_folder(tmp_path: Path) -> None:
    (tmp_path / "page.txt").mkdir()
    with pytest.raises(OSError, match="directory"):
        files.write_text(tmp_path / "page.txt", "new")
    assert os.listdir(tmp_path) == ["page.txt"]


def test_folders_on_the_way_are_made_and_long_names_work(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / ("n" * 200)
    files.write_text(path, "text")
    assert path.read_text() == "text"
    assert len(os.listdir(path.parent)) == 1


def test_written_file_can_be_read_by_others(tmp_path: Path) -> None:
    files.write_text(tmp_path / "x", "text")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o644


def test_json_is_sorted_indented_and_ends_in_a_newline(tmp_path: Path) -> None:
    files.write_json(tmp_path / "x.json", {"b": [1, {"d": None, "c": "é"}], "a": True})
    text = '{\n  "a": true,\n  "b": [\n    1,\n    {\n      "c": "\\u00e9",\n      "d": null\n    }\n  ]\n}\n'
    assert (tmp_path / "x.json").read_bytes() == text.encode()
    assert files.read_json(tmp_path / "x.json") == {"a": True, "b": [1, {"c": "é", "d": None}]}


def test_canonical_json_does_not_depend_on_the_order_of_keys() -> None:
    one, two = {"a": 1, "b": {"x": "é\n", "y": [1, 2]}}, {"b": {"y": [1, 2], "x": "é\n"}, "a": 1}
    text = b'{"a":1,"b":{"x":"\\u00e9\\n","y":[1,2]}}'
    assert files.canonical_json(one) == files.canonical_json(two) == text
    assert files.sha256_json(one) == hashlib.sha256(text).hexdigest()


def test_canonical_json_tells_apart_what_is_different() -> None:
    values = [{}, [], {"a": [1, 2]}, {"a": [2, 1]}, {"a": "1"}, {"a": 1}, {"a": None}, {"a": "\udcff"}, "é", "e\u0301"]
    assert len({files.canonical_json(value) for value in values}) == len(values)


def test_file_is_written_only_when_its_bytes_change(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    assert files.write_json_if_changed(path, {"a": 1})
    os.utime(path, (1, 1))
    assert not files.write_json_if_changed(path, {"a": 1})
    assert path.stat().st_mtime == 1
    assert files.write_json_if_changed(path, {"a": 2})
    assert path.stat().st_mtime > 1
    path.write_bytes(b"\xff")
    assert files.write_json_if_changed(path, {"a": 2})


def test_missing_and_broken_json_are_named_with_a_next_step(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"gone\.json: the file is missing; run snakemake again"):
        files.read_json(tmp_path / "gone.json")
    for content in (b"{", b"\xff\xff", b"[" * 100_000):
        (tmp_path / "bad.json").write_bytes(content)
        with pytest.raises(RunError, match=r"bad\.json: cannot be read as JSON"):
            files.read_json(tmp_path / "bad.json")
        assert files.try_read_json(tmp_path / "bad.json") is None


def test_lone_surrogates_of_odd_file_names_do_not_stop_a_page(tmp_path: Path) -> None:
    files.write_text(tmp_path / "x", "name \udcff")
    assert (tmp_path / "x").read_text() == "name \\udcff"


def test_hash_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = b"x" * (files.CHUNK + 7)
    (tmp_path / "x").write_bytes(content)
    assert files.sha256_file(tmp_path / "x") == files.sha256_bytes(content)
    assert files.sha256_bytes(b"") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_time_is_written_in_utc_whatever_the_zone() -> None:
    moment = datetime(2026, 1, 31, 14, 30, 0, 123_999, tzinfo=timezone(timedelta(hours=2)))
    assert files.timestamp(moment) == "2026-01-31T12:30:00.123Z"
    assert files.timestamp(datetime(2026, 1, 31, tzinfo=UTC)) == "2026-01-31T00:00:00.000Z"


def test_time_is_read_as_it_was_written_and_sorts_as_text() -> None:
    first = files.now()
    assert abs(files.parse_time(first) - datetime.now(UTC)) < timedelta(minutes=1)
    assert files.timestamp(files.parse_time(first)) == first
    assert first <= files.now()
    with pytest.raises(ValueError, match="soon"):
        files.parse_time("soon")
