"""Tasks: the units of an agent that fans out, read from a file that an earlier phase wrote, or one per file.

A task is known by its id, never by its place in the list. `in_order` puts the tasks into the order in which they are merged:
those that are needed come first, else by id. Tasks that touch the same files and do not need each other are put one after the
other in that order (`after`), so that they do not collide.
"""

from __future__ import annotations

import hashlib
import heapq
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from workflow import globs

if TYPE_CHECKING:
    from workflow.plan import documents

FOLDER = "tasks"
RECORD = "tasks.json"


@dataclass(frozen=True)
class Task:
    """One task. `after` are tasks that it does not need and that change files which it changes, too."""

    id: str
    title: str
    description: str = ""
    needs: tuple[str, ...] = ()
    touches: tuple[str, ...] = ()
    accept: tuple[tuple[str, ...], ...] = ()
    after: tuple[str, ...] = ()

    @property
    def builds_on(self) -> tuple[str, ...]:
        """All tasks whose results its tree holds."""
        return (*self.needs, *self.after)

    def units(self, agent: str) -> list[str]:
        """The names of these among the agents of the phase; `agent` is the one whose task this is."""
        return [unit(agent, other) for other in self.builds_on]

    def as_json(self) -> dict[str, Any]:
        """The task as `tasks.json` holds it."""
        return {
            **asdict(self),
            **{key: list(getattr(self, key)) for key in ("needs", "touches", "after")},
            "accept": [list(words) for words in self.accept],
        }


def from_json(row: Mapping[str, Any]) -> Task:
    """A task of `tasks.json`."""
    lists = {key: tuple(row[key]) for key in ("needs", "touches", "after")}
    return Task(row["id"], row["title"], row["description"], accept=tuple(tuple(words) for words in row["accept"]), **lists)


def unit(agent: str, task: str) -> str:
    """The name of a task among the agents of its phase; its folder below `agents/`, too."""
    return f"{agent}/{FOLDER}/{task}"


def is_file(for_each: str) -> bool:
    """Whether `for_each` names a file with tasks, and not the files to have one task for each."""
    return globs.is_plain(for_each)


def parse(text: str, name: str) -> tuple[list[Task], list[str]]:
    """The tasks in a file, and what is wrong with it, a line each (`file:line: fact; next step`); with problems, no tasks."""
    from workflow.plan import documents  # jobs that only name tasks go without a reader of YAML

    try:
        document = documents.parse(text, Path(name), list)
    except documents.DocumentError as error:
        return [], [str(error)]
    wrong = documents.problems(document, "tasks")
    if wrong:
        return [], wrong
    wanted = documents.schema("tasks")["items"]
    rows = [documents.fill_defaults(row, wanted) for row in document.data]
    wrong = list(_problems(rows, document))
    return ([], wrong) if wrong else ([_task(row) for row in rows], [])


def _task(row: Mapping[str, Any]) -> Task:
    accept = tuple(tuple(shlex.split(words) if isinstance(words, str) else words) for words in row["accept"])
    return Task(row["id"], row["title"], row["description"], tuple(row["needs"]), tuple(row["touches"]), accept)


def _problems(rows: Sequence[Mapping[str, Any]], document: documents.Document) -> Iterable[str]:
    seen: dict[str, int] = {}
    folded: dict[str, str] = {}
    for index, row in enumerate(rows):
        where, name = document.where(index, "id"), row["id"]
        if name in seen:
            yield f"{where}: two tasks have the id `{name}` (the first: {document.where(seen[name], 'id')}); rename one"
        elif name.lower() in folded:
            yield f"{where}: the ids `{folded[name.lower()]}` and `{name}` differ only in case; rename one"
        if ".." in name or name.endswith((".", ".lock")):
            yield f"{where}: `{name}` holds `..` or ends in `.` or `.lock`, which git refuses; rename it"
        seen.setdefault(name, index)
        folded.setdefault(name.lower(), name)
    for index, row in enumerate(rows):
        for other in row["needs"]:
            if other not in seen:
                known = ", ".join(list(seen)[:20])
                yield f"{document.where(index, 'needs')}: task `{row['id']}` needs the unknown task `{other}`; known: {known}"
        for pattern in row["touches"]:
            if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts or "\\" in pattern:
                where = document.where(index, "touches")
                yield f"{where}: `{pattern}` lies outside of the project; name it from the project's top, with `/`"
        yield from (f"{document.where(index, 'accept')}: {text}" for text in _bad_commands(row["accept"]))
    try:
        TopologicalSorter({row["id"]: row["needs"] for row in rows}).prepare()
    except CycleError as error:
        circle = list(reversed(error.args[1]))
        yield f"{document.where(seen.get(circle[0], 0), 'needs')}: tasks need each other in a circle: {' -> '.join(circle)}; take one out"


def _bad_commands(commands: Iterable[str | list[str]]) -> Iterable[str]:
    for command in commands:
        try:
            words = shlex.split(command) if isinstance(command, str) else command
        except ValueError as error:
            yield f"`{command}` cannot be split into words ({error}); mend the quotes"
            continue
        if not words or not words[0]:
            yield "a command is empty; name a program"


def of_files(paths: Iterable[str]) -> list[Task]:
    """One task for each file. The id is the path as an id can hold it, and a short hash of it."""
    return [Task(_id_of(path), path, touches=(globs.escape(path),)) for path in paths]


def _id_of(path: str) -> str:
    mark = hashlib.sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", path).strip("-_")[-54:].strip("-_")
    return f"{plain or 'file'}-{mark}"


def in_order(tasks: Iterable[Task]) -> list[Task]:
    """The tasks in the order in which they are merged, each with the tasks after which it comes because both touch the same files."""
    named = {task.id: task for task in tasks}
    order = _by_needs(named)
    place = {name: index for index, name in enumerate(order)}
    before = dict.fromkeys(order, 0)  # bit sets: what a task has before it
    made: list[Task] = []
    touching = _Touching()
    for name in order:
        task = named[name]
        for other in task.needs:
            before[name] |= before[other] | 1 << place[other]
        after: list[str] = []
        for other in sorted(touching.of(task), key=lambda found: -place[found]):
            if not before[name] >> place[other] & 1:
                after.append(other)
                before[name] |= before[other] | 1 << place[other]
        touching.add(task)
        made.append(replace(task, after=tuple(sorted(after, key=lambda found: place[found]))))
    return made


def _by_needs(named: Mapping[str, Task]) -> list[str]:
    """Topological, the smallest id first."""
    left = {name: len(task.needs) for name, task in named.items()}
    following: dict[str, list[str]] = {}
    for name, task in named.items():
        for other in task.needs:
            following.setdefault(other, []).append(name)
    ready = [name for name, count in left.items() if not count]
    heapq.heapify(ready)
    order = []
    while ready:
        name = heapq.heappop(ready)
        order.append(name)
        for other in following.get(name, ()):
            left[other] -= 1
            if not left[other]:
                heapq.heappush(ready, other)
    return order


class _Touching:
    """Which of the tasks so far may touch a file that another one touches."""

    def __init__(self) -> None:
        self.plain: dict[str, list[str]] = {}
        self.wild: list[tuple[str, str]] = []

    def add(self, task: Task) -> None:
        for pattern in task.touches:
            if globs.is_plain(pattern):
                self.plain.setdefault(globs.unescape(pattern), []).append(task.id)
            else:
                self.wild.append((pattern, task.id))

    def of(self, task: Task) -> set[str]:
        found: set[str] = set()
        for pattern in task.touches:
            if globs.is_plain(pattern):
                path = globs.unescape(pattern)
                found.update(self.plain.get(path, ()))
                found.update(name for other, name in self.wild if globs.matches(path, other))
            else:
                found.update(name for path, names in self.plain.items() if globs.matches(path, pattern) for name in names)
                found.update(name for other, name in self.wild if globs.overlap(pattern, other))
        return found
