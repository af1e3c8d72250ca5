"""How long it takes to find, compress and decompress what a fine-tune adds: finedelta and other ways, taking
turns, in memory."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import numpy as np

from finedelta import _core
from finedelta.errors import FineDeltaError
from finedelta.validate.measured.baselines import (
    FP16_INT8,
    NUMPY_PLANES,
    NUMPY_ZLIB,
    ZSTD,
    Array,
    Baseline,
    floats,
)
from finedelta.validate.measured.native import measure
from finedelta.validate.measured.sample import PIECE, Sample, run_all

RIVALS = (NUMPY_ZLIB, NUMPY_PLANES)
"""(a), the older tools' way, and (b), a competent one: those whose time is taken."""

OURS = "finedelta"

Arrays = list[tuple[Array, Array]]


@dataclass(frozen=True)
class Times:
    """Seconds for the sample."""

    delta: float
    compress: float
    decompress: float


@dataclass(frozen=True)
class InMemory:
    way: str
    threads: int
    times: Times
    """The median of each over all rounds."""
    rounds: tuple[Times, ...]
    stored_bytes: int


@dataclass(frozen=True)
class StoredSize:
    """What a way stores for the sample, without names and headers."""

    way: str
    bytes: int
    is_exact: bool
    relative_error: float
    """Of what comes out, against what the fine-tune added: root of the sums of squares."""


@dataclass(frozen=True)
class Speed:
    sample_bytes: int
    sampled_of_bytes: int
    in_memory: tuple[InMemory, ...]
    stored: tuple[StoredSize, ...]
    target: str
    """The instruction set that finedelta ran on."""

    def of(self, way: str, threads: int) -> InMemory:
        return next(each for each in self.in_memory if (each.way, each.threads) == (way, threads))


def thread_counts() -> tuple[int, ...]:
    """One, and as many as finedelta would take."""
    return tuple(sorted({1, _core.default_threads()}))


def measure_speed(sample: Sample, rounds: int) -> Speed:
    arrays = [(part.read_base(), part.read()) for part in sample.parts]
    in_memory, target = _in_memory(sample, arrays, rounds)
    stored = tuple(_stored(way, arrays) for way in (ZSTD, NUMPY_PLANES, FP16_INT8, NUMPY_ZLIB))
    return Speed(sample.size, sample.of_size, in_memory, stored, target)


def _in_memory(sample: Sample, arrays: Arrays, rounds: int) -> tuple[tuple[InMemory, ...], str]:
    taken: dict[tuple[str, int], list[Times]] = {}
    stored: dict[str, int] = {}
    target = ""
    typed = [(part.tensor.dtype, *pair) for part, pair in zip(sample.parts, arrays, strict=True)]
    pieces = [
        (base[begin : begin + PIECE], tune[begin : begin + PIECE])
        for base, tune in arrays
        for begin in range(0, tune.size, PIECE)
    ]
    for _ in range(rounds):
        for threads in thread_counts():
            with cores(threads):
                ours = measure(typed, threads=threads)
                target = ours.target
                times = Times(ours.delta_seconds, ours.compress_seconds, ours.decompress_seconds)
                taken.setdefault((OURS, threads), []).append(times)
                stored[OURS] = ours.stored_bytes
                for way in RIVALS:
                    times, stored[way.name] = _time(way, pieces, threads)
                    taken.setdefault((way.name, threads), []).append(times)
    return tuple(
        InMemory(way, threads, _median(all_times), tuple(all_times), stored[way])
        for (way, threads), all_times in taken.items()
    ), target


def _median(all_times: list[Times]) -> Times:
    return Times(
        median(each.delta for each in all_times),
        median(each.compress for each in all_times),
        median(each.decompress for each in all_times),
    )


@contextmanager
def cores(count: int) -> Iterator[None]:
    """This thread, and those that it starts, on so many cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[-count:])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def seconds_of(work: Callable[[], None]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def _time(way: Baseline, pieces: Arrays, threads: int) -> tuple[Times, int]:
    stored: list[list[bytes]] = [[]] * len(pieces)

    def delta(i: int, pair: tuple[Array, Array]) -> None:
        way.delta(*pair)

    def compress(i: int, pair: tuple[Array, Array]) -> None:
        stored[i] = way.compress(*pair)

    def decompress(i: int, pair: tuple[Array, Array]) -> None:
        way.decompress(pair[0], stored[i])

    times = Times(
        seconds_of(lambda: run_all(pieces, delta, threads)),
        seconds_of(lambda: run_all(pieces, compress, threads)),
        seconds_of(lambda: run_all(pieces, decompress, threads)),
    )
    return times, sum(len(part) for parts in stored for part in parts)


def _stored(way: Baseline, arrays: Arrays) -> StoredSize:
    sizes = [0] * len(arrays)
    equal = [False] * len(arrays)
    errors = np.zeros((len(arrays), 2))

    def work(i: int, pair: tuple[Array, Array]) -> None:
        base, tune = pair
        stored = way.compress(base, tune)
        restored = way.decompress(base, stored)
        sizes[i] = sum(map(len, stored))
        equal[i] = np.array_equal(restored.view(np.uint8), tune.view(np.uint8))
        errors[i] = _squares(restored, tune), _squares(tune, base)

    run_all(arrays, work, thread_counts()[-1])
    if way.is_exact and not all(equal):
        raise FineDeltaError(f"{way.name} does not give back what it took: this is a defect")
    wrong, added = errors.sum(axis=0)
    relative = float(np.sqrt(wrong / added)) if added > 0 else 0.0
    return StoredSize(way.name, sum(sizes), all(equal), relative)


def _squares(a: Array, b: Array) -> float:
    """The sum of squares of what `a` is off, where `b` is a number; what is none in `a` counts as zero."""
    wanted = floats(b).astype(np.float64)
    found = np.nan_to_num(floats(a).astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    difference = (found - wanted)[np.isfinite(wanted)]
    return float(np.dot(difference, difference))
