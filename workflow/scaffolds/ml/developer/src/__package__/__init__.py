"""Sort short support messages into categories: load, split, train, evaluate, predict."""

from .about import VERSION as __version__

__all__ = ["__version__"]
