"""Errors that a user can do something about."""


class DataError(Exception):
    """The order data cannot be used at all; the message says what to do."""
