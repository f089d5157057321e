"""The health check, for supervisors and load balancers."""

import sqlite3

from flask import Blueprint, Response, current_app, jsonify

from .database import get_connection
from .items import count_items

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> tuple[Response, int]:
    """200 when the items can be read, 503 when not."""
    try:
        count_items(get_connection())
    except sqlite3.Error:
        current_app.logger.exception("The health check cannot read the items")
        return jsonify(status="unavailable"), 503
    return jsonify(status="ok"), 200
