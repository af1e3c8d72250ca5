"""Numbers as the report shows them."""

from __future__ import annotations

import math


def _digits(number: float, significant: int = 3) -> str:
    """With so many significant digits, and no exponent unless it is far from 1."""
    if number == 0:
        return "0"
    if not math.isfinite(number) or not 1e-4 <= abs(number) < 1e9:
        return f"{number:.{significant - 1}e}"
    places = max(0, significant - 1 - math.floor(math.log10(abs(number))))
    return f"{number:,.{places}f}"


def size(count: float) -> str:
    """Bytes, in powers of 1000."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{_digits(count / factor)} {unit}"
    return f"{count:.0f} B"


def percent(share: float) -> str:
    """Never 100 % (or 0 %) unless it is all (or none)."""
    shown = f"{100 * share:.2f}"
    if shown == "100.00" and share < 1:
        return "> 99.99 %"
    if shown == "0.00" and share > 0:
        return "< 0.01 %"
    return f"{shown} %"


def milliseconds(seconds: float) -> str:
    return f"{_digits(1000 * seconds)} ms"


def times(ratio: float) -> str:
    return f"{_digits(ratio)}x"


def ratio(of: float, stored: float) -> str:
    """How many times less is stored."""
    if stored == 0:
        return "nothing stored" if of else "-"
    return times(of / stored)


def count(number: int, what: str) -> str:
    """3 rounds, but one round."""
    return f"one {what}" if number == 1 else f"{number} {what}s"


def rate(bytes_per_second: float) -> str:
    return f"{_digits(bytes_per_second / 1e6)} MB/s"


def number(value: float) -> str:
    return _digits(value)
