"""The tensors that ways to store them are compared on, in memory."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from finedelta.validate.baselines import DTYPES, Array
from finedelta.validate.checkpoint import StoredTensor, pairs_of

T = TypeVar("T")

_CHUNK = 1 << 18  # elements: finedelta codes so many at a time


@dataclass(frozen=True)
class Piece:
    """The first elements of a tensor of both models."""

    base_tensor: StoredTensor
    tensor: StoredTensor
    size: int
    """In bytes."""

    def read_base(self) -> Array:
        return self.base_tensor.read(self.size).view(DTYPES[self.tensor.dtype])

    def read(self) -> Array:
        return self.tensor.read(self.size).view(DTYPES[self.tensor.dtype])


@dataclass(frozen=True)
class Sample:
    pieces: tuple[Piece, ...]
    size: int
    """Bytes of the fine-tune's pieces."""
    of_size: int
    """Bytes of all its tensors that every way is for: floats of the base's type and shape."""

    @property
    def is_whole(self) -> bool:
        return self.size == self.of_size


def take_sample(base: Path, fine_tune: Path, most: int) -> Sample:
    """All tensors if they have at most `most` bytes; otherwise an equal share of each, in whole chunks."""
    pairs = [pair for pair in pairs_of(base, fine_tune) if pair[1].dtype in DTYPES and pair[1].size]
    total = sum(tensor.size for _, tensor in pairs)
    share = min(1.0, most / total) if total else 1.0
    pieces = []
    for base_tensor, tensor in pairs:
        chunk = _CHUNK * (tensor.size // tensor.elements)
        chunks = max(1, round(share * tensor.size / chunk))
        size = tensor.size if share == 1 else min(tensor.size, chunks * chunk)
        pieces.append(Piece(base_tensor, tensor, size))
    return Sample(tuple(pieces), sum(piece.size for piece in pieces), total)


def run_all(items: list[T], work: Callable[[int, T], None], threads: int) -> None:
    """`work` on each and its number, the last ones (which need not be small) not left for last: what zlib,
    zstandard and numpy do is done without the GIL, so that threads are of use."""
    order = sorted(range(len(items)), key=lambda i: -_size(items[i]))
    if threads == 1:
        for i in order:
            work(i, items[i])
        return
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(work, i, items[i]) for i in order]:
            done.result()


def _size(item: object) -> int:
    if isinstance(item, Piece):
        return item.size
    assert isinstance(item, tuple)
    return sum(part.nbytes for part in item if isinstance(part, np.ndarray))
