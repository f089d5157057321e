"""The data file: made when missing, kept over restarts, guarded by its own rules."""

import sqlite3
import threading
from contextlib import closing

import pytest


def test_items_survive_a_restart(start):
    created = start().post("/api/items", json={"title": "still there", "done": True}).json
    restarted = start()
    assert restarted.get("/api/items").json == [created]
    assert "still there" in restarted.get("/").text


def test_a_missing_file_is_made_with_its_folder(start, database):
    assert not database.parent.exists()
    start()
    assert database.is_file()


def test_the_file_uses_write_ahead_logging_and_foreign_keys(client, database, module):
    with closing(module("database").connect(database)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1


@pytest.mark.parametrize(("title", "done"), [("", 0), ("a" * 201, 0), (None, 0), ("a", 2)])
def test_the_file_refuses_what_is_no_item_even_past_the_validation(client, database, title, done):
    with closing(sqlite3.connect(database)) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO items (title, done, created_at, updated_at) VALUES (?, ?, '', '')", (title, done)
        )


def test_one_request_uses_one_connection_and_closes_it(client, module, monkeypatch):
    database = module("database")
    opened = []
    connect = database.connect
    monkeypatch.setattr(database, "connect", lambda path: opened.append(connect(path)) or opened[-1])
    client.get("/")
    assert len(opened) == 1
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened[0].execute("SELECT 1")


def test_items_added_at_the_same_time_are_all_kept(client):
    def add(number):
        client.application.test_client().post("/api/items", json={"title": f"item {number}"})

    threads = [threading.Thread(target=add, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    titles = {item["title"] for item in client.get("/api/items").json}
    assert titles == {f"item {number}" for number in range(8)}


def test_a_file_that_is_no_database_is_named_in_the_error(start, database, module):
    database.parent.mkdir()
    database.write_text("these are not the items that you are looking for\n" * 100)
    with pytest.raises(module("database").DatabaseUnusable, match="todo.sqlite3.*not a database"):
        start()


def test_health_is_ok_while_the_items_can_be_read(client):
    response = client.get("/health")
    assert (response.status_code, response.json) == (200, {"status": "ok"})


def test_health_is_unavailable_when_the_items_are_gone(client, database):
    database.unlink()
    response = client.get("/health")
    assert (response.status_code, response.json) == (503, {"status": "unavailable"})
