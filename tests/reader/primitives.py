"""Section 1 of docs/format.md: numbers, strings, hashes, dtypes; and the errors of the reader."""

import math
import struct
from collections.abc import Sequence
from typing import NamedTuple

import xxhash


class ArchiveError(ValueError):
    """Why an archive can't be read."""


class DamagedError(ArchiveError):
    """Something that section 7 says a reader must reject."""


class UnsupportedVersionError(ArchiveError):
    """The archive is of a format version that this reader does not know."""


class WrongBaseError(ArchiveError):
    """A base tensor or base file is missing or differs."""


class DType(NamedTuple):
    name: str
    bits: int

    @property
    def unit(self) -> int:
        """Bytes of what coders work on."""
        return self.bits // 8 if self.bits % 8 == 0 else 1

    @property
    def converts(self) -> bool:
        """Whether section 6 converts it to other dtypes."""
        return self.name in ("F16", "BF16", "F32")


# In the order of their numbers in an archive.
DTYPES = [
    DType("BOOL", 8),
    DType("U8", 8),
    DType("I8", 8),
    DType("U16", 16),
    DType("I16", 16),
    DType("U32", 32),
    DType("I32", 32),
    DType("U64", 64),
    DType("I64", 64),
    DType("F16", 16),
    DType("BF16", 16),
    DType("F32", 32),
    DType("F64", 64),
    DType("C64", 64),
    DType("F4", 4),
    DType("F6_E2M3", 6),
    DType("F6_E3M2", 6),
    DType("F8_E4M3", 8),
    DType("F8_E5M2", 8),
    DType("F8_E4M3FNUZ", 8),
    DType("F8_E5M2FNUZ", 8),
    DType("F8_E8M0", 8),
]
DTYPE_BY_NAME = {dtype.name: dtype for dtype in DTYPES}

LARGEST_SIZE = 2**62
PIECE = 1 << 20  # bytes of a side chunk, and of a piece in a fingerprint


def tensor_bytes(dtype: DType, shape: Sequence[int]) -> int:
    bits = math.prod(shape) * dtype.bits
    if bits % 8 != 0:
        raise DamagedError(f"a {dtype.name} tensor of shape {list(shape)} is not whole bytes")
    if bits // 8 > LARGEST_SIZE:
        raise DamagedError(f"a {dtype.name} tensor of shape {list(shape)} is too large")
    return bits // 8


def hash64(data: bytes | memoryview) -> int:
    return xxhash.xxh3_64_intdigest(data)


def hash128(data: bytes | memoryview) -> bytes:
    return xxhash.xxh3_128_digest(data)


def quoted(name: bytes) -> str:
    """A name from outside, fit for a message."""
    return repr(name.decode("utf-8", "backslashreplace"))


def u64(value: int) -> bytes:
    return value.to_bytes(8, "little")


def varint(value: int) -> bytes:
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


def string(value: bytes) -> bytes:
    return varint(len(value)) + value


class Cursor:
    """Reads the fields of a record one after another."""

    def __init__(self, data: bytes | memoryview, what: str) -> None:
        self._data = memoryview(data)
        self._what = what
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        if size > self.left:
            raise DamagedError(f"{self._what} ends early: {size} bytes at {self._at}")
        self._at += size
        return bytes(self._data[self._at - size : self._at])

    def u8(self) -> int:
        return self.take(1)[0]

    def u64(self) -> int:
        return int.from_bytes(self.take(8), "little")

    def f32(self) -> float:
        return float(struct.unpack("<f", self.take(4))[0])

    def hash(self) -> bytes:
        return self.take(16)

    def varint(self) -> int:
        value = 0
        for shift in range(0, 64, 7):
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                if value >= 2**64 or (byte == 0 and shift > 0):
                    break
                return value
        raise DamagedError(f"{self._what} has a bad varint before byte {self._at}")

    def index(self, count: int, what: str) -> int:
        """A varint that points into a list of `count` entries."""
        value = self.varint()
        if value >= count:
            raise DamagedError(f"{self._what} names {what} {value} of {count}")
        return value

    def size(self) -> int:
        value = self.varint()
        if value > LARGEST_SIZE:
            raise DamagedError(f"{self._what} has a size of {value}")
        return value

    def string(self, limit: int = LARGEST_SIZE) -> bytes:
        length = self.varint()
        if length > limit:
            raise DamagedError(f"{self._what} has a string of {length} bytes, limit {limit}")
        return self.take(length)

    def end(self) -> None:
        if self.left:
            raise DamagedError(f"{self._what} leaves {self.left} bytes behind")
