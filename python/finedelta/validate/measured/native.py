"""finedelta's own parts, measured in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finedelta import _core

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Measurement:
    """Seconds for all tensors, and bytes before and after; `finedelta/measure.h` says of what."""

    bytes: int
    stored_bytes: int
    delta_seconds: float
    compress_seconds: float
    decompress_seconds: float
    target: str


def measure(
    pairs: list[tuple[str, Array, Array]], *, level: int = _core.DEFAULT_LEVEL, threads: int = 1
) -> Measurement:
    """Compresses the second array of each (dtype, base, fine-tune) against the first, decompresses it and
    compares every byte; once."""
    flat = [
        (dtype, base.reshape(-1).view(np.uint8), tune.reshape(-1).view(np.uint8))
        for dtype, base, tune in pairs
    ]
    fields = _core.measure(pairs=flat, level=level, threads=threads)
    del fields["notes"]
    return Measurement(**fields)
