"""Predictor 4: src/predict/low_rank/spec.md."""

import math
import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

import adaptive
from floats import narrow, widen
from primitives import Cursor, DamagedError, varint

Array = npt.NDArray[Any]

HIGHEST_RANK = 256
LARGEST_SHIFT = 14
LARGEST_PARAMETER = 15
LARGEST_FOLDED = 65534
LARGEST_VALUE = 32767
LARGEST_SUM = 2**31 - 1
MOST_IN_A_BYTE = 2048  # values of the adaptive code


@dataclass(frozen=True)
class Factors:
    scale: float
    shifts: Array
    left: Array  # rank x rows, not shifted
    right: Array  # rank x columns


class RiceReader:
    """The columns of a record, one after another."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
        self._bits = (bits + ord("0")).tobytes().decode()  # where zeros are found fast
        self._at = 0  # in bits

    def column(self, length: int) -> list[int]:
        if self._at == len(self._bits):
            raise DamagedError("a column is missing")
        parameter = self._data[self._at // 8]
        self._at += 8
        if parameter > LARGEST_PARAMETER:
            raise DamagedError(f"a Rice parameter of {parameter}")
        values = [unfold(self._folded(parameter)) for _ in range(length)]
        behind = self._bits[self._at : -(-self._at // 8) * 8]
        if "1" in behind:
            raise DamagedError("a set bit behind a column")
        self._at += len(behind)
        return values

    def _folded(self, parameter: int) -> int:
        one = self._bits.find("1", self._at)
        end = one + 1 + parameter
        if one < 0 or end > len(self._bits):
            raise DamagedError("a column ends early")
        rest = self._bits[one + 1 : end][::-1]
        folded = (one - self._at) << parameter | int(rest or "0", 2)
        if folded > LARGEST_FOLDED:
            raise DamagedError(f"a value that is folded to {folded}")
        self._at = end
        return folded

    def end(self) -> None:
        if self._at < len(self._bits):
            raise DamagedError(f"{len(self._bits) - self._at} bits behind the last column")


def unfold(folded: int) -> int:
    return -(folded + 1) // 2 if folded & 1 else folded // 2


def fold(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def is_scale(scale: float) -> bool:
    return 2.0**-100 <= scale < 2.0**64


def parse_factors(record: bytes, shape: tuple[int, ...], version: int) -> Factors:
    """The factors of a tensor of that shape, in an archive for readers of that version."""
    is_adaptive = version >= 2 and record[:1] == b"\0"
    cursor = Cursor(record[1:] if is_adaptive else record, "the record")
    rows, columns, rank = cursor.varint(), cursor.varint(), cursor.varint()
    scale = cursor.f32()
    if columns != math.prod(shape[1:]) or not 0 < rows <= shape[0] or columns == 0:
        raise DamagedError(f"{rows} rows and {columns} columns for shape {list(shape)}")
    if not 0 < rank <= HIGHEST_RANK:
        raise DamagedError(f"a rank of {rank}")
    if not is_scale(scale):
        raise DamagedError(f"a scale of {scale}")
    if rank * (rows + columns) > (MOST_IN_A_BYTE if is_adaptive else 8) * cursor.left:
        raise DamagedError(f"{cursor.left} bytes can't hold {rank * (rows + columns)} values")
    decode = adaptive.decode if is_adaptive else decode_rice
    coded = decode(cursor.take(cursor.left), rank, rows, columns)
    factors = Factors(scale, *(np.array(numbers, np.int64) for numbers in coded))
    check_bounds(factors)
    return factors


def decode_rice(
    coded: bytes, rank: int, rows: int, columns: int
) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """Shifts, left and right."""
    cursor = Cursor(coded, "the record")
    shifts = list(cursor.take(rank))
    reader = RiceReader(cursor.take(cursor.left))
    left = [reader.column(rows) for _ in range(rank)]
    right = [reader.column(columns) for _ in range(rank)]
    reader.end()
    return shifts, left, right


def check_bounds(factors: Factors) -> None:
    if factors.shifts.max() > LARGEST_SHIFT:
        raise DamagedError(f"a shift of {factors.shifts.max()}")
    left = np.abs(factors.left).max(axis=1) << factors.shifts
    right = np.abs(factors.right).max(axis=1)
    if max(left.max(), right.max()) > LARGEST_VALUE:
        raise DamagedError(f"a value of {max(left.max(), right.max())}")
    if (left * right).sum() > LARGEST_SUM:
        raise DamagedError(f"sums of up to {(left * right).sum()}")


def add(factors: Factors, prediction: bytes, dtype: str, first: int) -> bytes:
    """What becomes of elements of the base, converted to `dtype`, from element `first` on."""
    columns = factors.right.shape[1]
    bits = widen(prediction, dtype).astype(np.uint32)
    inside = max(0, min(len(bits), factors.left.shape[1] * columns - first))
    top, skip = divmod(first, columns)
    rows = factors.left[:, top : -(-(first + inside) // columns)] << factors.shifts[:, None]
    sums = (rows.T @ factors.right).ravel()[skip : skip + inside]
    sums = np.append(sums, np.zeros(len(bits) - inside, np.int64))
    return move(bits, sums, factors.scale, dtype)


def move(bits: Array, sums: Array, scale: float, dtype: str) -> bytes:
    """The F32 elements plus scale * sums, where those are not 0, as `dtype`: "The arithmetic"."""
    product = sums.astype(np.float32) * np.float32(scale)
    with np.errstate(invalid="ignore"):  # NaNs are kept as they are
        added = bits.view(np.float32) + product
    kept = (sums == 0) | (bits & 0x7FFFFFFF >= 0x7F800000)
    return narrow(np.where(kept, bits, added.view(np.uint32)), dtype)


def encode_column(column: Array) -> bytes:
    """By whatever parameter does not make codes long."""
    folded = [fold(int(value)) for value in column]
    parameter = min(LARGEST_PARAMETER, (sum(folded) // len(folded)).bit_length())
    bits: list[int] = []
    for value in folded:
        bits += [0] * (value >> parameter) + [1]
        bits += [value >> place & 1 for place in range(parameter)]
    return bytes([parameter]) + np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()


def encode_factors(factors: Factors, with_adaptive: bool = False) -> bytes:
    rank, rows = factors.left.shape
    head = varint(rows) + varint(factors.right.shape[1]) + varint(rank)
    head += struct.pack("<f", factors.scale)
    if with_adaptive:
        numbers = (factors.shifts, factors.left, factors.right)
        return b"\0" + head + adaptive.encode(*(array.tolist() for array in numbers))
    head += factors.shifts.astype(np.uint8).tobytes()
    return head + b"".join(map(encode_column, [*factors.left, *factors.right]))


def made_up(shape: tuple[int, ...], rank: int, scale: float) -> Factors | None:
    """Small random factors for a tensor of that shape; some leave its last rows alone."""
    rows, columns = shape[0] - shape[0] % 3, math.prod(shape[1:])
    if rows == 0 or columns == 0:
        return None
    random = np.random.default_rng(rank)
    left = random.integers(-9, 10, (rank, rows))
    right = random.integers(-100, 101, (rank, columns))
    return Factors(scale, random.integers(0, 5, rank), left, right)
