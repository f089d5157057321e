"""Room on the page: how many bytes of HTML each kind of content may take, so that the page stays below 10 MB."""

from __future__ import annotations

from dataclasses import dataclass

KINDS = {"artifacts": 2_800_000, "pictures": 1_800_000, "differences": 1_600_000, "logs": 1_600_000}


@dataclass
class Room:
    """What is left of a kind of room; phases share it in equal parts, and what one leaves the next ones have."""

    left: int
    phases: int
    share: int = 0

    def next_phase(self) -> None:
        """From now on another phase takes its part."""
        self.share = self.left // max(1, self.phases)
        self.phases -= 1

    def take(self, size: int) -> bool:
        """Whether there is room for so many bytes; it is taken then."""
        if size > self.share:
            return False
        self.share -= size
        self.left -= size
        return True


def rooms(phases: int) -> dict[str, Room]:
    """The room of every kind for a run with so many phases."""
    return {kind: Room(most, phases) for kind, most in KINDS.items()}
