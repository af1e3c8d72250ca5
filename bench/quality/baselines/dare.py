"""DARE: every element's delta is dropped with probability p, those that are left are divided by 1 - p.

Which are dropped follows from a seed, so that it costs nothing to store.
"""

from dataclasses import dataclass

import numpy as np
from layouts import add_floats, read_floats
from pair import Pair, matrices
from store import Reader, Writer
from weights import State

from .baseline import Baseline
from .sparse import add_kept, read_kept

SEED = 1


@dataclass(frozen=True)
class Dare(Baseline):
    drop: float  # the probability
    family = "DARE"

    @property
    def setting(self) -> str:
        return f"p = {self.drop:g}"

    def write(self, writer: Writer, pair: Pair) -> None:
        settings = np.array([SEED, self.drop], np.float32)
        add_floats(writer, settings)
        add_kept(writer, pair, kept_mask(settings, pair.delta.size))

    @classmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        settings = read_floats(reader)
        kept = kept_mask(settings, matrices(base).size)
        return read_kept(reader, base, kept) / (1 - settings[1])


def kept_mask(settings: np.ndarray, count: int) -> np.ndarray:
    seed, drop = settings.tolist()
    return np.random.Generator(np.random.PCG64(int(seed))).random(count) >= drop


def points() -> list[Dare]:
    return [Dare(drop) for drop in (0.4, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99)]
