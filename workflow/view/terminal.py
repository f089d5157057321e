"""What is seen while a run is going on: a line when an agent starts and ends, and whatever is wrong.

Snakemake's own account of jobs, resources and reasons is for `--verbose`, dry runs, and its log file.
"""

from __future__ import annotations

import logging


class Calm(logging.Filter):
    """Lets warnings and errors of Snakemake pass, and nothing below."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is shown."""
        return record.levelno >= logging.WARNING


def calm() -> None:
    """Quieten Snakemake's terminal handler (its log file keeps everything)."""
    from snakemake.logging import logger

    for handler in logger.handlers:
        if handler.name == "DefaultStreamHandler":
            handler.addFilter(Calm())
