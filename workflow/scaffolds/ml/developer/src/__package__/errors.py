"""The errors a user can cause; their messages are meant for people.

ProjectError
├── DataError    the data file cannot be used as it is
├── ModelError   there is no usable saved model
└── InputError   what was given to a command cannot be used
"""

from collections.abc import Iterable
from pathlib import Path


class ProjectError(Exception):
    """Base of all errors that are shown without a traceback."""


class DataError(ProjectError):
    """A data file with its problems, one line each."""

    def __init__(self, path: Path, problems: Iterable[object]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n  ".join([f"{path} cannot be used:", *map(str, self.problems)]))


class ModelError(ProjectError):
    """A saved model that is missing, damaged or made for something else."""


class InputError(ProjectError):
    """Arguments or standard input that a command cannot use."""
