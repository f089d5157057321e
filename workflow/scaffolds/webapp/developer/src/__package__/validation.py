"""What an item may look like, whoever sends it: the rules for the API and for the forms."""

import unicodedata
from collections.abc import Mapping
from typing import TypedDict

MAX_TITLE_CHARACTERS = 200
FIELDS = ("title", "done")
CONTROL_AND_SURROGATE = {"Cc", "Cs", "Zl", "Zp"}


class InvalidItem(Exception):
    """What was sent is no item; `fields` says what is wrong with each field."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(" ".join(f"{name}: {problem}." for name, problem in fields.items()))
        self.fields = fields


class ItemFields(TypedDict, total=False):
    """The fields of an item that somebody may set."""

    title: str
    done: bool


def parse_new_item(payload: Mapping[str, object]) -> ItemFields:
    """The fields of a new item, the title trimmed; raises `InvalidItem`."""
    return parse_changes({"title": None, **payload})


def parse_changes(payload: Mapping[str, object]) -> ItemFields:
    """The fields to change, the title trimmed; raises `InvalidItem`, also when there are none."""
    if not payload:
        raise InvalidItem({"title": "give a title, done, or both"})
    problems = {name: problem for name in payload if (problem := _problem(name, payload[name]))}
    if problems:
        raise InvalidItem(problems)
    fields = ItemFields(**payload)
    if "title" in fields:
        fields["title"] = fields["title"].strip()
    return fields


def _problem(name: str, value: object) -> str | None:
    if name == "title":
        return _title_problem(value)
    if name == "done":
        return None if isinstance(value, bool) else "must be true or false"
    return f"is unknown; known are {' and '.join(FIELDS)}"


def _title_problem(value: object) -> str | None:
    if value is None:
        return "is required"
    if not isinstance(value, str):
        return "must be a text"
    title = value.strip()
    if not title:
        return "must not be empty"
    if len(title) > MAX_TITLE_CHARACTERS:
        return f"must have at most {MAX_TITLE_CHARACTERS} characters, this one has {len(title)}"
    if any(unicodedata.category(character) in CONTROL_AND_SURROGATE for character in title):
        return "must be one line without control characters"
    return None
