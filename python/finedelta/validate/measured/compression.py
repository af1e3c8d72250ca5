"""How small a fine-tune becomes: exact, and with an error."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import finedelta
from finedelta.errors import UsageError
from finedelta.reports import ArchiveSummary, DiffReport
from finedelta.validate.measured.program import Run, run_anew, run_program
from finedelta.validate.models.checkpoint import kind_of, remove, size_of

TARGET_SAVINGS = (0.90, 0.96)
"""What is asked of fine-tunes."""

_LEVELS = (1, 3)
DEFAULT_LEVEL = 3


@dataclass(frozen=True)
class Level:
    level: int
    archive_bytes: int
    seconds: float
    """The median."""
    peak_bytes: int


@dataclass(frozen=True)
class KindSize:
    kind: str
    before: int
    after: int


@dataclass(frozen=True)
class Lossy:
    """The smallest loss for that much savings."""

    savings: float
    archive_bytes: int | None
    """None: there is none, for this reason."""
    reason: str
    relative_error: float | None = None
    """Of all weights, against what the fine-tune added to the base: root of the sums of squares."""
    error_of_weights: float | None = None
    """The same against the weights themselves."""
    largest_error: float | None = None
    """Of a weight."""
    peak_bytes: int = 0
    """Resident memory while it was packed."""


@dataclass(frozen=True)
class Compression:
    base_bytes: int
    fine_tune_bytes: int
    """All files."""
    weights: int
    """Elements of all tensors."""
    levels: tuple[Level, ...]
    kinds: tuple[KindSize, ...]
    coders: dict[str, int]
    """Chunks by what they are coded with."""
    low_rank_tensors: int
    lossy: tuple[Lossy, ...]

    @property
    def archive_bytes(self) -> int:
        return next(each.archive_bytes for each in self.levels if each.level == DEFAULT_LEVEL)

    @property
    def savings(self) -> float:
        return 1 - self.archive_bytes / self.fine_tune_bytes

    @property
    def saved_bytes(self) -> int:
        return self.fine_tune_bytes - self.archive_bytes

    @property
    def ratio(self) -> float:
        return self.fine_tune_bytes / self.archive_bytes

    @property
    def meets_target(self) -> bool:
        return self.savings >= TARGET_SAVINGS[0]

    @property
    def lossy_at_target(self) -> Lossy | None:
        """The archive with an error that meets it."""
        at_target = (each for each in self.lossy if each.savings == TARGET_SAVINGS[0])
        return next((each for each in at_target if each.archive_bytes is not None), None)


def pack_exact(base: Path, fine_tune: Path, scratch: Path, rounds: int) -> tuple[Path, tuple[Level, ...]]:
    """At every level, in turns; the archive of the default one, the last, is kept."""
    archive = scratch / "exact.fd"
    runs: dict[int, list[Run]] = {level: [] for level in _LEVELS}
    for _ in range(rounds):
        for level in _LEVELS:
            runs[level].append(run_anew(archive, "pack", base, fine_tune, "--level", str(level)))
    return archive, tuple(
        Level(
            level,
            of_level[0].report["archive_bytes"],
            median(run.seconds for run in of_level),
            max(run.peak_bytes for run in of_level),
        )
        for level, of_level in runs.items()
    )


def describe(base: Path, archive: Path, levels: tuple[Level, ...]) -> Compression:
    summary = finedelta.inspect(archive)
    coders: Counter[str] = Counter()
    for tensor in summary.tensors:
        for use in tensor.coders:
            coders[use.coder] += use.chunks
    return Compression(
        base_bytes=size_of(base),
        fine_tune_bytes=summary.input_bytes,
        weights=sum(tensor.elements for tensor in summary.tensors),
        levels=levels,
        kinds=_kinds(summary),
        coders=dict(sorted(coders.items())),
        low_rank_tensors=sum(tensor.rank > 0 for tensor in summary.tensors),
        lossy=(),
    )


def _kinds(summary: ArchiveSummary) -> tuple[KindSize, ...]:
    """Of the tensors, and what is left: other files, headers, the index, hashes."""
    before: Counter[str] = Counter()
    after: Counter[str] = Counter()
    for tensor in summary.tensors:
        kind = kind_of(tensor.name)
        before[kind] += tensor.bytes
        after[kind] += tensor.stored_bytes
    rest = KindSize(
        "other files, headers, index",
        summary.input_bytes - sum(before.values()),
        summary.archive_bytes - sum(after.values()),
    )
    kinds = [KindSize(kind, before[kind], after[kind]) for kind in before]
    return (*sorted(kinds, key=lambda each: -each.before), rest)


def pack_lossy(
    base: Path, fine_tune: Path, scratch: Path, exact_bytes: int, diff: DiffReport
) -> tuple[Lossy, ...]:
    """For every target; the error is that of what comes out of the archive."""
    exact = exact_bytes / size_of(fine_tune)
    return tuple(_pack_lossy(base, fine_tune, scratch, exact, share, diff) for share in TARGET_SAVINGS)


def _pack_lossy(
    base: Path, fine_tune: Path, scratch: Path, exact: float, savings: float, diff: DiffReport
) -> Lossy:
    if 1 - exact >= savings:
        return Lossy(savings, None, "not needed: the exact archive saves more")
    archive, output = scratch / "lossy.fd", scratch / "lossy"
    try:
        run = _run_lossy(base, fine_tune, archive, savings)
    except UsageError as error:
        return Lossy(savings, None, str(error))
    run_program("unpack", base, archive, "-o", output)
    wrong = finedelta.diff(fine_tune, output, progress=False)
    archive.unlink()
    remove(output)
    return Lossy(
        savings,
        run.report["archive_bytes"],
        "",
        _share(wrong.delta_norm, diff.delta_norm),
        _share(wrong.delta_norm, diff.fine_tune_norm),
        largest_delta(wrong),
        run.peak_bytes,
    )


def _run_lossy(base: Path, fine_tune: Path, archive: Path, savings: float) -> Run:
    ratio = f"{1 / (1 - savings):.6g}"
    return run_program("pack", "--lossy", "--ratio", ratio, base, fine_tune, "-o", archive)


def largest_delta(diff: DiffReport) -> float:
    """Of all numbers of both models."""
    floats = [tensor.floats for tensor in diff.tensors if tensor.floats]
    return max((each.largest_delta or 0.0 for each in floats), default=0.0)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
