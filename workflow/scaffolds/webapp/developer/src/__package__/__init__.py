"""A todo list: pages for people, a JSON API for scripts, one SQLite file for the data."""

from .app import create_app

__all__ = ["create_app"]
