"""The JSON API below `/api/items`."""

from typing import Any

from flask import Blueprint, Response, abort, jsonify, request, url_for
from werkzeug.exceptions import BadRequest

from . import items
from .database import get_connection
from .validation import parse_changes, parse_new_item

blueprint = Blueprint("api", __name__, url_prefix="/api/items")

ITEM_PATH = "/<item:item_id>"
DONE_FILTERS = {"true": True, "false": False}


@blueprint.get("")
def list_items() -> Response:
    """Every item, or with `?done=true` or `?done=false` only those."""
    wanted = request.args.get("done")
    if wanted is not None and wanted not in DONE_FILTERS:
        abort(400, "done must be true or false.")
    return jsonify(items.list_items(get_connection(), DONE_FILTERS.get(wanted)))


@blueprint.post("")
def create_item() -> tuple[Response, int, dict[str, str]]:
    """Add an item; answers 201, the item, and its address in `Location`."""
    item = items.add_item(get_connection(), **parse_new_item(read_object()))
    return jsonify(item), 201, {"Location": url_for("api.show_item", item_id=item.id)}


@blueprint.get(ITEM_PATH)
def show_item(item_id: int) -> Response:
    """One item."""
    return jsonify(items.get_item(get_connection(), item_id))


@blueprint.patch(ITEM_PATH)
def change_item(item_id: int) -> Response:
    """Change the title, the mark, or both; answers the item as it is now."""
    return jsonify(items.change_item(get_connection(), item_id, **parse_changes(read_object())))


@blueprint.delete(ITEM_PATH)
def delete_item(item_id: int) -> tuple[str, int]:
    """Remove the item for good; answers 204 without a body."""
    items.delete_item(get_connection(), item_id)
    return "", 204


def read_object() -> dict[str, Any]:
    """The JSON object that the request carries.

    Aborts with 415 for another content type, 413 for a body that is too large, 400 for anything that is
    not a JSON object.
    """
    try:
        payload = request.get_json()
    except (BadRequest, RecursionError):
        abort(400, "The body must be valid JSON.")
    if not isinstance(payload, dict):
        abort(400, "The body must be a JSON object.")
    return payload
