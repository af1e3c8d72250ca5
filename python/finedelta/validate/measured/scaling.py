"""How time and memory grow with the size of a model, and what that says of one that was not measured."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from finedelta.validate.measured.program import Run, forget, run_anew, run_program
from finedelta.validate.models.checkpoint import LARGE, files_of, remove, size_of
from finedelta.validate.models.cut import cut_pair

PROJECTED_BYTES = 140_000_000_000
"""70 B parameters of 16 bits."""

_SHARES = (0.125, 0.25, 0.5)


@dataclass(frozen=True)
class Measured:
    bytes: int
    """Of the fine-tune's files."""
    seconds: float
    peak_bytes: int


@dataclass(frozen=True)
class Fit:
    """seconds = start + bytes / rate, by least squares of relative errors."""

    start: float
    rate: float
    relative_error: float
    """Root of the mean square of the measured sizes' relative errors."""
    projected_seconds: float
    projected_error: float
    """One standard deviation of a time that would be measured there, as the errors of the measured sizes give
    it; what a larger model has otherwise, a disk that is full of it, say, is not in it."""


@dataclass(frozen=True)
class Growth:
    verb: str
    measured: tuple[Measured, ...]
    fit: Fit | None
    """None: the sizes are too few, or too small for time to grow with them."""

    @property
    def memory_per_gigabyte(self) -> float | None:
        """Bytes of peak memory that a gigabyte more of model takes: the slope of a line through the sizes of
        at least a gigabyte, before which buffers are not full; None where there are less than two."""
        large = [each for each in self.measured if each.bytes >= LARGE]
        if len(large) < 2:
            return None
        sizes = [each.bytes / 1e9 for each in large]
        return float(np.polyfit(sizes, [each.peak_bytes for each in large], 1)[0])


@dataclass(frozen=True)
class Scaling:
    pair: str
    growths: tuple[Growth, ...]


def measure_scaling(name: str, base: Path, fine_tune: Path, scratch: Path, rounds: int) -> Scaling:
    found: dict[str, list[Measured]] = {"pack": [], "verify": [], "unpack": []}
    for share in _SHARES:
        with cut_pair(base, fine_tune, share, scratch) as pair:
            _measure(*pair, scratch, rounds, found)
    _measure(base, fine_tune, scratch, rounds, found)
    return Scaling(
        name,
        tuple(Growth(verb, tuple(sizes), fit(sizes)) for verb, sizes in found.items()),
    )


def _measure(base: Path, tune: Path, scratch: Path, rounds: int, found: dict[str, list[Measured]]) -> None:
    archive, output = scratch / "scaled.fd", scratch / "scaled"
    size = size_of(tune)

    def step(verb: str) -> Run:
        forget([*files_of(base), *(files_of(tune) if verb == "pack" else [archive])])
        if verb == "pack":
            return run_anew(archive, "pack", base, tune)
        if verb == "unpack":
            return run_anew(output, "unpack", base, archive)
        return run_program("verify", archive, "--base", base)

    for verb in found:
        runs = [step(verb) for _ in range(rounds if size < LARGE else 1)]
        seconds = median(run.seconds for run in runs)
        found[verb].append(Measured(size, seconds, max(run.peak_bytes for run in runs)))
    remove(archive)
    remove(output)


def fit(measured: list[Measured]) -> Fit | None:
    """None for less than three sizes, which would leave no error, and where the slope is not twice its
    own."""
    if len({each.bytes for each in measured}) < 3:
        return None
    # In gigabytes, which keeps the sums sound; each row is divided by what was measured.
    sizes = np.array([each.bytes / 1e9 for each in measured])
    seconds = np.array([each.seconds for each in measured])
    rows = np.stack([np.ones_like(sizes), sizes], axis=1) / seconds[:, None]
    solution = np.linalg.lstsq(rows, np.ones(len(sizes)), rcond=None)[0]
    left = 1 - rows @ solution
    variance = float(left @ left) / (len(sizes) - 2)
    covariance = variance * np.linalg.inv(rows.T @ rows)
    if not solution[1] > 2 * np.sqrt(covariance[1, 1]):
        return None
    at = np.array([1, PROJECTED_BYTES / 1e9])
    projected = float(at @ solution)
    return Fit(
        start=float(solution[0]),
        rate=float(1e9 / solution[1]),
        relative_error=float(np.sqrt(np.mean(left**2))),
        projected_seconds=projected,
        projected_error=float(np.sqrt(at @ covariance @ at + variance * projected**2)),
    )
