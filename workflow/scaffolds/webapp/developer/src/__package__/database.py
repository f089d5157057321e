"""The SQLite file: made from `schema.sql`, opened once per request."""

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from flask import current_app, g

BUSY_TIMEOUT_S = 5.0


class DatabaseUnusable(Exception):
    """The database file cannot be made, opened or written; the message says which and why."""


def prepare(path: Path) -> None:
    """Make the file and its folders unless they exist, and bring the schema into it."""
    schema = resources.files(__package__).joinpath("schema.sql").read_text(encoding="utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(schema)
    except (OSError, sqlite3.Error) as error:
        raise DatabaseUnusable(
            f"cannot use {path} as the database: {error}; "
            "name a writable file with --database or TODO_DATABASE"
        ) from error


def connect(path: Path) -> sqlite3.Connection:
    """A connection that waits for other writers, checks foreign keys and gives rows by column name."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def get_connection() -> sqlite3.Connection:
    """The connection of the current request."""
    if "connection" not in g:
        g.connection = connect(current_app.config["DATABASE"])
    return g.connection


def close_connection(_error: BaseException | None) -> None:
    """Close the request's connection if it opened one; what was not committed is rolled back."""
    connection = g.pop("connection", None)
    if connection is not None:
        connection.close()
