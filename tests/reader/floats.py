"""Section 6 of docs/format.md: conversions between F16, BF16 and F32, products and sums, all on
arrays of bits."""

from typing import Any

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[Any]

FLOATS = {"F16": "<u2", "BF16": "<u2", "F32": "<u4"}


def f16_to_f32(bits: Bits) -> Bits:
    wide = bits.astype(np.uint32)
    exact = bits.view(np.float16).astype(np.float32).view(np.uint32)
    nan = (wide & 0x8000) << 16 | 0x7F800000 | (wide & 0x3FF) << 13
    return np.where((wide & 0x7FFF) > 0x7C00, nan, exact)


def bf16_to_f32(bits: Bits) -> Bits:
    return bits.astype(np.uint32) << 16


def f32_to_f16(bits: Bits) -> Bits:
    with np.errstate(all="ignore"):
        rounded = bits.view(np.float32).astype(np.float16).view(np.uint16)
    fraction = bits >> 13 & 0x3FF
    nan = bits >> 16 & 0x8000 | 0x7C00 | np.where(fraction, fraction, 0x200)
    return np.where((bits & 0x7FFFFFFF) > 0x7F800000, nan, rounded).astype(np.uint16)


def f32_to_bf16(bits: Bits) -> Bits:
    tie_to_even = bits >> 16 & 1
    rounded = (bits.astype(np.uint64) + 0x7FFF + tie_to_even) >> 16
    nan = bits >> 16 | np.where(bits >> 16 & 0x7F, 0, 0x40)
    return np.where((bits & 0x7FFFFFFF) > 0x7F800000, nan, rounded).astype(np.uint16)


def widen(data: bytes, source: str) -> Bits:
    """The elements of dtype `source` in `data` as F32."""
    bits = np.frombuffer(data, FLOATS[source])
    if source == "F32":
        return bits
    return f16_to_f32(bits) if source == "F16" else bf16_to_f32(bits)


def narrow(bits: Bits, target: str) -> bytes:
    """F32 elements, converted to dtype `target`."""
    if target != "F32":
        bits = f32_to_f16(bits) if target == "F16" else f32_to_bf16(bits)
    return bits.astype(FLOATS[target]).tobytes()


def convert(data: bytes, source: str, target: str) -> bytes:
    """The elements of dtype `source` in `data`, converted to dtype `target`."""
    return data if source == target else narrow(widen(data, source), target)


def is_safe(bits: Bits) -> Bits:
    exponent = bits >> 23 & 0xFF
    return (exponent >= 64) & (exponent < 191) | (bits & 0x7FFFFFFF == 0)


def product(bits: Bits, factor: float, safe: Bits) -> Bits:
    """Where `safe`, the F32 products; zero elsewhere."""
    return np.where(safe, bits, 0).astype(np.uint32).view(np.float32) * np.float32(factor)


def scale(bits: Bits, factor: float) -> Bits:
    safe = is_safe(bits)
    return np.where(safe, product(bits, factor, safe).view(np.uint32), bits)


def combine(first: Bits, second: Bits, factors: tuple[float, ...]) -> Bits:
    safe = is_safe(first) & is_safe(second)
    total = product(first, factors[0], safe) + product(second, factors[1], safe)
    return np.where(safe, total.view(np.uint32), first)
