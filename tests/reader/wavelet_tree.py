"""Sections "Tables" and "Trees" of src/coder/wavelet/spec.md."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bits import Array, BitCursor
from nibble_rans import SKEWS, P, Rans
from primitives import DamagedError

EIGHTHS = [512, 470, 431, 395, 362, 332, 304, 279]  # Q in the specification
MOST_ONES = 255
MOST_CODED_SKEW = 24
LN2 = 726817  # in 2^-20
UNLIMITED = 1 << 62


class Weighted(NamedTuple):
    symbol: int
    weight: int


def rice_number(bits: BitCursor, low_bits: int, most_ones: int) -> int:
    high = bits.ones(most_ones)
    return high << low_bits | bits.number(low_bits)


def weight(level: int, precision: int) -> int:
    whole, fraction = divmod(level, 1 << precision)
    return EIGHTHS[fraction << (3 - precision)] << 16 >> whole


def read_table(bits: BitCursor, count: int, precision: int, symbols: int) -> list[Weighted]:
    """The table of a stream of `count` symbols, all under `symbols`."""
    highest, low_bits = bits.number(8), bits.number(2)
    if highest >= symbols:
        raise DamagedError(f"a chunk has symbol {highest} of {symbols}")
    absent = (count.bit_length() << precision) + 1
    level = 1 << precision
    levels = []
    for _ in range(highest + 1):
        number = rice_number(bits, low_bits, MOST_ONES)
        level += -(number + 1 >> 1) if number & 1 else number >> 1
        if not 0 <= level <= absent:
            raise DamagedError(f"a symbol of a chunk has level {level} of {absent}")
        levels.append(level)
    if level == absent:
        raise DamagedError("the highest symbol of a chunk does not come")
    return [
        Weighted(symbol, weight(level, precision))
        for symbol, level in enumerate(levels)
        if level != absent
    ]


@dataclass
class Node:
    left: "Node | int"  # int: a leaf's symbol
    right: "Node | int"
    skew: int
    inverted: bool


def skew_of(smaller: int, total: int) -> int:
    return sum(smaller << 20 < (P[i - 1] + P[i]) // 2 * total for i in range(1, SKEWS))


def build(symbols: Sequence[Weighted]) -> Node | int:
    if len(symbols) == 1:
        return symbols[0].symbol
    sums = np.cumsum([symbol.weight for symbol in symbols])
    total = int(sums[-1])
    split = int(np.argmin(np.abs(total - 2 * sums[:-1])))  # the first of equal ones
    left = int(sums[split])
    skew = skew_of(min(left, total - left), total)
    inverted = skew > 0 and left < total - left
    return Node(build(symbols[: split + 1]), build(symbols[split + 1 :]), skew, inverted)


class StreamReader:
    """Reads streams of symbols from the bits and the rANS states of a chunk."""

    def __init__(self, bits: BitCursor, rans: Rans, precision: int) -> None:
        self._bits = bits
        self._rans = rans
        self._precision = precision

    def read(self, count: int, symbols: int) -> Array:
        """A stream of `count` > 0 symbols, all under `symbols`."""
        return self._read(build(read_table(self._bits, count, self._precision, symbols)), count)

    def _read(self, node: Node | int, count: int) -> Array:
        if isinstance(node, int):
            return np.full(count, node, np.uint8)
        if count == 0:
            return np.empty(0, np.uint8)
        right = self._node_bits(node.skew, count) != node.inverted
        went_right = np.count_nonzero(right)
        symbols = np.empty(count, np.uint8)
        symbols[~right] = self._read(node.left, count - went_right)
        symbols[right] = self._read(node.right, went_right)
        return symbols

    def _node_bits(self, skew: int, count: int) -> Array:
        if skew == 0:
            return self._bits.take(count)
        if skew <= MOST_CODED_SKEW:
            return self._rans.take(skew, count)
        return self._gaps((LN2 // P[skew]).bit_length() - 1, count)

    def _gaps(self, low_bits: int, count: int) -> Array:
        bits = np.zeros(count, np.uint8)
        at = rice_number(self._bits, low_bits, UNLIMITED)
        while at < count:
            bits[at] = 1
            at += 1 + rice_number(self._bits, low_bits, UNLIMITED)
        if at > count:
            raise DamagedError(f"a gap of a chunk leads to {at} of {count}")
        return bits
