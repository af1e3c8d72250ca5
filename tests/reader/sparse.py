"""Coder 5: src/coder/sparse/spec.md."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bits import BitCursor
from primitives import Cursor, DamagedError, DType, hash64, u64, varint

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Sparse:
    places: list[int]
    differences: list[int]
    hash: int  # of the units that differ


def take_rice(bits: BitCursor, count: int) -> list[int]:
    parameter = bits.number(5)
    # No number that may stand here is larger.
    limit = 1 << 63 - parameter
    high = [bits.ones(limit) for _ in range(count)]
    return [ones << parameter | bits.number(parameter) for ones in high]


def take_places(bits: BitCursor, count: int, end: int) -> list[int]:
    places = []
    place = -1
    for gap in take_rice(bits, count):
        place += gap + 1
        places.append(place)
    if place >= end:
        raise DamagedError(f"a sparse chunk leads to unit {place} of {end}")
    return places


def parse(stored: bytes, unit: int, units: int) -> Sparse:
    cursor = Cursor(stored, "a chunk of coder sparse")
    count, digest = cursor.varint(), cursor.u64()
    stream = cursor.take(cursor.left)
    if not 1 <= count <= min(units, 8 * len(stream)):
        raise DamagedError(f"{count} of {units} units in {len(stream)} bytes of a sparse chunk")
    bits = BitCursor(stream)
    places = take_places(bits, count, units)
    signs = [-1 if bit else 1 for bit in bits.take(count)]
    magnitudes = [1] * count
    far_count = bits.number(32)
    if far_count > count:
        raise DamagedError(f"{far_count} of {count} units of a sparse chunk are far")
    if far_count > 0:
        far = take_places(bits, far_count, count)
        for place in far:
            low = bits.ones(63)
            magnitudes[place] = (1 << low | bits.number(low)) + 1
    if max(magnitudes) > 1 << 8 * unit - 1:
        raise DamagedError(f"a difference of {max(magnitudes)} in a sparse chunk")
    bits.end(8)
    differences = [sign * magnitude for sign, magnitude in zip(signs, magnitudes, strict=True)]
    return Sparse(places, differences, digest)


def decode(stored: bytes, dtype: DType, prediction: bytes) -> bytes:
    sparse = parse(stored, dtype.unit, len(prediction) // dtype.unit)
    result = np.frombuffer(prediction, f"<u{dtype.unit}").copy()
    wrapped = [difference % (1 << 8 * dtype.unit) for difference in sparse.differences]
    result[sparse.places] += np.array(wrapped, result.dtype)
    if hash64(result[sparse.places].tobytes()) != sparse.hash:
        raise DamagedError("the units of a sparse chunk do not come out as they were")
    return result.tobytes()


def rice(numbers: list[int], parameter: int) -> str:
    """The bits, as text in the order in which they are written."""
    code = f"{parameter:05b}"[::-1]
    code += "".join("1" * (number >> parameter) + "0" for number in numbers)
    return code + "".join(f"{number:064b}"[::-1][:parameter] for number in numbers)


def gamma(number: int) -> str:
    low = number.bit_length() - 1
    return "1" * low + "0" + f"{number:064b}"[::-1][:low]


def shortest(numbers: list[int]) -> str:
    most = max(numbers)
    least = max(0, most.bit_length() - 12)  # so that no code becomes very long
    return min((rice(numbers, parameter) for parameter in range(least, 32)), key=len)


def gaps(places: list[int]) -> list[int]:
    return [place - before - 1 for before, place in zip([-1, *places], places)]


def pack_bits(code: str) -> bytes:
    return np.packbits(np.array([int(bit) for bit in code], np.uint8), bitorder="little").tobytes()


def encode(sparse: Sparse) -> bytes:
    far = [i for i, difference in enumerate(sparse.differences) if abs(difference) > 1]
    code = shortest(gaps(sparse.places))
    code += "".join("1" if difference < 0 else "0" for difference in sparse.differences)
    code += f"{len(far):032b}"[::-1]
    if far:
        code += shortest(gaps(far))
        code += "".join(gamma(abs(sparse.differences[i]) - 1) for i in far)
    return varint(len(sparse.places)) + u64(sparse.hash) + pack_bits(code)


def encode_chunk(result: bytes, prediction: bytes, unit: int) -> bytes | None:
    """Nothing where no unit differs."""
    after = np.frombuffer(result, f"<u{unit}")
    before = np.frombuffer(prediction, f"<u{unit}")
    (places,) = np.nonzero(after != before)
    half = 1 << 8 * unit - 1
    differences = [
        (int(after[i]) - int(before[i]) + half - 1) % (2 * half) - half + 1 for i in places
    ]
    if not differences:
        return None
    return encode(Sparse(places.tolist(), differences, hash64(after[places].tobytes())))
