"""BitDelta without distillation: of every element its sign, of every matrix one scale.

As published, matrices of linear layers are stored so, and embeddings and head at 16 bits: here exactly,
as changes from the base. Two other ways: these are left at the base's values, or stored like all others.
Published is the scale of least squares, which is the mean magnitude, as the start of a distillation.
"""

from dataclasses import dataclass

import numpy as np
from layouts import add_bits, add_changes, add_floats, read_bits, read_changes, read_floats
from pair import Pair, linear_mask, matrices, spans
from store import Reader, Writer
from weights import State, from_bits, to_bits

from .baseline import Baseline
from .scales import SCALES

RESTS = ("as all others", "exact", "dropped")  # embeddings and head


@dataclass(frozen=True)
class BitDelta(Baseline):
    rest: str
    scale: str
    family = "BitDelta"

    @property
    def setting(self) -> str:
        return f"embeddings and head {self.rest}, scale {self.scale}"

    def write(self, writer: Writer, pair: Pair) -> None:
        signed = signed_mask(pair.base, self.rest)
        signs = np.where(pair.delta > 0, np.float32(1), np.float32(-1))
        find = SCALES[self.scale]
        scales = [find(pair.delta[None, s.place], signs[None, s.place])[0] for s in pair.spans]
        add_floats(writer, np.array([RESTS.index(self.rest), *scales]))
        add_bits(writer, signs[signed] > 0)
        if self.rest == "exact":
            base, fine = (to_bits(matrices(state)[~signed]) for state in (pair.base, pair.fine))
            add_changes(writer, base, fine)

    @classmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        rest, *scales = read_floats(reader)
        signed = signed_mask(base, RESTS[int(rest)])
        delta = np.zeros(signed.size, np.float32)
        delta[signed] = 2 * read_bits(reader, np.count_nonzero(signed)).astype(np.float32) - 1
        for span, scale in zip(spans(base), scales, strict=True):
            delta[span.place] *= scale
        if RESTS[int(rest)] == "exact":
            old = matrices(base)[~signed]
            delta[~signed] = from_bits(read_changes(reader, to_bits(old))) - old
        return delta


def signed_mask(base: State, rest: str) -> np.ndarray:
    """Which elements are stored as signs."""
    linear = linear_mask(base)
    return np.ones_like(linear) if rest == "as all others" else linear


def points() -> list[BitDelta]:
    return [BitDelta(rest, scale) for rest in RESTS for scale in SCALES]
