"""Coder 4: src/coder/steps/spec.md."""

import struct
from dataclasses import dataclass

import numpy as np

import adaptive
from floats import widen
from low_rank import LARGEST_VALUE, MOST_IN_A_BYTE, is_scale, move
from primitives import Cursor, DamagedError, DType, varint
from range_coder import RangeDecoder, RangeEncoder


@dataclass(frozen=True)
class Steps:
    scale: float
    columns: int
    first: int  # column of the first value
    values: list[int]


def parse(stored: bytes, dtype: DType, units: int) -> Steps:
    if not dtype.converts:
        raise DamagedError(f"coder steps is not for {dtype.name}")
    cursor = Cursor(stored, "a chunk of coder steps")
    scale, columns, first = cursor.f32(), cursor.varint(), cursor.varint()
    if not is_scale(scale):
        raise DamagedError(f"a scale of {scale}")
    if not first < columns <= units:
        raise DamagedError(f"column {first} of {columns} for {units} values")
    stream = cursor.take(cursor.left)
    if units > MOST_IN_A_BYTE * len(stream):
        raise DamagedError(f"{len(stream)} bytes can't hold {units} values")
    decoder = RangeDecoder(stream)
    values = adaptive.read_values(decoder, units, columns, first)
    adaptive.check_end(decoder, stream)
    return Steps(scale, columns, first, values)


def apply(steps: Steps, prediction: bytes, dtype: DType) -> bytes:
    bits = widen(prediction, dtype.name).astype(np.uint32)
    return move(bits, np.array(steps.values, np.int64), steps.scale, dtype.name)


def decode(stored: bytes, dtype: DType, prediction: bytes) -> bytes:
    return apply(parse(stored, dtype, len(prediction) // dtype.unit), prediction, dtype)


def encode(steps: Steps) -> bytes:
    encoder = RangeEncoder()
    adaptive.write_values(encoder, steps.values, steps.columns, steps.first)
    head = struct.pack("<f", steps.scale) + varint(steps.columns) + varint(steps.first)
    return head + encoder.stream()


def towards(
    prediction: bytes, wanted: bytes, dtype: DType, step: float, columns: int, start: int
) -> Steps | None:
    """What moves a prediction, whose first unit is number `start` of its tensor, near what is
    wanted; nothing where it stays as it is."""
    ends = (widen(data, dtype.name).view(np.float32) for data in (wanted, prediction))
    with np.errstate(all="ignore"):
        difference = np.subtract(*(end.astype(np.float64) for end in ends)) / step
    counts = np.where(np.isfinite(difference), difference, 0)
    counts = np.trunc(np.clip(counts, -LARGEST_VALUE, LARGEST_VALUE)).astype(int)
    if not counts.any():
        return None
    columns = min(columns, len(counts))
    return Steps(step, columns, start % columns, counts.tolist())
