"""A bundle of 5,000 files and 65 MB, packed and verified, beside reading such files and their SHA-256."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from runs import Run

from benchmarks.table import Row
from benchmarks.timing import Effort, medians, seconds
from workflow import files
from workflow.plan import documents
from workflow.proof import bundles
from workflow.proof.verification import verify_bundle

BYTES_EACH = 13_000
PACKING = (
    "of the CPU time libdeflate at level 1 takes two fifths, reading the loose objects a third (half of it inflating them), the manifest "
    "as indented JSON an eighth, headers and writing the rest"
)
VERIFYING = "inflating takes two fifths, the zip's directory a fifth, SHA-256 a sixth, headers and CRC-32 the rest"
WORDS = (
    "value",
    "return",
    "self",
    "import",
    "def",
    "class",
    "None",
    "for",
    "in",
    "if",
    "else",
    "result",
    "error",
    "path",
    "name",
    "(",
    ")",
    ":",
)


def rows(folder: Path, effort: Effort) -> Iterator[Row]:
    """A row for packing and one for verifying."""
    count = 500 if effort.short else 5000
    plain, manifest, run = folder / "plain", {}, folder / "runs" / "demo"
    content = dict(sources(count))
    for path, data in content.items():
        files.write_bytes(plain / path, data)
    with chdir(folder):
        manifest = described(Run(), plain)
    target, level = run / "bundles" / "plan.zip", documents.fill_defaults({}, documents.schema("config"))["bundle"]["compression"]

    def hashed(_: int) -> float:
        return seconds(lambda: [hashlib.sha256((plain / path).read_bytes()).hexdigest() for path in content])

    def packed(_: int) -> float:
        return seconds(lambda: bundles.pack(run, manifest, target, level))

    def verified(_: int) -> float:
        found: list[Any] = []
        took = seconds(lambda: found.extend(verify_bundle(target)))
        assert found[0]["artifact_count"] == count
        assert not found[1], found[1]
        return took

    found = medians(effort, floor=hashed, pack=packed, verify=verified)
    again = target.read_bytes()
    bundles.pack(run, manifest, target, level)
    assert target.read_bytes() == again, "the same files gave another bundle"
    size = f"{count} files, {sum(map(len, content.values())) / 1e6:.0f} MB"
    yield Row(f"bundle of {size}", found["pack"], "reading + sha256", found["floor"], 4.0, rest=PACKING)
    yield Row(f"verify a bundle of {size}", found["verify"], "reading + sha256", found["floor"], 1.5, rest=VERIFYING)


def sources(count: int) -> Iterator[tuple[str, bytes]]:
    """Files that look like source code to a compressor (about 4 : 1), always the same ones."""
    dice = random.Random(11)
    names = [f"{dice.choice(WORDS)}_{dice.randrange(9999)}" for _ in range(3000)]
    for number in range(count):
        own, lines, size = dice.sample(names, 60), [], 0
        while size < BYTES_EACH:
            words = [dice.choice(own if dice.random() < 0.6 else WORDS) for _ in range(dice.randrange(3, 12))]
            lines.append("    " * dice.randrange(4) + " ".join(words))
            size += len(lines[-1]) + 1
        yield f"src/part{number % 50:02d}/module_{number:04d}.py", "\n".join(lines).encode()[: BYTES_EACH - 1] + b"\n"


def described(run: Run, plain: Path) -> dict[str, Any]:
    """The manifest of a whole phase whose one agent made these files."""
    run.start()
    run.phase()
    outcome = run.agent("writer", f"cp -r {plain.absolute()}/. .")
    assert outcome["status"] == "succeeded", outcome["errors"]
    run.merge("writer")
    run.validate()
    run.score()
    return run.show("writer")
