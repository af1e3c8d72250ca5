"""How the command lines of this package end."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from typing import NoReturn

from finedelta.errors import FineDeltaError


class _Terminated(BaseException):
    pass


def _terminate(*_: object) -> NoReturn:
    raise _Terminated


def ended(work: Callable[[], int], *, as_json: bool = False) -> int:
    """The exit code: that of `work`, which SIGINT and SIGTERM stop, or of what it raises, which is told on
    standard error, and with `as_json` on standard output too."""
    signal.signal(signal.SIGTERM, _terminate)
    try:
        return work()
    except FineDeltaError as error:
        code, message = error.exit_code, str(error)
    except KeyboardInterrupt:
        code, message = 128 + signal.SIGINT, "interrupted"
    except _Terminated:
        code, message = 128 + signal.SIGTERM, "terminated"
    print(f"finedelta: {message}", file=sys.stderr)
    if as_json:
        print(json.dumps({"error": {"code": code, "message": message}}))
    return code
