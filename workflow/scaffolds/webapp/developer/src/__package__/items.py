"""The todo items: what one is, and every statement that reads or writes them."""

import sqlite3
from dataclasses import dataclass
from datetime import UTC, datetime


class ItemNotFound(Exception):
    """No item has the wanted id."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"There is no item {item_id}.")


@dataclass(frozen=True)
class Item:
    """One thing to do. Times are UTC in ISO 8601, such as `2030-01-31T09:30:00Z`."""

    id: int
    title: str
    done: bool
    created_at: str
    updated_at: str


def list_items(connection: sqlite3.Connection, done: bool | None = None) -> list[Item]:
    """Every item, or only those that are (not) done; open ones first, each group in order of creation."""
    rows = connection.execute(
        "SELECT id, title, done, created_at, updated_at FROM items"
        " WHERE :done IS NULL OR done = :done ORDER BY done, id",
        {"done": done},
    )
    return [_item(row) for row in rows]


def count_items(connection: sqlite3.Connection) -> dict[str, int]:
    """How many items there are: `open`, `done` and `all`."""
    row = connection.execute("SELECT count(*) AS n, total(done) AS done FROM items").fetchone()
    done = int(row["done"])
    return {"all": row["n"], "open": row["n"] - done, "done": done}


def get_item(connection: sqlite3.Connection, item_id: int) -> Item:
    """The item with this id; raises `ItemNotFound`."""
    row = connection.execute(
        "SELECT id, title, done, created_at, updated_at FROM items WHERE id = ?", (item_id,)
    ).fetchone()
    if row is None:
        raise ItemNotFound(item_id)
    return _item(row)


def add_item(connection: sqlite3.Connection, title: str, done: bool = False) -> Item:
    """Store a new item and return it with its id."""
    now = _now()
    with connection:
        cursor = connection.execute(
            "INSERT INTO items (title, done, created_at, updated_at) VALUES (?, ?, ?, ?)",
            (title, done, now, now),
        )
    return Item(cursor.lastrowid, title, done, now, now)


def change_item(
    connection: sqlite3.Connection,
    item_id: int,
    title: str | None = None,
    done: bool | None = None,
) -> Item:
    """Set the title, the mark or both, leave what is None; raises `ItemNotFound`."""
    with connection:
        cursor = connection.execute(
            "UPDATE items SET title = coalesce(?, title), done = coalesce(?, done), updated_at = ?"
            " WHERE id = ?",
            (title, done, _now(), item_id),
        )
    if cursor.rowcount == 0:
        raise ItemNotFound(item_id)
    return get_item(connection, item_id)


def delete_item(connection: sqlite3.Connection, item_id: int) -> None:
    """Remove the item for good; raises `ItemNotFound`."""
    with connection:
        cursor = connection.execute("DELETE FROM items WHERE id = ?", (item_id,))
    if cursor.rowcount == 0:
        raise ItemNotFound(item_id)


def delete_done_items(connection: sqlite3.Connection) -> None:
    """Remove every item that is done for good."""
    with connection:
        connection.execute("DELETE FROM items WHERE done = 1")


def _item(row: sqlite3.Row) -> Item:
    return Item(**{**row, "done": bool(row["done"])})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
