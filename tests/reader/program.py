"""The C++ program, as the tests that hold it against the Python reader call it."""

import os
import subprocess
from pathlib import Path

from checkpoints import Pair
from finedelta_reader import unpack
from primitives import DamagedError, WrongBaseError
from programs import PROGRAM

USAGE, WRONG_BASE, DAMAGED = 2, 12, 13  # exit codes
NO_BASE = [Path("--no-base")]


def finedelta(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [PROGRAM, *map(str, arguments), "-q"]
    environment = os.environ | {"HF_HUB_CACHE": os.devnull}  # no base but those that are named
    return subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=300, check=False
    )


def finedelta_pack(pair: Pair, archive: Path, *options: str) -> bytes:
    bases = pair.bases or NO_BASE
    done = finedelta("pack", *options, *bases, pair.fine_tune, "-o", archive)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return archive.read_bytes()


def finedelta_unpack(
    pair: Pair, archive: bytes, folder: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    (folder / "archive").write_bytes(archive)
    return finedelta("unpack", *pair.bases, folder / "archive", "-o", folder / "out", *options)


def reader_code(pair: Pair, archive: bytes, out: Path) -> int:
    """What the program would exit with if it were the reader."""
    try:
        unpack(pair.bases, archive, out)
    except WrongBaseError:
        return WRONG_BASE
    except DamagedError:
        return DAMAGED
    return 0


def expect_damaged(done: subprocess.CompletedProcess[str], folder: Path) -> None:
    """That `finedelta_unpack` into `folder` found damage, and left nothing."""
    assert done.returncode == DAMAGED, done.stderr
    assert not (folder / "out").exists()
