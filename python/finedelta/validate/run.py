"""Everything that a report says, measured."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import finedelta
from finedelta.reports import DiffReport
from finedelta.validate.measured import accuracy, compression, disk
from finedelta.validate.measured.edge_cases import Tried, try_edge_cases
from finedelta.validate.measured.environment import Environment, look_around
from finedelta.validate.measured.sample import take_sample
from finedelta.validate.measured.scaling import Scaling, measure_scaling
from finedelta.validate.measured.speed import Speed, measure_speed
from finedelta.validate.models.checkpoint import LARGE, files_of, pairs_of, size_of
from finedelta.validate.models.cut import cut_pair
from finedelta.validate.models.source import Pair

Tell = Callable[[str], None]


@dataclass(frozen=True)
class PairResult:
    name: str
    is_synthetic: bool
    compression: compression.Compression
    lossy_share: float
    """Of the rows of every tensor, those that lossy archives were made of."""
    accuracy: accuracy.Accuracy
    speed: Speed | None
    """None: no float tensor has the base's type and shape."""
    end_to_end: tuple[disk.EndToEnd, ...]
    edge_cases: tuple[Tried, ...]

    def from_disk(self, way: str) -> list[disk.EndToEnd]:
        """By threads."""
        return sorted((each for each in self.end_to_end if each.way == way), key=lambda each: each.threads)


@dataclass(frozen=True)
class Results:
    environment: Environment
    machine: disk.Machine
    pairs: tuple[PairResult, ...]
    scaling: Scaling | None
    """None: no pair has tensors in common."""
    rounds: int

    @property
    def are_synthetic(self) -> bool:
        return any(pair.is_synthetic for pair in self.pairs)


@dataclass(frozen=True)
class Settings:
    scratch: Path
    rounds: int
    sample_bytes: int
    """Most of a fine-tune that ways are compared on in memory."""


def measure_all(pairs: Iterator[Pair], settings: Settings, tell: Tell) -> Results:
    environment = look_around(settings.scratch)
    results = []
    machine: disk.Machine | None = None
    scaling: Scaling | None = None
    for pair in pairs:
        pair.need(settings.scratch)
        if machine is None:
            with _room(settings.scratch) as room:
                machine = disk.measure_machine(files_of(pair.fine_tune), room)
        results.append(_measure(pair, settings, tell))
        if pair.scales:
            tell(f"{pair.name}: smaller models cut from it")
            with _room(settings.scratch) as room:
                scaling = measure_scaling(pair.name, pair.base, pair.fine_tune, room, settings.rounds)
    assert machine is not None
    return Results(environment, machine, tuple(results), scaling, settings.rounds)


@contextmanager
def _room(scratch: Path) -> Iterator[Path]:
    """An empty folder for one step."""
    room = scratch / "room"
    room.mkdir()
    try:
        yield room
    finally:
        shutil.rmtree(room)


def _measure(pair: Pair, settings: Settings, tell: Tell) -> PairResult:
    base, tune = pair.base, pair.fine_tune
    size = size_of(tune)
    rounds = settings.rounds if size < LARGE else 1
    tell(f"{pair.name}: what was changed")
    diff = finedelta.diff(base, tune, rank=size < LARGE, progress=False)
    with _room(settings.scratch) as room:
        tell(f"{pair.name}: packed, unpacked and compared")
        archive, levels = compression.pack_exact(base, tune, room, rounds)
        restored = accuracy.restore(base, tune, archive, room)
        tried = try_edge_cases(base, tune, archive, room, diff)
        sizes = compression.describe(base, archive, levels)
    with _room(settings.scratch) as room:
        tell(f"{pair.name}: with an error")
        share = 1.0 if size < LARGE else LARGE / 2 / size
        sizes = replace(sizes, lossy=_lossy(pair, share, sizes.archive_bytes, room, diff))
    with _room(settings.scratch) as room:
        tell(f"{pair.name}: from disk to disk")
        sample = take_sample(base, tune, settings.sample_bytes)
        ends = disk.measure_end_to_end(base, tune, sample, room, rounds)
        tell(f"{pair.name}: in memory")
        speed = measure_speed(sample, settings.rounds) if sample.parts else None
    return PairResult(
        pair.name,
        pair.is_synthetic,
        sizes,
        share,
        accuracy.describe(diff, restored),
        speed,
        ends,
        tried,
    )


def _lossy(
    pair: Pair, share: float, archive_bytes: int, room: Path, diff: DiffReport
) -> tuple[compression.Lossy, ...]:
    """Of the model, or of a share of it, against that share's exact archive."""
    if share == 1:
        return compression.pack_lossy(pair.base, pair.fine_tune, room, archive_bytes, diff)
    if not pairs_of(pair.base, pair.fine_tune):
        return ()
    with cut_pair(pair.base, pair.fine_tune, share, room) as (base, tune):
        archive, levels = compression.pack_exact(base, tune, room, 1)
        archive.unlink()
        diff = finedelta.diff(base, tune, progress=False)
        return compression.pack_lossy(base, tune, room, levels[-1].archive_bytes, diff)
