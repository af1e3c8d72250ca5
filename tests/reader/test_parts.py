"""Numbers, frames and conversions by themselves."""

import struct

import numpy as np
import pytest

import adaptive
import low_rank
import sparse
import steps
from floats import convert
from frames import decompress
from lies import wide_frame
from primitives import DTYPE_BY_NAME, Cursor, DamagedError, varint
from writer import compress

FRAME = compress(b"word " * 100)
WITH_ID = FRAME[:4] + bytes([FRAME[4] | 1]) + FRAME[5:6] + b"\1" + FRAME[6:]
FRAMES = {
    "good": (FRAME, 500, None),
    "good with sizes": (compress(b"word " * 100, sized=True), 500, None),
    "shorter": (FRAME, 499, "a zstd frame"),
    "longer": (FRAME, 501, "a zstd frame"),
    "behind": (FRAME + b"\0", 500, "lies in"),
    "two frames": (FRAME + FRAME, 1000, "lies in"),
    "skippable": (b"\x50\x2a\x4d\x18\0\0\0\0" + FRAME, 500, "no magic number"),
    "window": (wide_frame(500), 500, "a window of 16777216 bytes"),
    "dictionary id": (WITH_ID, 500, "dictionary id"),
    "cut": (FRAME[:-1], 500, "a zstd frame of"),
    "empty": (b"", 500, "no magic number"),
    "huge": (FRAME, 2**62, "can't stand for"),
}


@pytest.mark.parametrize(("frame", "length", "message"), FRAMES.values(), ids=FRAMES.keys())
def test_frames(frame: bytes, length: int, message: str | None) -> None:
    if message is None:
        assert decompress(frame, length) == b"word " * 100
        return
    with pytest.raises(DamagedError, match=message):
        decompress(frame, length)


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63, 2**64 - 1])
def test_varint(value: int) -> None:
    cursor = Cursor(varint(value), "it")
    assert cursor.varint() == value
    cursor.end()


@pytest.mark.parametrize("spelling", [b"\x80\x00", b"\xff\x80\x00", b"\xff" * 9 + b"\x02"])
def test_bad_varint(spelling: bytes) -> None:
    with pytest.raises(DamagedError, match="bad varint"):
        Cursor(spelling, "it").varint()


CASTS = [
    ("F32", "BF16", 0x7F800001, 0x7FC0),
    ("F32", "BF16", 0xFFA1FFFF, 0xFFA1),
    ("F32", "BF16", 0xFF80FFFF, 0xFFC0),
    ("F32", "BF16", 0x3F808000, 0x3F80),
    ("F32", "BF16", 0x3F818000, 0x3F82),
    ("F32", "BF16", 0x3F808001, 0x3F81),
    ("F32", "BF16", 0x7F7F8000, 0x7F80),
    ("F32", "BF16", 0x00008001, 0x0001),
    ("F32", "F16", 0x7F802000, 0x7C01),
    ("F32", "F16", 0x7F801FFF, 0x7E00),
    ("F32", "F16", 0xFF800001, 0xFE00),
    ("F32", "F16", 0x477FEFFF, 0x7BFF),
    ("F32", "F16", 0x477FF000, 0x7C00),
    ("F32", "F16", 0x33000000, 0x0000),
    ("F32", "F16", 0x33000001, 0x0001),
    ("F32", "F16", 0x387FE000, 0x0400),
    ("F16", "F32", 0x7C01, 0x7F802000),
    ("F16", "F32", 0x8001, 0xB3800000),
    ("F16", "BF16", 0xFC01, 0xFFC0),
    ("F16", "BF16", 0xFC09, 0xFF81),
    ("F16", "BF16", 0x3C04, 0x3F80),
    ("BF16", "F16", 0x7F81, 0x7C08),
    ("BF16", "F16", 0x4780, 0x7C00),
    ("BF16", "F32", 0x7F81, 0x7F810000),
]


@pytest.mark.parametrize(("source", "target", "bits", "expected"), CASTS)
def test_casts(source: str, target: str, bits: int, expected: int) -> None:
    widths = {"F32": "<I", "F16": "<H", "BF16": "<H"}
    data = convert(struct.pack(widths[source], bits), source, target)
    assert hex(struct.unpack(widths[target], data)[0]) == hex(expected)


@pytest.mark.parametrize("dtype", ["F16", "BF16"])
def test_casts_to_f32_and_back_change_nothing(dtype: str) -> None:
    values = np.arange(1 << 16, dtype="<u2").tobytes()
    assert convert(convert(values, dtype, "F32"), "F32", dtype) == values


# The example of src/predict/low_rank/spec.md, and its two other values.
RECORD = bytes.fromhex("030202 0000803a 0002 02140b 002c 03f201 0113")


def test_low_rank_example() -> None:
    factors = low_rank.parse_factors(RECORD, (3, 2), 1)
    assert factors.left.tolist() == [[5, -7, 0], [1, 0, -1]]
    assert factors.right.tolist() == [[6, -4], [-1, 2]]
    assert low_rank.encode_factors(factors)[:9] == RECORD[:9]
    again = low_rank.parse_factors(low_rank.encode_factors(factors), (4, 2), 1)
    assert (again.left == factors.left).all()
    ones = np.ones(8, "<f4").tobytes()
    got = np.frombuffer(low_rank.add(factors, ones, "F32", 0), "<f4")
    sums = np.array([26, -12, -42, 28, 4, -8, 0, 0])
    assert got.tolist() == (1 + sums / 1024).tolist()
    assert low_rank.add(factors, ones[12:24], "F32", 3) == got[3:6].tobytes()


ADAPTIVE = {
    "smallest": ([0], [[0]], [[0]]),
    "zeros": ([0, 0, 0], [[0] * 300] * 3, [[0] * 200] * 3),
    "ones": ([0, 3, 14], [[1, -1, 0, 0] * 25] * 3, [[0, 0, 1]] * 3),
    "up to the escape": ([2], [[*range(-14, 15)] * 3], [[11, 12, 13]]),
    "every class": ([0], [[(-2) ** power for power in range(15)] * 40], [[32767, 0] * 40]),
    "largest": ([0], [[32767, -32767] * 30], [[0] * 50 + [-32767] * 50]),
    "of unlike rows": ([1, 1], [[0, 300, -2, 9000] * 9] * 2, [[1] * 100, [40] * 100]),
}


@pytest.mark.parametrize(("shifts", "left", "right"), ADAPTIVE.values(), ids=ADAPTIVE.keys())
def test_adaptive_round_trip(
    shifts: list[int], left: list[list[int]], right: list[list[int]]
) -> None:
    stream = adaptive.encode(shifts, left, right)
    assert stream[-1] != 0
    sizes = len(shifts), len(left[0]), len(right[0])
    assert adaptive.decode(stream, *sizes) == (shifts, left, right)


# The example of src/coder/steps/spec.md.
STEPS = bytes.fromhex("0000803a 04 02 4dc19020")


def test_steps_example() -> None:
    f32 = DTYPE_BY_NAME["F32"]
    found = steps.parse(STEPS, f32, 8)
    assert found == steps.Steps(2.0**-10, 4, 2, [1, 0, 0, -2, 0, 0, 3, 0])
    assert steps.parse(steps.encode(found), f32, 8) == found
    moved = np.frombuffer(steps.decode(STEPS, f32, np.ones(8, "<f4").tobytes()), "<f4")
    assert moved.tolist() == [1 + value / 1024 for value in found.values]


# The example of src/coder/sparse/spec.md.
SPARSE = bytes.fromhex("02 44fcf055336f41f1 02350000002008")


def test_sparse_example() -> None:
    found = sparse.parse(SPARSE, 2, 32)
    assert (found.places, found.differences) == ([2, 5], [1, -2])
    prediction = b"\x80\x3f" * 32
    result = sparse.decode(SPARSE, DTYPE_BY_NAME["BF16"], prediction)
    assert result == b"\x80\x3f" * 2 + b"\x81\x3f" + b"\x80\x3f" * 2 + b"\x7e\x3f" + prediction[12:]
    stored = sparse.encode_chunk(result, prediction, 2)
    assert stored is not None and sparse.parse(stored, 2, 32) == found


def test_sparse_round_trip() -> None:
    generator = np.random.default_rng(1)
    for name in ("U8", "BF16", "F32", "I64"):
        dtype = DTYPE_BY_NAME[name]
        before = generator.integers(0, 256, 5000 * dtype.unit, np.uint8).tobytes()
        units = np.frombuffer(before, f"<u{dtype.unit}").copy()
        units[generator.integers(0, 5000, 300)] += units.dtype.type(200)
        units[0] -= units.dtype.type(1)
        stored = sparse.encode_chunk(units.tobytes(), before, dtype.unit)
        assert stored is not None and sparse.decode(stored, dtype, before) == units.tobytes()


SPARSE_LIES = {
    "no units": (b"\0" + SPARSE[1:], 32, "0 of 32 units"),
    "more than there are": (SPARSE, 1, "2 of 1 units"),
    "more than bits": (b"\x45" + SPARSE[1:], 99, "69 of 99 units in 7 bytes"),
    "beyond": (SPARSE, 5, "leads to unit 5 of 5"),
    "cut": (SPARSE[:-1], 32, "end early"),
    "bits behind": (SPARSE[:-1] + b"\x80", 32, "are left behind"),
    "bytes behind": (SPARSE + b"\0", 32, "are left behind"),
}


@pytest.mark.parametrize(("stored", "units", "message"), SPARSE_LIES.values(), ids=SPARSE_LIES)
def test_bad_sparse(stored: bytes, units: int, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        sparse.parse(stored, 2, units)


STEP_VALUES = {
    "one": (1, 0, [1]),
    "zeros": (7, 3, [0] * 300),
    "one row": (300, 299, [0, 1, -1] * 100),
    "one column": (1, 0, [1, 0, -2, 0] * 25),
    "of unlike columns": (4, 1, [0, 300, -2, 9000] * 30),
    "largest": (9, 8, [32767, -32767, 0] * 40),
}


@pytest.mark.parametrize(("columns", "first", "values"), STEP_VALUES.values(), ids=STEP_VALUES)
@pytest.mark.parametrize("dtype", ["F16", "BF16", "F32"])
def test_steps_round_trip(columns: int, first: int, values: list[int], dtype: str) -> None:
    wanted = steps.Steps(2.0**-100, columns, first, values)
    assert steps.parse(steps.encode(wanted), DTYPE_BY_NAME[dtype], len(values)) == wanted


HEAD = struct.pack("<f", 1.0)
STEP_LIES = {
    "type": (STEPS, "F64", 8, "not for F64"),
    "small scale": (struct.pack("<I", 0x0D7FFFFF) + STEPS[4:], "F32", 8, "a scale of 7.8"),
    "large scale": (struct.pack("<f", 2.0**64) + STEPS[4:], "F32", 8, "a scale of 1.8"),
    "NaN as scale": (struct.pack("<f", np.nan) + STEPS[4:], "F32", 8, "a scale of nan"),
    "no columns": (HEAD + b"\0\0\1", "F32", 8, "column 0 of 0 for 8 values"),
    "more columns than values": (HEAD + b"\x09\0\1", "F32", 8, "column 0 of 9 for 8 values"),
    "first column beyond": (HEAD + b"\4\4\1", "F32", 8, "column 4 of 4 for 8 values"),
    "head cut": (HEAD + b"\4", "F32", 8, "ends early"),
    "no stream": (HEAD + b"\4\0", "F32", 8, "0 bytes can't hold 8 values"),
    "more values than bytes": (HEAD + b"\4\0\1", "BF16", 2049, "1 bytes can't hold 2049 values"),
    "last byte": (STEPS + b"\0", "F32", 8, "the last byte is 0"),
    "bytes behind": (STEPS + b"\0\0\0\0\1", "F32", 8, "bytes behind the last value"),
    "value beyond": (HEAD + b"\4\0" + b"\xff" * 30, "F32", 8, "a value of over 65545"),
}


@pytest.mark.parametrize(("stored", "dtype", "units", "message"), STEP_LIES.values(), ids=STEP_LIES)
def test_bad_steps(stored: bytes, dtype: str, units: int, message: str) -> None:
    with pytest.raises(DamagedError, match=message):
        steps.parse(stored, DTYPE_BY_NAME[dtype], units)


LOW_RANK_SUMS = [
    ("F32", 0x80000000, 0, 0x80000000),  # a sum of 0 leaves the base
    ("F32", 0x7F800001, 1, 0x7F800001),
    ("F32", 0xFF800000, 1, 0xFF800000),
    ("F32", 0x80000000, 1, 0x3F000000),
    ("F32", 0x00000001, 1, 0x3F000000),
    ("F32", 0xBF000000, 1, 0x00000000),  # no -0
    ("F16", 0x7BFF, 31, 0x7BFF),
    ("F16", 0x7BFF, 32, 0x7C00),
    ("BF16", 0x4380, 2, 0x4380),  # a tie, to even
    ("BF16", 0x4380, 3, 0x4381),
]


@pytest.mark.parametrize(("dtype", "base", "total", "expected"), LOW_RANK_SUMS)
def test_low_rank_sums(dtype: str, base: int, total: int, expected: int) -> None:
    one = np.array([[1]])
    factors = low_rank.Factors(0.5, np.array([0]), one * total, one)
    width = {"F32": "<I"}.get(dtype, "<H")
    data = low_rank.add(factors, struct.pack(width, base), dtype, 0)
    assert hex(struct.unpack(width, data)[0]) == hex(expected)
    move = steps.Steps(0.5, 1, 0, [total])
    assert steps.apply(move, struct.pack(width, base), DTYPE_BY_NAME[dtype]) == data
