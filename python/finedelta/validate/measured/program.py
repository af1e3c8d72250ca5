"""Runs of the program that comes with the package, as a user would start it, each in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import finedelta
from finedelta.errors import FineDeltaError, error_of
from finedelta.validate.models.checkpoint import remove

_PROGRAM = Path(finedelta.__file__).with_name("bin") / "finedelta"

# A process's peak memory starts with that of the one it was made from, so a small one stands between.
_WATCH = """
import os, sys, time
begin = time.perf_counter()
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
seconds = time.perf_counter() - begin
print(f"\\n{seconds} {usage.ru_maxrss} {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
"""


@dataclass(frozen=True)
class Run:
    """What one run took, from start to the output being on disk."""

    seconds: float
    peak_bytes: int
    """The largest resident memory of the process."""
    exit_code: int
    report: dict[str, Any]
    """What `--json` printed."""


def try_program(verb: str, *words: str | Path) -> Run:
    command = [sys.executable, "-I", "-S", "-c", _WATCH, str(_PROGRAM)]
    out, err = _communicate([*command, verb, "--json", "-q", *map(str, words)])
    seconds, peak_kib, exit_code = err.splitlines()[-1].split()
    if int(exit_code) < 0:
        name = signal.Signals(-int(exit_code)).name
        raise FineDeltaError(f"'finedelta {verb}' was ended by {name}; is there too little memory?")
    return Run(float(seconds), int(peak_kib) * 1024, int(exit_code), json.loads(out))


def _communicate(command: list[str]) -> tuple[str, str]:
    """What a command prints. Nothing of it runs on if this is interrupted."""
    pipe = subprocess.PIPE
    # In a session of its own, so that both processes can be ended by one signal.
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True) as process:
        try:
            return process.communicate()
        except BaseException:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
            process.communicate()  # until the program, which cleans up, has closed the pipes too
            raise


def run_program(verb: str, *words: str | Path) -> Run:
    """As `try_program`; raises what the program says if it fails."""
    run = try_program(verb, *words)
    if run.exit_code != 0:
        error = run.report["error"]
        raise error_of(error["code"], error["message"])
    return run


def run_anew(output: Path, verb: str, *words: str | Path) -> Run:
    """Makes the output, of which there may be an older one; never are both there."""
    if os.path.lexists(output):
        remove(output)
    return run_program(verb, *words, "-o", output)


def forget(files: Iterable[Path]) -> None:
    """Makes that the files are read from disk again, not from the system's cache (which may refuse)."""
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        except OSError as error:
            raise FineDeltaError(f"'{file}' can't be read anew: {error.strerror}") from error
        finally:
            os.close(descriptor)
