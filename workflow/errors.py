"""The errors that reach a person, as one line without a traceback.

PhasegateError
|-- UsageError       the command line asks for something that does not exist or is not allowed
|-- ConfigError      a config file says something wrong (file, line, key, fix)
|-- IntakeError      the intake says something wrong (file, line, key, what is allowed)
|-- BusyError        another command writes in this folder
|-- GitError         git is missing, too old, or refused
|-- StorageError     the disk is full, read-only or broken
`-- RunError         the files of a run are not what they should be
"""

from __future__ import annotations

import errno


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


class StorageError(PhasegateError):
    """The disk is full, read-only or broken: nothing that was asked for is wrong, and the same command will do later."""


class RunError(PhasegateError):
    """The files of a run are not what they should be."""


NO_ROOM = {
    errno.ENOSPC: "no space left on device; free some",
    errno.EDQUOT: "your disk quota is used up; free some",
    errno.EROFS: "the file system is read-only; mount it writable",
    errno.EACCES: "permission is denied; make the folder writable for you",
    errno.EPERM: "it is not permitted; make the folder writable for you",
    errno.EIO: "the disk reports an error; check it",
    errno.EFBIG: "a file would become larger than is allowed; raise the limit (ulimit -f)",
    errno.EMFILE: "too many files are open; raise the limit (ulimit -n)",
    errno.ENOMEM: "there is no memory left; stop other programs",
}


def storage_error(error: OSError) -> StorageError | None:
    """What to say where a disk, a folder's permissions or memory are at fault; None for any other error."""
    cause = NO_ROOM.get(error.errno or 0)
    return StorageError(f"{error.filename or 'the run'}: {cause}, then run the same command again") if cause else None
