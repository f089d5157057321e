"""What may stand in an address."""

from werkzeug.routing import IntegerConverter


class ItemIdConverter(IntegerConverter):
    """An item's id, short enough for SQLite's 64-bit integers; a longer number is no address (404)."""

    regex = "[0-9]{1,18}"
