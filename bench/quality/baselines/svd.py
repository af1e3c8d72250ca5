"""Truncated singular value decompositions, with factors in fp16 or integers.

The directions of all matrices compete: those that add most energy for each number stored are kept.
"""

from dataclasses import dataclass

import numpy as np
from layouts import add_codes, add_floats, add_words, read_codes, read_floats, read_words
from pair import Pair, Singular, spans
from results import BUDGETS
from store import Reader, Writer
from weights import State, from_bits, to_bits

from .baseline import Baseline
from .integers import Grid, quantised

FP16 = 0  # in place of a number of levels
# What a number takes in a file, about, by its levels.
STORED_BITS = {FP16: 13.7, 255: 7.1, 15: 3.4, 7: 2.55, 4: 1.88}


@dataclass(frozen=True)
class Svd(Baseline):
    numbers: float  # how many are stored, for each weight
    levels: int  # of the factors' integers, or FP16
    family = "SVD"

    @property
    def setting(self) -> str:
        kind = "fp16" if self.levels == FP16 else f"{self.levels} levels"
        return f"{self.numbers:g} numbers a weight, {kind}"

    def write(self, writer: Writer, pair: Pair) -> None:
        ranks = assign_ranks(pair.singular, self.numbers * pair.delta.size)
        rows = [row for s, rank in zip(pair.singular, ranks, strict=True) for row in factors(s, rank)]
        add_floats(writer, np.array([self.levels, *ranks]))
        if self.levels == FP16:
            add_words(writer, together(rows).astype(np.float16).view(np.uint16))
        else:
            grid = Grid(self.levels)
            parts = [quantised(row[None], grid, "unbiased") for row in rows]
            add_words(writer, to_bits(together([scale for _, scale in parts])))
            add_codes(writer, together([codes[0] for codes, _ in parts]), grid.width)

    @classmethod
    def read(cls, reader: Reader, base: State) -> np.ndarray:
        levels, *ranks = read_floats(reader).astype(int).tolist()
        shapes = [span.shape for span in spans(base)]
        lengths = [
            length
            for shape, rank in zip(shapes, ranks, strict=True)
            for _ in range(rank)
            for length in shape
        ]
        numbers = read_numbers(reader, levels, lengths)
        products, begin = [], 0
        for (height, width), rank in zip(shapes, ranks, strict=True):
            end = begin + rank * (height + width)
            both = numbers[begin:end].reshape(rank, height + width)
            products.append((both[:, :height].T @ both[:, height:]).ravel())
            begin = end
        return np.concatenate(products)


def together(rows: list[np.ndarray]) -> np.ndarray:
    """One vector of all, which may be none."""
    return np.concatenate([np.zeros(0, np.float32), *rows])


def read_numbers(reader: Reader, levels: int, lengths: list[int]) -> np.ndarray:
    """All factors' numbers, float32; each column of a factor, of these lengths, has its own scale."""
    if levels == FP16:
        return read_words(reader).view(np.float16).astype(np.float32)
    grid = Grid(levels)
    scales = from_bits(read_words(reader))
    codes = read_codes(reader, grid.width, sum(lengths))
    return grid.values(codes) * np.repeat(scales, lengths)


def assign_ranks(matrices: list[Singular], numbers: float) -> list[int]:
    """For each matrix how many of its directions to keep, so that all take at most `numbers`."""
    costs = [len(matrix.left) + matrix.right.shape[1] for matrix in matrices]
    directions = [
        (-(value**2) / cost, index, cost)
        for index, (matrix, cost) in enumerate(zip(matrices, costs, strict=True))
        for value in matrix.values
    ]
    ranks = [0] * len(matrices)
    for _, index, cost in sorted(directions):
        if cost > numbers:
            break
        numbers -= cost
        ranks[index] += 1
    return ranks


def factors(matrix: Singular, rank: int) -> list[np.ndarray]:
    """Columns of the left factor, each followed by its row of the right one; their product is the matrix."""
    roots = np.sqrt(matrix.values[:rank])
    left, right = (matrix.left[:, :rank] * roots).T, matrix.right[:rank] * roots[:, None]
    return [row.astype(np.float32) for pair in zip(left, right, strict=True) for row in pair]


def points() -> list[Svd]:
    """A little below each budget of the tables, in each kind of number."""
    return [
        Svd(float(f"{0.93 * budget / bits:.3g}"), levels)
        for levels, bits in STORED_BITS.items()
        for budget in BUDGETS
    ]
