"""Start the server: `python -m PACKAGE [--host HOST] [--port PORT] [--database PATH]`."""

import argparse
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import waitress

from . import about
from .app import create_app
from .database import DatabaseUnusable

# The application answers 413 far below this; the server only keeps floods off the disk.
MAX_REQUEST_BYTES = 1024 * 1024


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal ends it; returns the exit code: 0 when told to stop, 1 when it cannot start."""
    chosen = parse_arguments(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        serve(chosen.host, chosen.port, chosen.database.absolute())
    except DatabaseUnusable as error:
        return fail(str(error))
    except (OSError, ValueError) as error:
        return fail(f"cannot listen on {chosen.host}:{chosen.port}: {error}; choose another --host or --port")
    return 0


def fail(message: str) -> int:
    """Tell the person who started the command why it ends; returns the exit code."""
    print(f"error: {message}", file=sys.stderr)
    return 1


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line with `host`, `port` and `database` filled in."""
    parser = argparse.ArgumentParser(prog=f"python -m {__package__}", description=about.TITLE)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    parser.add_argument("--port", type=port_number, default=8000, help="port, 0 for a free one (%(default)s)")
    parser.add_argument(
        "--database",
        type=Path,
        default=default_database(),
        metavar="PATH",
        help="SQLite file, made when missing; also TODO_DATABASE",
    )
    parser.add_argument("--version", action="version", version=about.VERSION)
    return parser.parse_args(arguments)


def port_number(text: str) -> int:
    """`text` as a port; raises ValueError when it is none."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise ValueError(text)
    return port


def default_database() -> Path:
    """`TODO_DATABASE`, else `instance/todo.sqlite3` in the project, or where an installed copy is started."""
    if named := os.environ.get("TODO_DATABASE"):
        return Path(named)
    project = Path(__file__).resolve().parents[2]
    home = project if (project / "pyproject.toml").is_file() else Path.cwd()
    return home / "instance" / "todo.sqlite3"


def serve(host: str, port: int, database: Path) -> None:
    """Serve the items of `database`; the log says the address and where the data is."""
    app = create_app(database)
    logging.getLogger(__package__).info("Items are kept in %s", database)
    waitress.serve(app, host=host, port=port, ident=None, max_request_body_size=MAX_REQUEST_BYTES)


if __name__ == "__main__":
    sys.exit(main())
