"""The errors that reach a person, as one line without a traceback.

PhasegateError
|-- UsageError       the command line asks for something that does not exist or is not allowed
|-- ConfigError      a config file says something wrong (file, line, key, fix)
|-- IntakeError      the intake says something wrong (file, line, key, what is allowed)
|-- BusyError        another command writes in this folder
|-- GitError         git is missing, too old, or refused
`-- RunError         the files of a run are not what they should be
"""

from __future__ import annotations


class PhasegateError(Exception):
    """A mistake that a person can mend; its text says fact, place and next step."""


class UsageError(PhasegateError):
    """The command line asks for something that does not exist or is not allowed."""


class ConfigError(PhasegateError):
    """A config file says something wrong."""


class IntakeError(PhasegateError):
    """The intake says something wrong."""


class BusyError(PhasegateError):
    """Another command writes in this folder."""


class GitError(PhasegateError):
    """git is missing, too old, or refused what was asked."""


class RunError(PhasegateError):
    """The files of a run are not what they should be."""
