"""Logarithmic axes, by exponents of 10: numbers of any size have a place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

_EXPONENTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_MOST_TICKS = 8


@dataclass(frozen=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True)
class Axis:
    """Powers of 10 from `low` to `high` lie on pixels `begin` to `end`."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        return self._at(math.log10(value))

    def _at(self, exponent: float) -> float:
        share = (exponent - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def ticks(self) -> list[Tick]:
        decades = self.high - self.low
        steps: Sequence[float] = (1,)
        if decades <= 1:
            steps = (1, 1.5, 2, 3, 4, 5, 7)
        elif decades <= 3:
            steps = (1, 2, 5)
        every = math.ceil(decades / _MOST_TICKS)
        first = math.floor(self.low / every) * every
        ticks = []
        for exponent in range(first, math.ceil(self.high) + 1, every):
            for step in steps:
                place = exponent + math.log10(step)
                if self.low <= place <= self.high:
                    ticks.append(Tick(self._at(place), _label(step, exponent)))
        return ticks


def axis(values: list[float], begin: float, end: float) -> Axis:
    """With room around all values, which are greater than 0."""
    exponents = [math.log10(value) for value in values] or [0.0]
    low, high = min(exponents), max(exponents)
    room = max(0.2, 0.04 * (high - low))
    return Axis(low - room, high + room, begin, end)


def _label(step: float, exponent: int) -> str:
    if -4 <= exponent <= 5:
        return f"{step * 10.0**exponent:,.10g}"
    factor = "" if step == 1 else f"{step:g}·"
    return f"{factor}10{str(exponent).translate(_EXPONENTS)}"
