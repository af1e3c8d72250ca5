"""Some elements of the fine-tune, exactly: as changes from the base's bf16 values."""

import numpy as np
from layouts import add_changes, read_changes
from pair import Pair, matrices
from store import Reader, Writer
from weights import State, from_bits, to_bits


def add_kept(writer: Writer, pair: Pair, kept: np.ndarray) -> None:
    base, fine = (to_bits(matrices(state)[kept]) for state in (pair.base, pair.fine))
    add_changes(writer, base, fine)


def read_kept(reader: Reader, base: State, kept: np.ndarray) -> np.ndarray:
    """The delta of all matrices, zero but for those elements."""
    old = matrices(base)
    delta = np.zeros_like(old)
    delta[kept] = from_bits(read_changes(reader, to_bits(old[kept]))) - old[kept]
    return delta
