"""The application factory: wires the database, the routes, the error answers and the security rules."""

from pathlib import Path

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from . import about, api, database, health, pages, security
from .addresses import ItemIdConverter
from .items import ItemNotFound
from .validation import InvalidItem

MAX_BODY_BYTES = 16 * 1024


def create_app(path: Path) -> Flask:
    """A ready application that keeps its items in the SQLite file `path`, which is made when missing.

    Raises `DatabaseUnusable` when the file cannot be made, opened or written.
    """
    database.prepare(path)
    app = Flask(__name__)
    app.config.update(DATABASE=path, MAX_CONTENT_LENGTH=MAX_BODY_BYTES)
    app.json.sort_keys = False
    app.jinja_env.globals["about"] = about
    app.url_map.converters["item"] = ItemIdConverter
    app.teardown_appcontext(database.close_connection)
    security.protect(app)
    for blueprint in (api.blueprint, health.blueprint, pages.blueprint):
        app.register_blueprint(blueprint)
    app.register_error_handler(InvalidItem, answer_invalid_item)
    app.register_error_handler(ItemNotFound, answer_item_not_found)
    app.register_error_handler(HTTPException, answer_http_error)
    return app


def answer_invalid_item(error: InvalidItem) -> Response:
    """422 with a message for each field that is wrong."""
    return error_response(422, "Unprocessable Content", str(error), error.fields)


def answer_item_not_found(error: ItemNotFound) -> Response:
    """404: the item was never there or is already deleted."""
    return error_response(404, "Not Found", str(error))


def answer_http_error(error: HTTPException) -> Response:
    """The error as JSON or as a page, with the headers that belong to it (such as `Allow` for 405)."""
    response = error_response(error.code or 500, error.name, error.description or "")
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def error_response(status: int, name: str, message: str, fields: dict[str, str] | None = None) -> Response:
    """JSON below `/api/`, a page everywhere else."""
    if request.path.startswith("/api/"):
        error = {"status": status, "message": message, "fields": fields or {}}
        response = jsonify(error=error)
    else:
        response = Response(render_template("error.html", name=name, message=message))
    response.status_code = status
    return response
