"""Tasks: what a plan may say, the order that follows from it, and what is noticed when it changes."""

from __future__ import annotations

import random
import textwrap

import pytest

from workflow import globs
from workflow.plan import fanout, tasks
from workflow.plan.tasks import Task


def wrong(text: str) -> list[str]:
    found, problems = tasks.parse(textwrap.dedent(text), "plan/tasks.yaml")
    assert not (found and problems)
    return problems


PLAN = """
- id: store
  title: Store items
  touches: [src/store.py]
  accept: ["python -c 'import store'", [test, -s, "a b"]]
- id: pages
  title: Pages
  needs: [store]
"""


def test_a_plan_is_read_with_its_commands_as_words() -> None:
    found, problems = tasks.parse(PLAN, "plan/tasks.yaml")
    assert problems == []
    assert [task.id for task in found] == ["store", "pages"]
    assert found[0].accept == (("python", "-c", "import store"), ("test", "-s", "a b"))
    assert found[1].needs == ("store",)
    assert [tasks.from_json(task.as_json()) for task in found] == found


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("- {id: a, title: A}\n- {id: a, title: B}", 2, "two tasks have the id `a`"),
        ("- {id: a, title: A}\n- {id: A, title: B}", 2, "differ only in case"),
        ("- {id: a, title: A, needs: [b]}", 1, "needs the unknown task `b`; known: a"),
        ("- {id: a, title: A, needs: [b]}\n- {id: b, title: B, needs: [a]}", 1, "in a circle: "),
        ("- {id: a, title: A, needs: [a]}", 1, "in a circle: a -> a"),
        ("- {id: a, title: A, touches: [../b]}", 1, "`../b` lies outside of the project"),
        ("- {id: a, title: A, touches: [/etc/passwd]}", 1, "lies outside of the project"),
        ('- {id: a, title: A, accept: ["test \'"]}', 1, "cannot be split into words"),
        ("- {id: a, title: A, accept: [' ']}", 1, "a command is empty"),
        ("- {id: a}", 1, "lacks the required key `title`"),
        ("- {id: a b, title: A}", 1, "a b"),
        ("- {id: a..b, title: A}", 1, "which git refuses"),
        ("- {id: a, title: A, need: [b]}", 1, "need"),
        ("a: 1", 1, "must be a list"),
        ("- [", 2, "not valid YAML"),
        ("", 1, "empty"),
    ],
)
def test_what_is_wrong_with_a_plan_names_file_line_and_fact(text: str, line: int, words: str) -> None:
    problems = wrong(text)
    assert any(problem.startswith(f"plan/tasks.yaml:{line}") and words in problem for problem in problems), problems


def make(*rows: tuple[str, str, str]) -> list[Task]:
    return [Task(name, name, needs=tuple(needs.split()), touches=tuple(touches.split())) for name, needs, touches in rows]


def test_tasks_that_touch_the_same_files_come_one_after_the_other() -> None:
    found = {
        task.id: task.after
        for task in tasks.in_order(
            make(("a", "", "src/x.py"), ("b", "", "src/*.py"), ("c", "a", "src/x.py docs/**"), ("d", "", "docs/d.md"))
        )
    }
    assert found == {"a": (), "b": ("a",), "c": ("b",), "d": ("c",)}


def test_tasks_that_need_each_other_are_not_put_in_order_twice() -> None:
    found = tasks.in_order(make(("a", "", "x"), ("b", "a", "x"), ("c", "b", "x")))
    assert [task.after for task in found] == [(), (), ()]


def test_the_order_does_not_come_from_the_places_in_the_file() -> None:
    dice = random.Random(7)
    rows = make(*((f"t{number:02d}", f"t{number - 3:02d}" if number > 4 else "", f"src/{number % 5}.py") for number in range(30)))
    wanted = tasks.in_order(rows)
    places = {task.id: place for place, task in enumerate(wanted)}
    assert all(places[other] < places[task.id] for task in wanted for other in task.builds_on)
    for _ in range(20):
        dice.shuffle(rows)
        assert tasks.in_order(rows) == wanted


def test_rewording_a_task_changes_what_it_and_those_that_need_it_are_told_and_nobody_else() -> None:
    rows = make(("a", "", ""), ("b", "a", ""), ("c", "b", ""), ("d", "", ""), ("e", "a", ""))
    before = fanout.lineages(tasks.in_order(rows))
    reworded = [Task("b", "in other words", needs=("a",)) if task.id == "b" else task for task in rows]
    after = fanout.lineages(tasks.in_order(reworded))
    assert {name for name in before if before[name] != after[name]} == {"b", "c"}


def test_one_task_for_each_file_is_known_by_its_path() -> None:
    found = tasks.of_files(["src/a b.py", "src/a-b.py", "src/[x].py"])
    assert len({task.id for task in found}) == 3
    for task, path in zip(found, ["src/a b.py", "src/a-b.py", "src/[x].py"], strict=True):
        assert task.title == path
        assert globs.matches(path, list(task.touches))
    assert not globs.matches("src/x.py", list(found[2].touches))


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        ("src/**", "src/a/b.py", "src/a/b.py"), ("a/*.py", "a/b*", "a/b.py"), ("a/**/x", "a/x", "a/x"), ("*", "a/b", ""),
        ("**/*.py", "docs/*.md", ""), ("src/*/a.py", "src/**/b.py", ""), ("t/[ab].py", "t/*", "t/a.py"), ("a/b", "a/b", "a/b"),
        ("**", "x/y/z", "x/y/z"), ("a/?b", "a/*b", "a/bb"), ("a/**", "b/**", ""), (r"a/\*.py", "a/*.py", "a/*.py"),
    ],
)  # fmt: skip
def test_patterns_overlap_where_a_path_fits_both(one: str, other: str, both: str) -> None:
    assert globs.overlap(one, other) == globs.overlap(other, one) == bool(both)
    if both:
        assert globs.matches(both, one)
        assert globs.matches(both, other)
