"""What finedelta raises. Every error says in one sentence what is wrong, where, and what to do; where it
names an option as the command line does (`--force`), the keyword argument of that name (`force`) is meant.
"""

import errno


class FineDeltaError(Exception):
    """An operation failed: input or output, a model that is not there, too little memory."""

    exit_code = 1
    """What the command line would have ended with."""


class UsageError(FineDeltaError):
    """The request makes no sense: a bad argument, an output that exists, a target out of reach."""

    exit_code = 2


class WrongBaseError(FineDeltaError):
    """The base is not the one that the archive was made from."""

    exit_code = 12


class CorruptError(FineDeltaError):
    """An input is damaged, lies about itself or is not safe to follow."""

    exit_code = 13


class NoSpaceError(FineDeltaError):
    """The output does not fit."""

    exit_code = 14


_BY_EXIT_CODE = {
    kind.exit_code: kind for kind in (UsageError, WrongBaseError, CorruptError, NoSpaceError)
}


_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OUT_OF_REACH = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)


def error_of(exit_code: int, message: str) -> FineDeltaError:
    """The exception that stands for an error of the library."""
    return _BY_EXIT_CODE.get(exit_code, FineDeltaError)(message)


def system_error(error: OSError, message: str) -> FineDeltaError:
    """The exception that stands for an error of the system."""
    if error.errno in _NO_SPACE:
        return NoSpaceError(message)
    return UsageError(message) if error.errno in _OUT_OF_REACH else FineDeltaError(message)
