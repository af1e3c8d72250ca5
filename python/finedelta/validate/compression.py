"""How small a fine-tune becomes: exact, and with an error."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import finedelta
from finedelta.errors import UsageError
from finedelta.reports import ArchiveSummary, DiffReport
from finedelta.validate.checkpoint import files_of, kind_of, remove
from finedelta.validate.program import Run, run_program

TARGET_SAVINGS = (0.90, 0.96)
"""What is asked of fine-tunes."""

_LEVELS = (1, 3)
DEFAULT_LEVEL = 3


@dataclass(frozen=True)
class Level:
    level: int
    archive_bytes: int
    seconds: float
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
    """None: the target can't be reached, or need not be: the exact archive is that small."""
    reason: str
    relative_error: float | None = None
    """Of all weights, against what the fine-tune added to the base: root of the sums of squares."""
    error_of_weights: float | None = None
    """The same against the weights themselves."""
    largest_error: float | None = None
    """Of a weight."""


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
    def ratio(self) -> float:
        return self.fine_tune_bytes / self.archive_bytes


def pack_exact(base: Path, fine_tune: Path, scratch: Path) -> tuple[Path, tuple[Level, ...]]:
    """At every level; the archive of the default one is kept."""
    levels, kept = [], scratch / "exact.fd"
    for level in _LEVELS:
        archive = kept if level == DEFAULT_LEVEL else scratch / f"level-{level}.fd"
        run = run_program("pack", base, fine_tune, "-o", archive, "--level", str(level))
        levels.append(Level(level, run.report["archive_bytes"], run.seconds, run.peak_bytes))
        if archive != kept:
            archive.unlink()
    return kept, tuple(levels)


def describe(base: Path, archive: Path, levels: tuple[Level, ...]) -> Compression:
    summary = finedelta.inspect(archive)
    coders: dict[str, int] = {}
    for tensor in summary.tensors:
        for use in tensor.coders:
            coders[use.coder] = coders.get(use.coder, 0) + use.chunks
    return Compression(
        base_bytes=sum(file.stat().st_size for file in files_of(base)),
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
    before: dict[str, int] = {}
    after: dict[str, int] = {}
    for tensor in summary.tensors:
        kind = kind_of(tensor.name)
        before[kind] = before.get(kind, 0) + tensor.bytes
        after[kind] = after.get(kind, 0) + tensor.stored_bytes
    rest = KindSize(
        "other files, headers, index",
        summary.input_bytes - sum(before.values()),
        summary.archive_bytes - sum(after.values()),
    )
    kinds = [KindSize(kind, before[kind], after[kind]) for kind in before]
    return (*sorted(kinds, key=lambda each: -each.before), rest)


def pack_lossy(
    base: Path, fine_tune: Path, scratch: Path, exact_bytes: int
) -> tuple[Lossy, ...]:
    """For every target; the error is that of what comes out of the archive."""
    exact = exact_bytes / sum(file.stat().st_size for file in files_of(fine_tune))
    diff = finedelta.diff(base, fine_tune, progress=False)
    return tuple(
        _pack_lossy(base, fine_tune, scratch, exact, share, diff) for share in TARGET_SAVINGS
    )


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
    largest = max((tensor.floats.largest_delta or 0 for tensor in wrong.tensors if tensor.floats), default=0)
    return Lossy(
        savings,
        run.report["archive_bytes"],
        "",
        _share(wrong.delta_norm, diff.delta_norm),
        _share(wrong.delta_norm, diff.fine_tune_norm),
        largest,
    )


def _run_lossy(base: Path, fine_tune: Path, archive: Path, savings: float) -> Run:
    ratio = f"{1 / (1 - savings):.6g}"
    return run_program("pack", "--lossy", "--ratio", ratio, base, fine_tune, "-o", archive)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None
