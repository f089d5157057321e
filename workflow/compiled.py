"""Templates that this process has compiled: kept in memory, so that a fork of a server that has them need not do it again.

Kept by name, file and text of the template (Jinja2's `BytecodeCache`), so that a changed one is compiled anew.
"""

from __future__ import annotations

from types import CodeType

import jinja2
from jinja2.bccache import Bucket


class Memory(jinja2.BytecodeCache):
    """Code by key and checksum of its template."""

    def __init__(self) -> None:
        """Nothing is compiled yet."""
        self.codes: dict[tuple[str, str], CodeType] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Give the bucket its code, where it is there."""
        bucket.code = self.codes.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Keep the code of a bucket."""
        if bucket.code is not None:
            self.codes[bucket.key, bucket.checksum] = bucket.code


MEMORY = Memory()
