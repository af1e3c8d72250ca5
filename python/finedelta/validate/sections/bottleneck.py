"""What keeps packing and unpacking from being faster."""

from __future__ import annotations

from dataclasses import dataclass

from finedelta.validate.measured.disk import EndToEnd
from finedelta.validate.measured.speed import OURS, Speed
from finedelta.validate.page.document import Cell, Paragraph, Table
from finedelta.validate.page.units import milliseconds, times
from finedelta.validate.run import PairResult, Results
from finedelta.validate.sections.performance import COMPRESS, DECOMPRESS, Step

_REST = "the rest"
_SCALES = 0.7  # of twice as fast with twice the threads, which is worth more threads


@dataclass(frozen=True)
class Parts:
    """Seconds that parts of a step would take alone, and the step from disk to disk."""

    pair: str
    verb: str
    alone: dict[str, float]
    measured: float
    gain: float
    """How many times faster it was with all threads than with one."""
    threads: int

    @property
    def bottleneck(self) -> str:
        return max(self.alone, key=lambda name: self.alone[name])


def all_parts(results: Results) -> list[Parts]:
    found = []
    for pair in results.pairs:
        if pair.speed:
            found += [_packing(pair, pair.speed, results), _unpacking(pair, pair.speed, results)]
    return found


def _ends(pair: PairResult) -> tuple[EndToEnd, EndToEnd]:
    """With one thread, and with all."""
    ours = pair.from_disk(OURS)
    return ours[0], ours[-1]


def _codec(pair: PairResult, speed: Speed, step: Step, threads: int) -> float:
    """Of the whole fine-tune, at the sample's rate."""
    return pair.compression.fine_tune_bytes * step.of(speed.of(OURS, threads).times) / speed.sample_bytes


def _packing(pair: PairResult, speed: Speed, results: Results) -> Parts:
    one, all_threads = _ends(pair)
    machine, sizes = results.machine, pair.compression
    alone = {
        "reading": (sizes.base_bytes + sizes.fine_tune_bytes) / machine.disk_read,
        "coding": _codec(pair, speed, COMPRESS, all_threads.threads),
        "SHA-256": sizes.fine_tune_bytes / machine.sha256,
        "writing": sizes.archive_bytes / machine.disk_write,
    }
    gain = one.compress / all_threads.compress
    return _parts(pair, "pack", alone, all_threads.compress, gain, all_threads.threads)


def _unpacking(pair: PairResult, speed: Speed, results: Results) -> Parts:
    one, all_threads = _ends(pair)
    machine, sizes = results.machine, pair.compression
    alone = {
        "reading": (sizes.base_bytes + sizes.archive_bytes) / machine.disk_read,
        "coding": _codec(pair, speed, DECOMPRESS, all_threads.threads),
        "SHA-256": 0.0,
        "writing": sizes.fine_tune_bytes / machine.disk_write,
    }
    gain = one.decompress / all_threads.decompress
    return _parts(pair, "unpack", alone, all_threads.decompress, gain, all_threads.threads)


def _parts(
    pair: PairResult, verb: str, alone: dict[str, float], measured: float, gain: float, threads: int
) -> Parts:
    # At least: parts may go on at the same time.
    rest = max(0.0, measured - sum(alone.values()))
    return Parts(pair.name, verb, {**alone, _REST: rest}, measured, gain, threads)


def parts_table(found: list[Parts]) -> tuple[Table, Paragraph]:
    head = ("fine-tune", "step", "reading", "coding", "SHA-256", "writing", _REST, "bottleneck", "measured")
    return (
        Table("What each part would take alone", head, tuple(map(_row, found)), numbers_from=2),
        Paragraph(
            "Computed from this machine's rates, with all threads. The rest is what was measured from disk to "
            "disk less all of them: starting, matching, looking for products of low rank, syncing. The largest "
            "is the bottleneck."
        ),
    )


def _row(parts: Parts) -> tuple[Cell, ...]:
    alone = (milliseconds(seconds) if seconds else "-" for seconds in parts.alone.values())
    return (parts.pair, parts.verb, *alone, parts.bottleneck, milliseconds(parts.measured))


_REMEDIES = {
    ("pack", "reading"): "keep bases on a fast disk or in memory, and pack fine-tunes of one base together",
    ("unpack", "reading"): "keep bases on a fast disk or in memory",
    ("pack", "SHA-256"): "pack several fine-tunes at a time: each file is hashed by one thread",
    ("pack", "writing"): "write archives to a faster disk",
    ("unpack", "writing"): "write models to a faster disk, or into memory",
}


def remedy(parts: Parts) -> tuple[str, str]:
    """What to do about the bottleneck, and why."""
    bottleneck = parts.bottleneck
    because = (
        f"{parts.verb}: {bottleneck} alone would take {milliseconds(parts.alone[bottleneck])}, all of it took "
        f"{milliseconds(parts.measured)}"
    )
    known = _REMEDIES.get((parts.verb, bottleneck))
    if known or parts.threads == 1:
        return known or "give it more cores, and measure again", because
    because += f"; {parts.threads} threads were {times(parts.gain)} as fast as one, from disk to disk"
    if parts.gain > 1 + _SCALES * (parts.threads - 1):
        return "give it more cores", because
    return f"{parts.verb} several fine-tunes at a time: more threads for one are of little use", because
