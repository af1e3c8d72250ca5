"""The layouts that baselines choose from, each written and read back. All are lossless."""

import numpy as np
from store import Layout, Reader, Writer

GAP_LIMIT = 255  # a gap is as many bytes of this as fit, then the rest


def planes(words: np.ndarray) -> Layout:
    """uint16 words: all low bytes, all high bytes."""
    pairs = words.astype("<u2").view(np.uint8).reshape(-1, 2)
    return [pairs[:, 0].tobytes(), pairs[:, 1].tobytes()]


def from_planes(low: bytes, high: bytes) -> np.ndarray:
    return np.frombuffer(low, np.uint8) | np.frombuffer(high, np.uint8).astype(np.uint16) << 8


def add_words(writer: Writer, words: np.ndarray) -> None:
    """Any uint16 words."""
    writer.add(planes(words))


def read_words(reader: Reader) -> np.ndarray:
    reader.layout()
    return from_planes(reader.string(), reader.string())


def ordered(bits: np.ndarray) -> np.ndarray:
    """Integers in the order of the bf16 numbers with these bits."""
    magnitude = (bits & 0x7FFF).astype(np.int32)
    return np.where(bits >> 15, -magnitude - 1, magnitude)


def from_ordered(integers: np.ndarray) -> np.ndarray:
    return np.where(integers < 0, -integers - 1 | 0x8000, integers).astype(np.uint16)


def add_changes(writer: Writer, base: np.ndarray, fine: np.ndarray) -> None:
    """bf16 bits `fine`, given those of `base`: differences of the ordered integers, or XOR."""
    step = ordered(fine) - ordered(base)  # below 2^16 either way
    # Modulo 2^16 and folded, so that small steps of both signs are small words.
    wrapped = step.astype(np.int16)
    folded = (wrapped << 1 ^ wrapped >> 15).view(np.uint16)
    writer.add(planes(folded), planes(fine ^ base))


def read_changes(reader: Reader, base: np.ndarray) -> np.ndarray:
    layout = reader.layout()
    words = from_planes(reader.string(), reader.string())
    if layout == 1:
        return words ^ base
    step = (words >> 1).astype(np.int32) ^ -(words & 1).astype(np.int32)
    return from_ordered((ordered(base) + step).astype(np.int16).astype(np.int32))


def to_gaps(positions: np.ndarray) -> bytes:
    """Increasing positions as how many others lie between each and the one before."""
    gaps = np.diff(positions, prepend=-1) - 1
    ends = np.cumsum(gaps // GAP_LIMIT + 1)
    out = np.full(ends[-1] if gaps.size else 0, GAP_LIMIT, np.uint8)
    out[ends - 1] = gaps % GAP_LIMIT
    return out.tobytes()


def from_gaps(gaps: bytes) -> np.ndarray:
    steps = np.frombuffer(gaps, np.uint8).astype(np.int64)
    is_end = steps < GAP_LIMIT
    return np.cumsum(steps + is_end)[is_end] - 1


def add_mask(writer: Writer, mask: np.ndarray) -> None:
    """Booleans, [element]: a bitmap, or the gaps between those that are true."""
    writer.add([np.packbits(mask).tobytes()], [to_gaps(np.flatnonzero(mask))])


def read_mask(reader: Reader, count: int) -> np.ndarray:
    layout, string = reader.layout(), reader.string()
    if layout == 0:
        return from_bitmap(string, count)
    mask = np.zeros(count, bool)
    mask[from_gaps(string)] = True
    return mask


def from_bitmap(string: bytes, count: int) -> np.ndarray:
    return np.unpackbits(np.frombuffer(string, np.uint8), count=count).astype(bool)


def add_bits(writer: Writer, bits: np.ndarray) -> None:
    """Booleans that are true about as often as not."""
    writer.add([np.packbits(bits).tobytes()])


def read_bits(reader: Reader, count: int) -> np.ndarray:
    reader.layout()
    return from_bitmap(reader.string(), count)


def add_ternary(writer: Writer, signs: np.ndarray) -> None:
    """-1, 0 and 1: what is not 0 as bitmap or gaps, and its signs; or all of them packed by four."""
    mask = signs != 0
    negative = np.packbits(signs[mask] < 0).tobytes()
    writer.add(
        [np.packbits(mask).tobytes(), negative],
        [to_gaps(np.flatnonzero(mask)), negative],
        [packed(signs + 1, 2)],
    )


def read_ternary(reader: Reader, count: int) -> np.ndarray:
    layout, string = reader.layout(), reader.string()
    if layout == 2:
        return unpacked(string, 2, count).astype(np.int8) - 1
    where = np.flatnonzero(from_bitmap(string, count)) if layout == 0 else from_gaps(string)
    signs = np.zeros(count, np.int8)
    signs[where] = 1 - 2 * from_bitmap(reader.string(), len(where)).astype(np.int8)
    return signs


def packed(codes: np.ndarray, width: int) -> bytes:
    """Numbers from 0 to 2^width - 1, width 1, 2, 4 or 8, the first in a byte's lowest bits."""
    in_byte = 8 // width
    padded = np.zeros(-(-codes.size // in_byte) * in_byte, np.uint8)
    padded[: codes.size] = codes
    shifts = np.arange(in_byte, dtype=np.uint8) * width
    return np.bitwise_or.reduce(padded.reshape(-1, in_byte) << shifts, axis=1).tobytes()


def unpacked(string: bytes, width: int, count: int) -> np.ndarray:
    shifts = np.arange(8 // width, dtype=np.uint8) * width
    parts = np.frombuffer(string, np.uint8)[:, None] >> shifts & ((1 << width) - 1)
    return parts.astype(np.uint8).ravel()[:count]


def add_codes(writer: Writer, codes: np.ndarray, width: int) -> None:
    """Numbers from 0 to 2^width - 1: each in a byte, or as many in a byte as fit."""
    writer.add([codes.astype(np.uint8).tobytes()], [packed(codes, width)])


def read_codes(reader: Reader, width: int, count: int) -> np.ndarray:
    layout, string = reader.layout(), reader.string()
    return np.frombuffer(string, np.uint8) if layout == 0 else unpacked(string, width, count)


def add_floats(writer: Writer, values: np.ndarray) -> None:
    """float32 values, as few as settings and scales of matrices are."""
    writer.add([values.astype("<f4").tobytes()])


def read_floats(reader: Reader) -> np.ndarray:
    reader.layout()
    return np.frombuffer(reader.string(), "<f4")
