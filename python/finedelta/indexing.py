"""What part of an array an index needs."""

from __future__ import annotations

import math
import operator
from types import EllipsisType
from typing import SupportsIndex

from finedelta.errors import UsageError

Item = SupportsIndex | slice | EllipsisType
Index = Item | tuple[Item, ...]


class Window:
    """The contiguous items of an array of shape `shape` that cover `index`, as an array of their own.

    All of the last dimensions, a range of one dimension, and one place of each dimension before it.
    """

    first: int
    """Where the window begins, counted in items."""

    shape: tuple[int, ...]
    """Of the window; it has as many dimensions as the array."""

    index: tuple[int | slice, ...]
    """What to index the window with, in place of what the array was to be indexed with."""

    def __init__(self, shape: tuple[int, ...], index: Index) -> None:
        items = _expand(shape, index)
        begins, lengths = zip(*map(_extent, shape, items), strict=True) if shape else ((), ())
        cut = next((i for i, length in enumerate(lengths) if length != 1), len(shape))
        if 0 in lengths:  # nothing of any dimension is needed
            cut = len(shape)
        self.shape = (*lengths[: cut + 1], *shape[cut + 1 :])
        self.first = sum(
            begin * math.prod(shape[i + 1 :]) for i, begin in enumerate(begins[: cut + 1])
        )
        self.index = tuple(
            _shifted(item, begin) if i <= cut else item
            for i, (item, begin) in enumerate(zip(items, begins, strict=True))
        )


def _expand(shape: tuple[int, ...], index: Index) -> list[int | slice]:
    """A number or range, none of them negative or open, for each dimension."""
    given = index if isinstance(index, tuple) else (index,)
    dots = [i for i, item in enumerate(given) if item is ...]
    if len(dots) > 1 or len(given) - len(dots) > len(shape):
        raise UsageError(f"{index!r} is not an index of an array of shape {list(shape)}")
    at = dots[0] if dots else len(given)
    missing = len(shape) - (len(given) - len(dots))
    full = (*given[:at], *[slice(None)] * missing, *given[at + len(dots) :])
    return [_normal(item, size, dimension) for dimension, (item, size) in enumerate(zip(full, shape))]


def _normal(item: Item, size: int, dimension: int) -> int | slice:
    if isinstance(item, slice):
        begin, end, step = item.indices(size)
        if step < 0:
            raise UsageError(f"the step {step} in dimension {dimension} is negative")
        return slice(begin, max(begin, end), step)
    try:
        number = operator.index(item)  # type: ignore[arg-type]
    except TypeError:
        raise UsageError(f"{item!r} is neither a number nor a range nor '...'") from None
    if not -size <= number < size:
        raise UsageError(f"{number} is not within dimension {dimension}, which has {size}")
    return number % size


def _extent(size: int, item: int | slice) -> tuple[int, int]:
    """Where what an item picks begins, and how far it reaches."""
    if isinstance(item, int):
        return item, 1
    picked = range(item.start, item.stop, item.step)
    return (picked[0], picked[-1] - picked[0] + 1) if picked else (0, 0)


def _shifted(item: int | slice, begin: int) -> int | slice:
    if isinstance(item, int):
        return item - begin
    return slice(item.start - begin, item.stop - begin, item.step) if item.stop > begin else slice(0, 0)
