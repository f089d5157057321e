"""The command that starts the server, in this process and as a process of its own."""

import json
import signal
import urllib.error
import urllib.request
from pathlib import Path

import pytest


def call(address, method="GET", payload=None):
    """Status and decoded JSON of a real HTTP request."""
    request = urllib.request.Request(
        address,
        method=method,
        data=None if payload is None else json.dumps(payload).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.loads(response.read() or "null")
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture
def command(module, monkeypatch):
    """The command's module with a server that only notes how it was started; signals stay as they are."""
    main = module("__main__")
    main.started = []
    monkeypatch.setattr(main.waitress, "serve", lambda app, **options: main.started.append((app, options)))
    monkeypatch.setattr(main.signal, "signal", lambda *_: None)
    monkeypatch.delenv("TODO_DATABASE", raising=False)
    return main


def test_the_real_server_keeps_items_over_a_restart(serve):
    with serve() as address:
        status, created = call(f"{address}/api/items", "POST", {"title": "still there"})
        assert status == 201
        assert call(f"{address}/api/items", "POST", {"title": ""})[0] == 422
    with serve() as address:
        assert call(f"{address}/api/items") == (200, [created])
        with urllib.request.urlopen(address, timeout=5) as page:
            assert "still there" in page.read().decode()


def test_it_listens_where_it_is_told_and_keeps_the_items_there(command, database):
    assert command.main(["--host", "127.0.0.2", "--port", "8123", "--database", str(database)]) == 0
    ((app, options),) = command.started
    assert (options["host"], options["port"]) == ("127.0.0.2", 8123)
    assert app.config["DATABASE"] == database
    assert database.is_file()


def test_by_default_only_this_machine_can_reach_it(command):
    chosen = command.parse_arguments([])
    assert (chosen.host, chosen.port) == ("127.0.0.1", 8000)


def test_by_default_the_items_are_kept_beside_the_project(command):
    project = Path(command.__file__).parents[2]
    assert command.parse_arguments([]).database == project / "instance" / "todo.sqlite3"


def test_an_installed_copy_keeps_the_items_where_it_is_started(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "__file__", str(tmp_path / "lib" / "site" / "package" / "__main__.py"))
    assert command.parse_arguments([]).database == tmp_path / "instance" / "todo.sqlite3"


def test_the_environment_names_the_file_and_the_option_overrules_it(command, monkeypatch):
    monkeypatch.setenv("TODO_DATABASE", "/srv/todo/items.sqlite3")
    assert command.parse_arguments([]).database == Path("/srv/todo/items.sqlite3")
    assert command.parse_arguments(["--database", "other"]).database == Path("other")


def test_an_unusable_file_is_one_line_and_exit_code_1(command, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert command.main(["--database", str(tmp_path / "file" / "todo.sqlite3")]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: cannot use ")
    assert "--database" in error
    assert command.started == []


def test_a_port_in_use_is_one_line_and_exit_code_1(command, database, monkeypatch, capsys):
    def refuse(*_, **__):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(command.waitress, "serve", refuse)
    assert command.main(["--database", str(database)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: cannot listen on 127.0.0.1:8000: ")
    assert "Address already in use" in error
    assert "--port" in error


@pytest.mark.parametrize("port", ["-1", "65536", "http"])
def test_a_port_that_is_none_is_a_usage_error(command, port, capsys):
    with pytest.raises(SystemExit, match="2"):
        command.main([f"--port={port}"])
    assert "--port" in capsys.readouterr().err


def test_a_termination_signal_ends_it_cleanly(command, database, monkeypatch):
    handlers = {}
    monkeypatch.setattr(command.signal, "signal", handlers.__setitem__)
    command.main(["--database", str(database)])
    with pytest.raises(SystemExit, match="0"):
        handlers[signal.SIGTERM](signal.SIGTERM, None)
