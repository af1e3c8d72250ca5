"""The tensors that ways to store them are compared on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from finedelta.validate.measured.baselines import DTYPES, Array
from finedelta.validate.models.checkpoint import StoredTensor, pairs_of

T = TypeVar("T")

_CHUNK = 1 << 18  # elements: finedelta codes so many at a time

PIECE = 1 << 16
"""Elements that the other ways work on at a time: what they need then stays in the processor's caches, which
made (b) a third faster than with whole tensors, and is the best for it."""


@dataclass(frozen=True)
class Part:
    """The first elements of a tensor of both models."""

    base_tensor: StoredTensor
    tensor: StoredTensor
    size: int
    """In bytes."""

    @property
    def dtype(self) -> str:
        """That of its arrays."""
        return DTYPES[self.tensor.dtype]

    def read_base(self) -> Array:
        return self.base_tensor.read(self.size).view(self.dtype)

    def read(self) -> Array:
        return self.tensor.read(self.size).view(self.dtype)

    def pieces(self) -> list[tuple[int, int]]:
        """Where pieces of it begin and end, in bytes."""
        step = PIECE * (self.tensor.size // self.tensor.elements)
        return [(begin, min(begin + step, self.size)) for begin in range(0, self.size, step)]


@dataclass(frozen=True)
class Sample:
    parts: tuple[Part, ...]
    size: int
    """Bytes of the fine-tune's parts."""
    of_size: int
    """Bytes of all its tensors that every way is for: floats of the base's type and shape."""


def take_sample(base: Path, fine_tune: Path, most: int) -> Sample:
    """All tensors if they have at most `most` bytes; otherwise an equal share of each, in whole chunks."""
    pairs = [pair for pair in pairs_of(base, fine_tune) if pair[1].dtype in DTYPES and pair[1].size]
    total = sum(tensor.size for _, tensor in pairs)
    share = min(1.0, most / total) if total else 1.0
    parts = []
    for base_tensor, tensor in pairs:
        chunk = _CHUNK * (tensor.size // tensor.elements)
        chunks = max(1, round(share * tensor.size / chunk))
        size = tensor.size if share == 1 else min(tensor.size, chunks * chunk)
        parts.append(Part(base_tensor, tensor, size))
    return Sample(tuple(parts), sum(part.size for part in parts), total)


def run_all(items: Sequence[T], work: Callable[[int, T], None], threads: int) -> None:
    """`work` on each and its number. zlib, zstandard and numpy let go of the GIL, so that threads are of
    use."""
    if threads == 1:
        for i, item in enumerate(items):
            work(i, item)
        return

    # By strides: a task for each of many pieces would cost more than some of them take.
    def run(first: int) -> None:
        for i in range(first, len(items), threads):
            work(i, items[i])

    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(run, first) for first in range(threads)]:
            done.result()
