"""Deltas rounded to integers of few bits, with a scale of each row."""

from dataclasses import dataclass

import numpy as np
from layouts import add_codes, add_floats, add_words, read_codes, read_floats, read_words
from pair import Pair, matrices, spans
from store import Reader, Writer
from weights import State, from_bits, to_bits

from .baseline import Baseline
from .scales import SCALES

# Of how much of the way to a row's largest magnitude the outermost level may lie: what reaches further
# is clipped, which pays for few levels.
CLIPS = np.geomspace(0.15, 1, 14)


@dataclass(frozen=True)
class Grid:
    """`levels` numbers, one apart, around zero: with zero among them if their number is odd."""

    levels: int

    @property
    def outermost(self) -> float:
        return (self.levels - 1) / 2

    @property
    def width(self) -> int:
        """Bits of a code, a power of two."""
        return next(width for width in (1, 2, 4, 8) if self.levels <= 1 << width)

    def codes(self, multiples: np.ndarray) -> np.ndarray:
        """Codes from 0 on of the nearest levels."""
        return np.clip(np.rint(multiples + self.outermost), 0, self.levels - 1)

    def values(self, codes: np.ndarray) -> np.ndarray:
        return codes.astype(np.float32) - np.float32(self.outermost)


def quantised(rows: np.ndarray, grid: Grid, scale: str) -> tuple[np.ndarray, np.ndarray]:
    """Codes, and each row's scale: of the clips the one with the least squared error."""
    top = np.abs(rows).max(axis=1, keepdims=True)
    best_codes = np.zeros_like(rows)
    best_error = np.full((len(rows), 1), np.inf, np.float32)
    for clip in CLIPS:
        step = top * np.float32(clip / grid.outermost)
        codes = grid.codes(rows / np.where(step > 0, step, 1))
        error = np.square(rows - grid.values(codes) * step).sum(axis=1, keepdims=True)
        best_codes = np.where(error < best_error, codes, best_codes)
        best_error = np.minimum(error, best_error)
    return best_codes, SCALES[scale](rows, grid.values(best_codes))


@dataclass(frozen=True)
class Integers(Baseline):
    grid: Grid
    scale: str
    family = "integers"

    @property
    def setting(self) -> str:
        return f"{self.grid.levels} levels, scale of each row {self.scale}"

    def write(self, writer: Writer, pair: Pair) -> None:
        parts = [quantised(pair.matrix(span), self.grid, self.scale) for span in pair.spans]
        add_floats(writer, np.array([self.grid.levels]))
        add_words(writer, to_bits(np.concatenate([scales for _, scales in parts])))
        add_codes(writer, np.concatenate([codes.ravel() for codes, _ in parts]), self.grid.width)

    @classmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        grid = Grid(int(read_floats(reader)[0]))
        scales = from_bits(read_words(reader))
        codes = read_codes(reader, grid.width, matrices(base).size)
        widths = [span.shape[1] for span in spans(base) for _ in range(span.shape[0])]
        return grid.values(codes) * np.repeat(scales, widths)


def points() -> list[Integers]:
    """int8, int4, 3 bits and int2; three levels are what `ternary` has."""
    return [Integers(Grid(levels), scale) for levels in (255, 15, 7, 4) for scale in SCALES]
