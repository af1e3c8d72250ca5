"""A base and a fine-tune as baselines see them: the vectors apart, all matrices as one vector."""

from functools import cached_property
from typing import NamedTuple

import numpy as np
from weights import State


class Span(NamedTuple):
    """Where a matrix lies in the vector of all of them."""

    name: str
    shape: tuple[int, int]
    place: slice


class Singular(NamedTuple):
    """A matrix is `left * values @ right`, largest values first."""

    left: np.ndarray
    values: np.ndarray
    right: np.ndarray


def is_matrix(values: np.ndarray) -> bool:
    return values.ndim == 2


def spans(base: State) -> list[Span]:
    """Those of all matrices, in the order of their names."""
    found, begin = [], 0
    for name, values in sorted(base.items()):
        if is_matrix(values):
            found.append(Span(name, values.shape, slice(begin, begin + values.size)))
            begin += values.size
    return found


def vectors(state: State) -> np.ndarray:
    """All tensors that are not matrices (here: norms), one after the other."""
    parts = [values.ravel() for _, values in sorted(state.items()) if not is_matrix(values)]
    return np.concatenate(parts)


def matrices(state: State) -> np.ndarray:
    """All matrices, row by row, one after the other."""
    return np.concatenate([state[span.name].ravel() for span in spans(state)])


def joined(base: State, all_vectors: np.ndarray, all_matrices: np.ndarray) -> State:
    """A model of the base's shapes from what `vectors` and `matrices` give."""
    state = {span.name: all_matrices[span.place].reshape(span.shape) for span in spans(base)}
    begin = 0
    for name, values in sorted(base.items()):
        if not is_matrix(values):
            state[name] = all_vectors[begin : begin + values.size].reshape(values.shape)
            begin += values.size
    return state


def is_linear(name: str) -> bool:
    """True for the matrices of transformer blocks, false for embeddings and head."""
    return ".layers." in name


def linear_mask(base: State) -> np.ndarray:
    """For each element of `matrices`, whether it is of a linear layer."""
    parts = [np.full(base[span.name].size, is_linear(span.name)) for span in spans(base)]
    return np.concatenate(parts)


class Pair:
    def __init__(self, base: State, fine: State) -> None:
        self.base = base
        self.fine = fine
        self.spans = spans(base)
        self.weights = sum(values.size for values in base.values())

    @cached_property
    def delta(self) -> np.ndarray:
        """What the fine-tune adds to all matrices, float32."""
        return matrices(self.fine) - matrices(self.base)

    @cached_property
    def singular(self) -> list[Singular]:
        """That of each matrix, in float64: computed once for all ranks."""
        return [
            Singular(*np.linalg.svd(self.matrix(span).astype(np.float64), full_matrices=False))
            for span in self.spans
        ]

    def matrix(self, span: Span) -> np.ndarray:
        return self.delta[span.place].reshape(span.shape)
