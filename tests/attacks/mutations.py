"""Mutations: chance changes a file of an approved phase, again and again, and the gate is asked each time.

A gate may stay open only where the change has no authority: where whoever reads the file takes the same from it as before
(white space around a digest, a comment in a zip). `python tests/attacks/mutations.py` prints the counts.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import random
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

TARGETS = {
    "bundle": "bundles/plan.zip",
    "manifest": "plan/manifest.json",
    "digest": "plan/digest",
    "marker": "plan/APPROVED",
    "signature": "plan/APPROVED.sig",
}
REFUSED, HARMLESS, OPENED, RAISED = "refused", "without authority", "OPENED", "RAISED"


def flip(content: bytes, chance: random.Random) -> bytes:
    """One bit is another."""
    place = chance.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << chance.randrange(8))]) + content[place + 1 :]


def truncate(content: bytes, chance: random.Random) -> bytes:
    """The end is missing."""
    return content[: chance.randrange(len(content))]


def append(content: bytes, chance: random.Random) -> bytes:
    """Something follows: noise, blanks, or a piece of the file itself."""
    piece = content[chance.randrange(len(content)) :]
    return content + chance.choice([chance.randbytes(chance.randint(1, 40)), b" \n\t"[: chance.randint(1, 3)], piece])


def empty(content: bytes, chance: random.Random) -> bytes:
    """Nothing is left of it, or blanks alone, or zeros."""
    return chance.choice([b"", b"\n", b" ", b"\0"]) * chance.randint(0, len(content))


def swap(content: bytes, chance: random.Random) -> bytes:
    """Two pieces have changed places."""
    one, two, three, four = sorted(chance.sample(range(len(content) + 1), 4))
    made = content[:one] + content[three:four] + content[two:three] + content[one:two] + content[four:]
    return made if made != content else flip(content, chance)


KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {made.__name__: made for made in (flip, truncate, append, empty, swap)}


def taken_from(target: str, content: bytes) -> Any:
    """What a reader takes from a file: everything in it that has authority."""
    if target == "bundle":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = sorted((info.filename, info.external_attr >> 16, archive.read(info)) for info in archive.infolist())
            return [(name, mode, json.loads(text) if name == "MANIFEST.json" else text) for name, mode, text in entries]
    if target == "manifest":
        return json.loads(content)
    if target == "digest":
        return content.decode("ascii").strip()
    return envelope(content) if target == "signature" else content


def envelope(content: bytes) -> list[bytes]:
    """The fields of an SSH signature (PROTOCOL.sshsig) that are verified: key, namespace, hash, signature."""
    text = content.decode("utf-8", "replace")
    inside = text.split("-----BEGIN SSH SIGNATURE-----", 1)[1].split("-----END SSH SIGNATURE-----", 1)[0]
    blob = base64.b64decode("".join(inside.split()))
    found, place = [], 10
    for _ in range(5):
        size = int.from_bytes(blob[place : place + 4], "big")
        found.append(blob[place + 4 : place + 4 + size])
        place += 4 + size
    return [*found[:2], *found[3:]]


def campaign(run_dir: Path, is_open: Callable[[], bool], count: int, seed: int) -> Counter[tuple[str, str, str]]:
    """How often each kind of mutation of each target was refused, had no authority, opened the gate, or raised."""
    found: Counter[tuple[str, str, str]] = Counter()
    for target, name in TARGETS.items():
        path, whole = run_dir / name, (run_dir / name).read_bytes()
        before = taken_from(target, whole)
        for kind, change in KINDS.items():
            chance = random.Random(f"{seed} {target} {kind}")
            for _ in range(count):
                mutated = whole
                while mutated == whole:
                    mutated = change(whole, chance)
                path.write_bytes(mutated)
                found[target, kind, _end(target, mutated, before, is_open)] += 1
        path.write_bytes(whole)
    return found


def _end(target: str, mutated: bytes, before: Any, is_open: Callable[[], bool]) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            if not is_open():
                return REFUSED
        except Exception:  # noqa: BLE001 - whatever it is, it would reach a person
            return RAISED
        with contextlib.suppress(Exception):
            return HARMLESS if taken_from(target, mutated) == before else OPENED
    return OPENED


def table(found: Counter[tuple[str, str, str]]) -> str:
    """The counts by target and kind."""
    ends = (REFUSED, HARMLESS, OPENED, RAISED)
    lines = [f"{'target':10} {'kind':9}" + "".join(f"{end:>19}" for end in ends)]
    for target in TARGETS:
        for kind in KINDS:
            lines.append(f"{target:10} {kind:9}" + "".join(f"{found[target, kind, end]:19}" for end in ends))
    return "\n".join(lines)


def main() -> None:
    """Make a signed phase in a temporary folder, and print the counts."""
    here = Path(__file__).resolve()
    sys.path[:0] = [str(here.parents[1]), str(here.parents[2])]
    from runs import Run
    from signers import ANN, held_run

    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        run = Run()
        run.start()
        held = held_run(run, Path("keys"))
        held.approve(ANN)
        count, seed = (int(word) for word in (sys.argv[1:] + ["100", "1"][len(sys.argv) - 1 :])[:2])
        print(table(campaign(run.folder, lambda: held.judge().is_open, count, seed)))


if __name__ == "__main__":
    main()
