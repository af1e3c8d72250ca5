"""Bits taken from bytes, the lowest first."""

from typing import Any

import numpy as np
import numpy.typing as npt

from primitives import DamagedError

Array = npt.NDArray[Any]


class BitCursor:
    """Takes bits from `data` one after another."""

    def __init__(self, data: bytes) -> None:
        self._bits = np.empty(0, np.uint8)
        self._at = 0
        self.append(data)

    def append(self, data: bytes) -> None:
        """More bits follow."""
        more = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        self._bits = np.concatenate([self._bits, more])
        self._text = self._bits.tobytes()  # one byte for each bit, where zeros are found fast

    def take(self, count: int) -> Array:
        """An array of zeros and ones."""
        if count > len(self._bits) - self._at:
            raise DamagedError(f"the bits of a chunk end early: {count} at {self._at}")
        self._at += count
        return self._bits[self._at - count : self._at]

    def number(self, count: int) -> int:
        """A number of `count` bits."""
        return sum(int(bit) << place for place, bit in enumerate(self.take(count)))

    def ones(self, limit: int) -> int:
        """How many ones come before the next zero, which is taken too."""
        zero = self._text.find(b"\0", self._at)
        if zero < 0:
            raise DamagedError("the bits of a chunk end in ones")
        if zero - self._at > limit:
            raise DamagedError(f"{zero - self._at} ones in a number of a chunk, limit {limit}")
        found = zero - self._at
        self._at = zero + 1
        return found

    def numbers(self, widths: Array) -> Array:
        """A number of each of these widths."""
        taken = self.take(int(widths.sum())).astype(np.int64)
        begin = np.cumsum(widths) - widths
        values = np.zeros(len(widths), np.int64)
        for place in range(int(widths.max(initial=0))):
            reaching = widths > place
            values[reaching] |= taken[begin[reaching] + place] << place
        return values

    def end(self, limit: int) -> None:
        """Fewer than `limit` bits may be left, all 0."""
        rest = self._bits[self._at :]
        if len(rest) >= limit or rest.any():
            raise DamagedError(f"{len(rest)} bits of a chunk are left behind")
