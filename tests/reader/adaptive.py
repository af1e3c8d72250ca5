"""The adaptive code of factors, and of steps: src/predict/low_rank/spec.md, "The adaptive code"."""

from collections.abc import Sequence

from primitives import DamagedError
from range_coder import Model, RangeDecoder, RangeEncoder

LARGEST_SHIFT = 14
LARGEST_VALUE = 32767
ONE = 4096  # a magnitude of 1, where magnitudes are expected
EQUAL = 256  # a row whose values are as large as the others'
LEAST_EXPECTED, MOST_EXPECTED = 64, LARGEST_VALUE * ONE
UNARY = 12
MOST_ONES = 15  # of exponential Golomb codes
CLASSES = 42
SHIFT_START = 53248

STARTS = [
    (64318, 65024, 65024),
    (63814, 65024, 65024),
    (63101, 65024, 65024),
    (62092, 65024, 65024),
    (60666, 65024, 65024),
    (58652, 65024, 65024),
    (55821, 65024, 65024),
    (51891, 64902, 65024),
    (46591, 63684, 65024),
    (39850, 60917, 63439),
    (32141, 55665, 58860),
    (24576, 47578, 51284),
    (18138, 37747, 42060),
    (13118, 28171, 32280),
    (9384, 20243, 23313),
    (6674, 14277, 16217),
]


def toward_zero(number: int, divisor: int) -> int:
    return number // divisor if number >= 0 else -(-number // divisor)


def start_models(number: int) -> list[Model]:
    """Those of a class."""
    first, second, others = STARTS[number if number < 16 else 14 + number % 2]
    return [Model(first), Model(second)] + [Model(others) for _ in range(UNARY - 2)]


def class_of(expected: int) -> tuple[int, int]:
    """The class of an expected magnitude, and how many low bits it sets apart."""
    within = min(max(expected, LEAST_EXPECTED), MOST_EXPECTED)
    width = within.bit_length()
    octave = width - 7
    return 2 * octave + (within >> (width - 2) & 1), max(0, octave - 7)


class Means:
    """How large the values of a factor have been; its columns are lines of so many values."""

    def __init__(self, length: int) -> None:
        self._mean = ONE
        self._rows = [EQUAL] * length
        self._count = 1

    def begin_further_column(self) -> None:
        self._count = 8

    def expected(self, row: int) -> int:
        return self._mean * (self._rows[row] + 64) // 320

    def learn(self, row: int, magnitude: int) -> None:
        ratio = min((magnitude << 20) // max(self._mean, 256), ONE)
        self._rows[row] += toward_zero(ratio - self._rows[row], 16)
        weight = 1 << (self._count.bit_length() - 1)
        self._mean += toward_zero(ONE * magnitude - self._mean, weight)
        self._count = min(self._count + 1, 64)


def read_rest(decoder: RangeDecoder, models: Sequence[Model]) -> int:
    """What is left of a magnitude without its bits that are set apart."""
    for number, model in enumerate(models):
        if not decoder.bit(model):
            return number
    ones = 0
    while ones < MOST_ONES and decoder.raw(1):
        ones += 1
    return UNARY - 1 + (1 << ones | decoder.raw(ones))


def read_value(decoder: RangeDecoder, models: Sequence[Model], apart: int) -> int:
    rest = read_rest(decoder, models)
    if rest > LARGEST_VALUE >> apart:
        raise DamagedError(f"a value of over {(rest << apart) - 1}")
    magnitude = rest << apart | decoder.raw(apart)
    return -magnitude if magnitude and decoder.raw(1) else magnitude


def read_values(decoder: RangeDecoder, count: int, length: int, first: int = 0) -> list[int]:
    """Columns of so many values, one after another, from row `first` of one on."""
    models = [start_models(number) for number in range(CLASSES)]
    means = Means(length)
    values: list[int] = []
    for place in range(first, first + count):
        row = place % length
        if values and row == 0:
            means.begin_further_column()
        number, apart = class_of(means.expected(row))
        values.append(read_value(decoder, models[number], apart))
        means.learn(row, abs(values[-1]))
    return values


def read_factor(decoder: RangeDecoder, rank: int, length: int) -> list[list[int]]:
    values = read_values(decoder, rank * length, length)
    return [values[begin : begin + length] for begin in range(0, len(values), length)]


def read_shifts(decoder: RangeDecoder, rank: int) -> list[int]:
    model = Model(SHIFT_START)
    shifts = [0]
    for _ in range(rank):
        shift = shifts[-1]
        while decoder.bit(model):
            shift += 1
            if shift > LARGEST_SHIFT:
                raise DamagedError(f"a shift of {shift}")
        shifts.append(shift)
    return shifts[1:]


def check_end(decoder: RangeDecoder, stream: bytes) -> None:
    """After the last value."""
    if stream.endswith(b"\0"):
        raise DamagedError("the last byte is 0")
    if decoder.left:
        raise DamagedError(f"{decoder.left} bytes behind the last value")


Columns = Sequence[Sequence[int]]


def decode(
    stream: bytes, rank: int, rows: int, columns: int
) -> tuple[list[int], list[list[int]], list[list[int]]]:
    """Shifts, left and right."""
    decoder = RangeDecoder(stream)
    shifts = read_shifts(decoder, rank)
    left = read_factor(decoder, rank, rows)
    right = read_factor(decoder, rank, columns)
    check_end(decoder, stream)
    return shifts, left, right


def write_rest(encoder: RangeEncoder, models: Sequence[Model], rest: int) -> None:
    for number, model in enumerate(models):
        encoder.bit(model, int(rest > number))
        if rest == number:
            return
    more = rest - (UNARY - 1)
    ones = more.bit_length() - 1
    for _ in range(ones):
        encoder.raw(1, 1)
    if ones < MOST_ONES:
        encoder.raw(1, 0)
    encoder.raw(ones, more)


def write_value(encoder: RangeEncoder, models: Sequence[Model], apart: int, value: int) -> None:
    magnitude = abs(value)
    write_rest(encoder, models, magnitude >> apart)
    encoder.raw(apart, magnitude)
    if magnitude:
        encoder.raw(1, int(value < 0))


def write_values(
    encoder: RangeEncoder, values: Sequence[int], length: int, first: int = 0
) -> None:
    models = [start_models(number) for number in range(CLASSES)]
    means = Means(length)
    for place, value in enumerate(values, first):
        row = place % length
        if place > first and row == 0:
            means.begin_further_column()
        number, apart = class_of(means.expected(row))
        write_value(encoder, models[number], apart, value)
        means.learn(row, abs(value))


def write_factor(encoder: RangeEncoder, columns: Columns) -> None:
    write_values(encoder, [value for column in columns for value in column], len(columns[0]))


def encode(shifts: Sequence[int], left: Columns, right: Columns) -> bytes:
    encoder = RangeEncoder()
    model = Model(SHIFT_START)
    before = 0
    for shift in shifts:
        for _ in range(shift - before):
            encoder.bit(model, 1)
        encoder.bit(model, 0)
        before = shift
    write_factor(encoder, left)
    write_factor(encoder, right)
    return encoder.stream()
