"""Artifacts on the page: what each file is shown as, and when it is only named."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pages import EVIL_SVG, PIXEL
from planted import TOKENS
from runs import tree_of

from workflow import files
from workflow.view.report import artifacts, room
from workflow.view.report.texts import Guard
from workflow.work.redaction import Values

CONTENT: dict[str, str | bytes] = {
    "README.md": "# Title\n\n[risks](docs/risks.md)\n",
    "docs/risks.md": "# Risks\n",
    "a.png": base64.b64decode(PIXEL),
    "lies.png": "no picture at all\n",
    "a.svg": EVIL_SVG,
    "a.csv": "a,b\n1,2\n",
    "a.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["x = 1"], "outputs": [1, 2]}]}),
    "broken.ipynb": '{"cells": 3}',
    "a.py": "x = 1\n",
    "a.bin": b"\x00\x01",
    "latin.txt": b"caf\xe9",
    "empty.txt": "",
    "long.txt": "line\n" * 20_000,
    "huge.txt": "x" * 1_000_000,
}


def manifest_of(run: Any, content: dict[str, str | bytes], asked: tuple[str, ...] = ()) -> dict[str, Any]:
    """What of a manifest is read here."""
    tree = tree_of(run.repo, content).tree
    raw = {path: text if isinstance(text, bytes) else text.encode() for path, text in content.items()}
    rows = [{"path": path, "size": len(text), "sha256": files.sha256_bytes(text), "mode": "100644"} for path, text in raw.items()]
    return {"artifacts": rows, "subject": {"tree": tree, "validation": {"artifacts": [{"found": list(asked)}]}}}


def shelf(run: Any, manifest: dict[str, Any], **space: int) -> dict[str, artifacts.Artifact]:
    """The artifacts by path."""
    rooms = {kind: room.Room(space.get(kind, 10**7), 1) for kind in room.KINDS}
    for item in rooms.values():
        item.next_phase()
    made = artifacts.of_phase(run.folder, 1, manifest, Guard(Values({"KEY": "secret-word"})), rooms)
    return {item.path: item for item in made.items}


def test_each_file_is_shown_as_what_it_is(run: Any) -> None:
    found = shelf(run, manifest_of(run, CONTENT))
    kinds = {path: item.kind for path, item in found.items()}
    assert kinds == {
        "README.md": "document", "docs/risks.md": "document", "a.png": "picture", "lies.png": "text", "a.svg": "picture", "a.csv": "sheet",
        "a.ipynb": "notebook", "broken.ipynb": "text", "a.py": "text", "a.bin": "named", "latin.txt": "named", "empty.txt": "named",
        "long.txt": "text", "huge.txt": "named",
    }  # fmt: skip
    assert found["a.png"].content == f"data:image/png;base64,{PIXEL}"
    assert found["a.svg"].content.startswith("data:image/svg+xml;base64,")
    assert f'href="#{found["docs/risks.md"].id}"' in found["README.md"].content
    assert "2 outputs not shown" in found["a.ipynb"].content
    assert found["long.txt"].left_out == 100_000 - len(found["long.txt"].content)
    assert all(item.why_not for item in found.values() if item.kind == "named")


def test_files_that_were_asked_for_come_first(run: Any) -> None:
    assert next(iter(shelf(run, manifest_of(run, CONTENT, ("docs/risks.md",))))) == "docs/risks.md"


def test_bytes_that_the_manifest_does_not_name_are_not_shown(run: Any) -> None:
    manifest = manifest_of(run, {"a.txt": "one"})
    manifest["artifacts"][0]["sha256"] = "0" * 64
    item = shelf(run, manifest)["a.txt"]
    assert item.kind == "named"
    assert "not those that the manifest names" in item.why_not


def test_secrets_in_files_are_replaced(run: Any) -> None:
    item = shelf(run, manifest_of(run, {"a.md": "the secret-word\n"}))["a.md"]
    assert "secret-word" not in item.content
    assert "[redacted: value of KEY]" in item.content


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><text>the secret-word</text></svg>"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><text>the &#115;ecret&#x2d;word</text></svg>"),
        ("a.svg", b"<svg xmlns='http://www.w3.org/2000/svg'><!-- \xff" + TOKENS["GitHub Token"].encode() + b" --></svg>"),
        ("a.png", base64.b64decode(PIXEL) + b"comment: secret-word"),
    ],
)
def test_picture_that_holds_a_secret_is_named_and_not_shown(run: Any, name: str, content: bytes) -> None:
    item = shelf(run, manifest_of(run, {name: content}))[name]
    assert (item.kind, item.content) == ("named", "")
    assert "it holds a secret" in item.why_not


def test_without_room_files_are_named_with_the_reason(run: Any) -> None:
    found = shelf(run, manifest_of(run, CONTENT), artifacts=10, pictures=10)
    assert found["a.png"].why_not == found["README.md"].why_not == "there is no room left for it on this page"


def test_links_and_missing_files_are_named(run: Any) -> None:
    manifest = manifest_of(run, {"a.txt": "one"})
    manifest["artifacts"].append({"path": "gone.txt", "size": 1, "sha256": "0" * 64, "mode": "100644"})
    manifest["artifacts"].append({"path": "link", "size": 1, "sha256": "0" * 64, "mode": "120000"})
    found = shelf(run, manifest)
    assert found["a.txt"].kind == "text"
    assert "cannot be read" in found["gone.txt"].why_not
    assert found["link"].why_not == "it is a link or a submodule"


@pytest.mark.parametrize("count", [artifacts.MOST_LISTED, artifacts.MOST_LISTED + 7])
def test_very_many_files_are_counted(run: Any, count: int) -> None:
    manifest = manifest_of(run, {f"f{number:04d}.txt": "x" for number in range(count)})
    rooms = room.rooms(1)
    made = artifacts.of_phase(run.folder, 1, manifest, Guard(Values({})), rooms)
    assert (len(made.items), made.more) == (artifacts.MOST_LISTED, count - artifacts.MOST_LISTED)
