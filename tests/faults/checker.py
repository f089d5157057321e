"""What must hold over the history of the agents and the journal of their attempts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from faults import points
from faults.history import Event
from faults.shots import Hit

NOTED_WITHIN_S = 0.1


@dataclass(frozen=True)
class Violation:
    """Something that must never be. `kind` is one word or two."""

    kind: str
    text: str


@dataclass
class Attempt:
    """One attempt as journal and history tell it."""

    folder: str
    began: float | None = None
    ended: float | None = None
    code: int | None = None
    call: str = ""
    overlapped: bool = False
    begin: Any = None
    exit: Any = None
    result: Any = None
    torn: list[str] = field(default_factory=list)

    @property
    def number(self) -> int:
        """Its number, from 1."""
        return int(self.folder.rsplit("/", 1)[1])

    @property
    def paid(self) -> bool:
        """Whether the journal says that the agent exited 0."""
        return bool(self.exit) and self.exit.get("exit_code") == 0

    @property
    def key(self) -> str:
        """What the agent was told, and on which files."""
        return str((self.begin or {}).get("key"))


def check(events: Iterable[Event], hits: Iterable[Hit]) -> tuple[list[Violation], list[float]]:
    """All violations; and, for agents that ended with 0 so shortly before a kill that nothing could note it and that
    were run again, how many seconds before the kill that was (Jepsen calls such an end indeterminate).
    """
    found: list[Violation] = []
    lags: list[float] = []
    for attempts in by_agent(events).values():
        for attempt in attempts:
            found += check_attempt(attempt)
        more, late = check_agent(attempts, list(hits))
        found += more
        lags += late
    return found, lags


def by_agent(events: Iterable[Event]) -> dict[str, list[Attempt]]:
    """The attempts of each agent, in their order: those of the history and those of the journal."""
    made: dict[str, Attempt] = {}
    for event in events:
        attempt = made.setdefault(event.attempt, Attempt(event.attempt))
        if event.kind == "begin":
            attempt.began, attempt.call = event.at, event.token
        elif event.kind == "end":
            attempt.ended, attempt.code = event.at, event.code
        elif event.kind == "overlap":
            attempt.overlapped = True
    agents: dict[str, list[Attempt]] = {}
    for folder in {event.agent_dir for event in events}:
        for path in Path(folder, "attempts").glob("[0-9]*/begin.json"):  # without it, nothing but a tree is ready
            made.setdefault(str(path.parent), Attempt(str(path.parent)))
    for attempt in made.values():
        read_journal(attempt)
        agents.setdefault(attempt.folder.rsplit("/", 2)[0], []).append(attempt)
    return {name: sorted(found, key=lambda attempt: attempt.number) for name, found in agents.items()}


def read_journal(attempt: Attempt) -> None:
    """Fill in what the journal says; files that are not whole are noted."""
    for name in ("begin", "exit", "result"):
        try:
            setattr(attempt, name, points.whole(Path(attempt.folder, f"{name}.json")))
        except ValueError:
            attempt.torn.append(name)


def check_attempt(attempt: Attempt) -> list[Violation]:
    """What must hold of one attempt."""
    found = [Violation("torn file", f"{attempt.folder}/{name}.json cannot be read") for name in attempt.torn]
    if attempt.overlapped:
        found.append(Violation("two alive", f"{attempt.folder} began while another attempt of the agent was alive"))
    if attempt.began is not None and attempt.begin is None and "begin" not in attempt.torn:
        found.append(Violation("no begin", f"{attempt.folder} worked without a begin.json"))
    if attempt.paid and attempt.ended is None:
        found.append(Violation("invented", f"{attempt.folder}/exit.json says 0, but the agent never came to its end"))
    if attempt.result is not None and attempt.exit is None and "exit" not in attempt.torn:
        found.append(Violation("invented", f"{attempt.folder} has a result and no exit"))
    return found


def check_agent(attempts: list[Attempt], hits: list[Hit]) -> tuple[list[Violation], list[float]]:
    """What must hold between the attempts of one agent."""
    found: list[Violation] = []
    lags: list[float] = []
    for index, attempt in enumerate(attempts):
        later = [other for other in attempts[index + 1 :] if other.key == attempt.key or not other.begin]
        if attempt.paid and later:
            found.append(Violation("paid twice", f"{attempt.folder} had exited 0, and {later[0].folder} was made"))
        if attempt.paid and any(other.paid for other in later):
            found.append(Violation("finished twice", f"{attempt.folder} and a later attempt both exited 0"))
        if attempt.code == 0 and attempt.exit is None and later and not told_to_stop(attempt, hits):
            lag = lag_of(attempt, hits)
            if lag is None or lag > NOTED_WITHIN_S:
                when = "and nobody killed its supervisor" if lag is None else f"{lag:.3f} s before the kill"
                near = [
                    f"{hit.shot.target} {hit.at - (attempt.ended or 0):+.2f} s {hit.attempts}" for hit in hits if hit.call == attempt.call
                ]
                text = f"{attempt.folder} ended with 0 {when}; it was not noted, and {later[0].folder} was made; kills in its call: {near}"
                found.append(Violation("paid twice", text))
            else:
                lags.append(lag)
    return found, lags


def told_to_stop(attempt: Attempt, hits: list[Hit]) -> bool:
    """Whether its supervisor had been struck before it ended: what an agent does after TERM proves nothing.

    The agent may have begun a moment after that: the supervisor was about to start it when it was struck, and is told by the kernel.
    """
    return any(hit.strikes(attempt.folder, attempt.call) and hit.at <= (attempt.ended or 0) for hit in hits)


def lag_of(attempt: Attempt, hits: list[Hit]) -> float | None:
    """Seconds from an agent's end to the first kill after it that struck its supervisor."""
    ended = attempt.ended or 0.0
    return min((hit.at - ended for hit in hits if hit.strikes(attempt.folder, attempt.call) and hit.at > ended), default=None)
