"""Signs of the largest changes, with a scale of each matrix (as in ComPEFT) or of each row."""

from dataclasses import dataclass

import numpy as np
from layouts import add_ternary, add_words, read_ternary, read_words
from pair import Pair, matrices, spans
from store import Reader, Writer
from weights import State, from_bits, to_bits

from .baseline import Baseline
from .scales import SCALES
from .selection import select


@dataclass(frozen=True)
class Ternary(Baseline):
    share: float  # of the elements, which is kept
    among: str  # "model", "matrix" or "row": among what these are the largest
    scale: str
    of_each: str  # "matrix" or "row": what has one scale
    family = "ternary"

    @property
    def setting(self) -> str:
        return (f"largest {100 * self.share:g} % of the {self.among}, "
                f"scale of each {self.of_each} {self.scale}")  # fmt: skip

    def write(self, writer: Writer, pair: Pair) -> None:
        signs = np.sign(pair.delta) * select(pair, self.share, self.among)
        scales = []
        for span in pair.spans:
            groups = (-1, span.shape[1]) if self.of_each == "row" else (1, -1)
            parts = (vector[span.place].reshape(groups) for vector in (pair.delta, signs))
            scales.append(SCALES[self.scale](*parts))
        add_words(writer, to_bits(np.concatenate(scales)))
        add_ternary(writer, signs.astype(np.int8))

    @classmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        scales = from_bits(read_words(reader))
        delta = read_ternary(reader, matrices(base).size).astype(np.float32)
        sizes = [span.shape[1] for span in spans(base) for _ in range(span.shape[0])]
        if len(scales) == len(spans(base)):
            sizes = [span.shape[0] * span.shape[1] for span in spans(base)]
        return delta * np.repeat(scales, sizes)


SHARES = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.4)
VARIANTS = (
    ("matrix", "least squares", "matrix"),
    ("matrix", "unbiased", "matrix"),
    ("row", "unbiased", "row"),
    ("model", "unbiased", "row"),
)


def points() -> list[Ternary]:
    return [
        Ternary(share, among, scale, of_each)
        for among, scale, of_each in VARIANTS
        for share in SHARES
    ]
