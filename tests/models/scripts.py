"""What the scripted model does: turns of text and tool use, what they cost, and what goes wrong.

A conversation's place in its script is read from the request itself (how often the model has spoken in it), so that
the server keeps no sessions and any number of agents may talk to it at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Write:
    """Make or replace a file, by whatever tool the client offers."""

    path: str
    content: str


@dataclass(frozen=True)
class Edit:
    """Replace a text in a file by another."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Read:
    """Look at a file (some clients refuse to edit what was not read)."""

    path: str


@dataclass(frozen=True)
class Shell:
    """Run a command line."""

    line: str


@dataclass(frozen=True)
class Tool:
    """Call a tool by its own name, with these arguments."""

    name: str
    arguments: dict[str, object]


Action = Write | Edit | Read | Shell | Tool


@dataclass(frozen=True)
class Usage:
    """Tokens of one model call. `cached` is a part of `input`."""

    input: int = 1000
    output: int = 20
    cached: int = 0


@dataclass(frozen=True)
class Fault:
    """What goes wrong at a turn: an HTTP status, `hang` (no answer until the server closes), `cut` (half an answer).

    `times`: how often before the turn is answered well; None for always.
    """

    kind: str = "status"
    status: int = 500
    times: int | None = None


@dataclass(frozen=True)
class Turn:
    """One answer of the model."""

    text: str = ""
    actions: tuple[Action, ...] = ()
    usage: Usage = field(default_factory=Usage)
    fault: Fault | None = None


@dataclass(frozen=True)
class Script:
    """The turns of the conversations whose prompt holds `when`. After the last one the model says that it is done.

    With `endless` the last turn is repeated for ever.
    """

    turns: tuple[Turn, ...]
    when: str = ""
    endless: bool = False

    def turn(self, number: int) -> Turn:
        """The turn with this number, from 0."""
        if number < len(self.turns):
            return self.turns[number]
        return self.turns[-1] if self.endless and self.turns else Turn("Done.")


def works(*actions: Action, when: str = "", usage: Usage | None = None) -> Script:
    """A model that uses one tool a turn and then says that it is done."""
    cost = usage or Usage()
    return Script((*(Turn(actions=(action,), usage=cost) for action in actions), Turn("Done.", usage=cost)), when)


def no_op(when: str = "") -> Script:
    """A model that claims to have done everything, and does nothing."""
    return Script((Turn("All files were written and all tests pass."),), when)


def loops(line: str = "true", when: str = "") -> Script:
    """A model that runs the same command for ever."""
    return Script((Turn(actions=(Shell(line),)),), when, endless=True)


def fails(kind: str = "status", status: int = 500, times: int | None = None, after: Sequence[Turn] = (), when: str = "") -> Script:
    """A model that answers `after`, and then goes wrong; after `times` faults it says that it is done."""
    return Script((*after, Turn("Done.", fault=Fault(kind, status, times))), when)
