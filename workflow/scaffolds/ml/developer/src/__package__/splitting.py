"""Divide messages into a part to learn from and a part that is held out."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .dataset import Message, fingerprint

TEST_SHARE = 0.25


@dataclass(frozen=True)
class Split:
    """Training and held-out messages, each in file order."""

    train: tuple[Message, ...]
    test: tuple[Message, ...]


def split_messages(messages: Sequence[Message], seed: int) -> Split:
    """Hold out a quarter of the distinct texts of each label.

    Texts with the same fingerprint stay together, so no copy of a training message is ever
    tested. Texts are drawn in the order of a hash of seed and fingerprint: the draw depends on
    neither the order of the rows nor the platform.
    """
    by_label: dict[str, set[str]] = defaultdict(set)
    for message in messages:
        by_label[message.label].add(fingerprint(message.text))
    held_out: set[str] = set()
    for fingerprints in by_label.values():
        drawn = sorted(fingerprints, key=lambda text: _draw(seed, text))
        held_out.update(drawn[: max(1, round(len(drawn) * TEST_SHARE))])
    train = tuple(m for m in messages if fingerprint(m.text) not in held_out)
    test = tuple(m for m in messages if fingerprint(m.text) in held_out)
    return Split(train, test)


def _draw(seed: int, text: str) -> bytes:
    return hashlib.sha256(f"{seed}\n{text}".encode()).digest()
