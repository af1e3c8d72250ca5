"""Section "rANS" of src/coder/wavelet/spec.md; all states take a nibble at a time."""

from functools import cache
from typing import NamedTuple

import numpy as np

from bits import Array
from primitives import DamagedError

SLOT_BITS = 14
SLOTS = 1 << SLOT_BITS
LOW = 1 << 16  # of states
ORDER = [0, 1, 2, 4, 8, 3, 5, 6, 9, 10, 12, 7, 11, 13, 14, 15]  # of the ranges of slots
SKEWS = 56


def probabilities() -> list[int]:
    """P in the specification: of ones, in 2^-20."""
    found = [1 << 19]
    while len(found) < SKEWS:
        found.append(found[-1] * 27 // 32)
    return found


P = probabilities()


class Slots(NamedTuple):
    """For each slot its nibble, that nibble's frequency, and the slot's place in its range."""

    nibble: Array
    frequency: Array
    place: Array


def frequency(skew: int, ones: int) -> int:
    """Of a nibble with 1 to 4 ones."""
    share = 1 << 20
    for i in range(4):
        share = share * (P[skew] if i < ones else (1 << 20) - P[skew]) >> 20
    return max(1, share >> 6)


@cache
def slots(skew: int) -> Slots:
    frequencies = [0] + [frequency(skew, nibble.bit_count()) for nibble in ORDER[1:]]
    frequencies[0] = SLOTS - sum(frequencies)
    place = np.concatenate([np.arange(f) for f in frequencies])
    nibble, spread = np.repeat(ORDER, frequencies), np.repeat(frequencies, frequencies)
    return Slots(nibble.astype(np.uint8), spread, place)


class Rans:
    """The states and words of a chunk."""

    def __init__(self, states: bytes, words: bytes) -> None:
        if len(words) % 2 != 0 or (words and not states):
            raise DamagedError(f"{len(words)} bytes are left behind the bits of a chunk")
        self._states = np.frombuffer(states, "<u4").astype(np.int64)
        self._words = np.frombuffer(words, "<u2").astype(np.int64)
        self._next = 0

    def take(self, skew: int, count: int) -> Array:
        """The bits of a node: an array of zeros and ones."""
        lanes = len(self._states)
        if lanes == 0:
            raise DamagedError("a chunk has a coded node but no states")
        nibbles = -(-count // 4)
        rows = [
            self._row(slots(skew), min(lanes, nibbles - begin))
            for begin in range(0, nibbles, lanes)
        ]
        both = np.concatenate(rows)[:, np.newaxis] >> np.arange(4, dtype=np.uint8) & 1
        return both.reshape(-1)[:count]

    def _row(self, table: Slots, lanes: int) -> Array:
        """A nibble from each of the first `lanes` states."""
        states = self._states[:lanes]
        slot = states & (SLOTS - 1)
        states[:] = table.frequency[slot] * (states >> SLOT_BITS) + table.place[slot]
        short = np.flatnonzero(states < LOW)
        if len(short):
            words = self._words[self._next : self._next + len(short)]
            if len(words) < len(short):
                raise DamagedError("the words of a chunk end early")
            states[short] = states[short] << 16 | words
            self._next += len(short)
        return table.nibble[slot]

    def end(self) -> bytes:
        """What is hidden in the states."""
        if self._next != len(self._words):
            raise DamagedError(f"{len(self._words) - self._next} words of a chunk are left behind")
        hidden = self._states - LOW
        if ((hidden < 0) | (hidden >= LOW)).any():
            raise DamagedError("the states of a chunk do not end where they may begin")
        return hidden.astype("<u2").tobytes()
