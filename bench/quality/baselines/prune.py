"""Pruning by magnitude: the largest changes, of the model or of each matrix, are kept, all others dropped.

Rescaled, the kept ones of a matrix are multiplied by what makes the matrix unbiased (see scales.py).
"""

from dataclasses import dataclass

import numpy as np
from layouts import add_floats, add_mask, read_floats, read_mask
from pair import Pair, matrices, spans
from store import Reader, Writer
from weights import State

from .baseline import Baseline
from .scales import unbiased
from .selection import select
from .sparse import add_kept, read_kept


@dataclass(frozen=True)
class Prune(Baseline):
    share: float  # of the elements, which is kept
    among: str  # "model" or "matrix": among what these are the largest
    rescaled: bool
    family = "pruning"

    @property
    def setting(self) -> str:
        ending = ", rescaled" if self.rescaled else ""
        return f"largest {100 * self.share:g} % of the {self.among}{ending}"

    def write(self, writer: Writer, pair: Pair) -> None:
        kept = select(pair, self.share, self.among)
        gains = np.ones(len(pair.spans), np.float32)
        if self.rescaled:
            left = pair.delta * kept
            gains[:] = [
                unbiased(pair.delta[None, s.place], left[None, s.place])[0] for s in pair.spans
            ]
        add_floats(writer, gains)
        add_mask(writer, kept)
        add_kept(writer, pair, kept)

    @classmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        gains = read_floats(reader)
        kept = read_mask(reader, matrices(base).size)
        delta = read_kept(reader, base, kept)
        for span, gain in zip(spans(base), gains, strict=True):
            delta[span.place] *= gain
        return delta


def points() -> list[Prune]:
    return [
        Prune(share, among, rescaled)
        for among in ("model", "matrix")
        for rescaled in (False, True)
        for share in (0.002, 0.005, 0.01, 0.03, 0.1, 0.2, 0.4)
    ]
