"""What goes wrong in a user's life: tried here on an archive of this run, and covered by the project's
tests."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import finedelta
from finedelta.errors import CorruptError, UsageError, WrongBaseError
from finedelta.reports import DiffReport
from finedelta.validate.measured.program import try_program

_PLACES = 5  # of an archive where a bit is flipped


@dataclass(frozen=True)
class Tried:
    case: str
    tries: int
    as_documented: int
    """Of the tries, those that ended with the exit code that is documented for the case."""
    exit_code: int
    """That one."""
    seconds: float
    """Of the longest try."""
    test: str
    """The project's test that covers the case: its file and name."""


@dataclass(frozen=True)
class Covered:
    case: str
    behaviour: str
    test: str


COVERED = (
    Covered(
        "killed at any moment",
        "the output is whole or not there; what was there before still is",
        "tests/faults/test_kill.py: test_killed_before_every_call_that_changes_files",
    ),
    Covered(
        "the disk gets full, at any call",
        "exit code 14, nothing half-written",
        "tests/faults/test_full_disk.py: test_every_call_may_find_the_disk_full",
    ),
    Covered(
        "an input that changes while it is read",
        "noticed, exit code 1",
        "tests/faults/test_changing_input.py: test_a_file_that_changes_once",
    ),
    Covered(
        "more model than memory",
        "the limit holds",
        "tests/faults/test_memory.py: test_large_tensors",
    ),
    Covered(
        "NaN, infinities, zeros of both signs, subnormal numbers",
        "every bit comes back",
        "tests/roundtrip/files_test.cc: NumbersOfEveryKind",
    ),
    Covered(
        "a vocabulary that grew or shrank",
        "rows are matched",
        "tests/roundtrip/match_test.cc: AVocabularyThatGrewOrShrank",
    ),
    Covered(
        "another type, other shards, other names",
        "matched, or coded alone",
        "tests/roundtrip/match_test.cc: OtherTypes",
    ),
    Covered(
        "every bit of an archive flipped, one by one",
        "found, exit code 13",
        "tests/corrupt/damage_test.cc: EveryFlippedBitIsFound",
    ),
    Covered(
        "an archive that lies about itself",
        "refused, exit code 13, in bounded time and memory",
        "tests/corrupt/lies_test.cc: IsRefusedAsCommitted",
    ),
)
"""Cases that take a machine of their own, or a made-up model, to be seen."""


def try_edge_cases(
    base: Path, fine_tune: Path, archive: Path, scratch: Path, diff: DiffReport
) -> tuple[Tried, ...]:
    tried = [_wrong_base(fine_tune, archive)] if _needs_base(archive, diff) else []
    return (
        *tried,
        _flipped_bits(base, archive),
        _cut_short(base, archive),
        _output_exists(base, archive, scratch),
    )


def _needs_base(archive: Path, diff: DiffReport) -> bool:
    """Whether a tensor that the fine-tune changed is stored against the base's: then the fine-tune is a wrong
    base for it."""
    changed = {tensor.name for tensor in diff.tensors if tensor.status == "changed"}
    tensors = finedelta.inspect(archive).tensors
    return any(tensor.base_tensor == tensor.name and tensor.name in changed for tensor in tensors)


def _try(case: str, test: str, wanted: int, tries: list[Callable[[], tuple[int, float]]]) -> Tried:
    ends = [each() for each in tries]
    return Tried(
        case,
        len(ends),
        sum(code == wanted for code, _ in ends),
        wanted,
        max(seconds for _, seconds in ends),
        test,
    )


def _end(verb: str, *words: str | Path) -> tuple[int, float]:
    run = try_program(verb, *words)
    return run.exit_code, run.seconds


def _wrong_base(fine_tune: Path, archive: Path) -> Tried:
    return _try(
        "the fine-tune itself given as the base",
        "tests/roundtrip/wrong_base_test.cc: OneBitAnywhere",
        WrongBaseError.exit_code,
        [lambda: _end("verify", archive, "--base", fine_tune)],
    )


def _flipped_bits(base: Path, archive: Path) -> Tried:
    size = archive.stat().st_size

    def flip(place: int) -> tuple[int, float]:
        with _flipped(archive, size * (2 * place + 1) // (2 * _PLACES)):
            return _end("verify", archive, "--base", base)

    return _try(
        "one bit of the archive flipped",
        "tests/corrupt/damage_test.cc: EveryFlippedBitIsFound",
        CorruptError.exit_code,
        [lambda place=place: flip(place) for place in range(_PLACES)],  # type: ignore[misc]
    )


@contextmanager
def _flipped(path: Path, place: int) -> Iterator[None]:
    """One bit of the file is another, for a while."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        (byte,) = os.pread(descriptor, 1, place)
        os.pwrite(descriptor, bytes([byte ^ 1]), place)
        try:
            yield
        finally:
            os.pwrite(descriptor, bytes([byte]), place)
    finally:
        os.close(descriptor)


def _cut_short(base: Path, archive: Path) -> Tried:
    """The file's last byte is away, for a while."""

    def cut() -> tuple[int, float]:
        size = archive.stat().st_size
        with open(archive, "rb+") as file:
            file.seek(size - 1)
            last = file.read(1)
            file.truncate(size - 1)
            try:
                return _end("verify", archive, "--base", base)
            finally:
                file.seek(size - 1)
                file.write(last)

    return _try(
        "the archive's last byte missing",
        "tests/corrupt/damage_test.cc: EveryTruncationIsFound",
        CorruptError.exit_code,
        [cut],
    )


def _output_exists(base: Path, archive: Path, scratch: Path) -> Tried:
    there = scratch / "there"
    there.mkdir()
    (there / "mine").write_text("mine")

    def unpack() -> tuple[int, float]:
        end = _end("unpack", base, archive, "-o", there)
        untouched = (there / "mine").read_text() == "mine"
        return end if untouched else (-1, end[1])

    return _try(
        "the output exists already",
        "tests/faults/test_targets.py: test_without_force_nothing_is_replaced",
        UsageError.exit_code,
        [unpack],
    )
