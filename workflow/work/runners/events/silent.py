"""`none`: a program that says nothing about itself. Its exit code and its files are all that is known."""

from __future__ import annotations

from pathlib import Path

from workflow.work.runners.events.base import Reader, Report


class Silent(Reader):
    """Reads nothing."""

    name = "none"

    def end(self, exit_code: int, home: Path) -> Report:
        """Nothing is known."""
        return Report("unknown", None, self.usage)
