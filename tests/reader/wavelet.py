"""Coder 3: src/coder/wavelet/spec.md."""

from dataclasses import dataclass

import numpy as np

from bits import Array, BitCursor
from nibble_rans import Rans
from primitives import Cursor, DamagedError, DType
from wavelet_tree import StreamReader

MANTISSA = {
    "F16": 10,
    "BF16": 7,
    "F32": 23,
    "F8_E4M3": 3,
    "F8_E4M3FNUZ": 3,
    "F8_E5M2": 2,
    "F8_E5M2FNUZ": 2,
}
BLOCK = 64  # units that have one class
NEAREST = 16  # differences of at least so much are completed by bits
FAR_BELOW = 126
LEADING_SYMBOLS = 254


@dataclass(frozen=True)
class Layout:
    """Of a float: its bits, and those of its mantissa."""

    bits: int
    mantissa: int

    @property
    def sign(self) -> int:
        return 1 << (self.bits - 1)

    def tops(self, fraction: int) -> int:
        """How many values the leading bits have, `fraction` of which are of the mantissa."""
        return 1 << (self.bits - 1 - self.mantissa + fraction)


def layout_of(dtype: DType) -> Layout:
    if dtype.name not in MANTISSA:
        raise DamagedError(f"coder wavelet is not for {dtype.name}")
    return Layout(dtype.bits, MANTISSA[dtype.name])


@dataclass(frozen=True)
class Header:
    leading: bool  # symbols; else they are differences
    precision: int
    symbol_fraction: int  # S
    lanes: int
    classes: int
    exponent_contexts: int  # E
    context_fraction: int  # X
    context_top: int = 0
    symbol_top: int = 0

    @property
    def needs_prediction(self) -> bool:
        return self.exponent_contexts > 1 or not self.leading


def read_top(cursor: Cursor, layout: Layout, fraction: int) -> int:
    top = cursor.varint()
    if top >= layout.tops(fraction):
        raise DamagedError(f"a top of {top}, limit {layout.tops(fraction)}")
    return top


def read_header(cursor: Cursor, layout: Layout) -> Header:
    first, second = cursor.u8(), cursor.u8()
    leading, precision = bool(first & 1), (first >> 1 & 3) + 1
    symbol_fraction, lanes_log2 = first >> 3 & 3, first >> 5
    contexts, context_fraction, classes_log2 = (second & 15) + 1, second >> 4 & 3, second >> 6
    exponent_contexts, odd = divmod(contexts, 1 << classes_log2)
    sound = (
        precision <= 3
        and symbol_fraction <= (layout.mantissa if leading else 0)
        and classes_log2 <= 2
        and odd == 0
        and context_fraction <= (layout.mantissa if exponent_contexts > 1 else 0)
    )
    if not sound:
        raise DamagedError(f"a chunk begins with unknown bytes {first:02x} {second:02x}")
    context_top = read_top(cursor, layout, context_fraction) if exponent_contexts > 1 else 0
    symbol_top = read_top(cursor, layout, symbol_fraction) if leading else 0
    return Header(
        leading=leading,
        precision=precision,
        symbol_fraction=symbol_fraction,
        lanes=1 << lanes_log2 if lanes_log2 > 1 else lanes_log2,
        classes=1 << classes_log2,
        exponent_contexts=exponent_contexts,
        context_fraction=context_fraction,
        context_top=context_top,
        symbol_top=symbol_top,
    )


class ChunkReader:
    def __init__(self, stored: bytes, dtype: DType) -> None:
        cursor = Cursor(stored, "a chunk of coder wavelet")
        self.layout = layout_of(dtype)
        self.header = read_header(cursor, self.layout)
        self._bits = BitCursor(cursor.string())
        self._rans = Rans(cursor.take(4 * self.header.lanes), cursor.take(cursor.left))

    def decode(self, prediction: Array) -> Array:
        symbols = self._read_symbols(prediction)
        self._bits.append(self._rans.end())
        predicted_magnitude = prediction & (self.layout.sign - 1)
        if self.header.leading:
            other_sign, magnitude = self._leading(symbols)
        else:
            other_sign, magnitude = self._differences(symbols, predicted_magnitude)
        self._bits.end(8 + 16 * self.header.lanes)
        sign = prediction & self.layout.sign ^ np.where(other_sign, self.layout.sign, 0)
        return sign | magnitude

    def _read_symbols(self, prediction: Array) -> Array:
        streams = StreamReader(self._bits, self._rans, self.header.precision)
        contexts = self._contexts(prediction, streams)
        symbol_count = LEADING_SYMBOLS
        if not self.header.leading:
            symbol_count = 31 + 4 * (self.layout.bits - 4)
        symbols = np.empty(len(prediction), np.uint8)
        for context in range(self.header.classes * self.header.exponent_contexts):
            here = np.flatnonzero(contexts == context)
            if len(here):
                symbols[here] = streams.read(len(here), symbol_count)
        return symbols

    def _contexts(self, prediction: Array, streams: StreamReader) -> Array:
        header = self.header
        units = len(prediction)
        classes = np.zeros(units, np.int64)
        if header.classes > 1:
            of_blocks = streams.read(-(-units // BLOCK), header.classes)
            classes = np.repeat(of_blocks.astype(np.int64), BLOCK)[:units]
        magnitude = prediction & (self.layout.sign - 1)
        below = header.context_top - (magnitude >> (self.layout.mantissa - header.context_fraction))
        return header.exponent_contexts * classes + np.clip(below, 0, header.exponent_contexts - 1)

    def _differences(self, symbols: Array, predicted: Array) -> tuple[Array, Array]:
        """Whether the sign is not the prediction's, and the magnitude."""
        large = symbols.astype(np.int64) - (2 * NEAREST - 1)
        is_large = large >= 0
        exponent = np.where(is_large, 4 + large // 4, 0)
        negative = np.where(is_large, large, symbols) & 1 == 1
        rest = self._bits.numbers(np.maximum(exponent - 1, 0))
        leading = (2 + (large >> 1 & 1)) << np.maximum(exponent - 1, 0)
        size = np.where(is_large, leading + rest, (symbols.astype(np.int64) + 1) >> 1)
        modulus = 2 * self.layout.sign
        ordered = (predicted + np.where(negative, -size, size)) % modulus
        other_sign = ordered >= self.layout.sign
        return other_sign, np.where(other_sign, modulus - 1 - ordered, ordered)

    def _leading(self, symbols: Array) -> tuple[Array, Array]:
        """Whether the sign is not the prediction's, and the magnitude."""
        shift = self.layout.mantissa - self.header.symbol_fraction
        below = symbols.astype(np.int64) >> 1
        far = below == FAR_BELOW
        rest = self._bits.numbers(np.where(far, self.layout.bits - 1, shift))
        top = self.header.symbol_top - np.where(far, 0, below)
        if (top < 0).any():
            raise DamagedError(f"a value too far below the top of {self.header.symbol_top}")
        return symbols & 1 == 1, np.where(far, rest, top << shift | rest)


def units_of(data: bytes, dtype: DType) -> Array:
    return np.frombuffer(data, f"<u{dtype.unit}").astype(np.int64)


def decode(stored: bytes, dtype: DType, prediction: bytes, predicted: bool) -> bytes:
    """The bytes of a chunk. Without a prediction (not `predicted`), zeros are given as one."""
    reader = ChunkReader(stored, dtype)
    if reader.header.needs_prediction and not predicted:
        raise DamagedError("a chunk of coder wavelet needs a prediction and has none")
    return reader.decode(units_of(prediction, dtype)).astype(f"<u{dtype.unit}").tobytes()


def check(stored: bytes, dtype: DType) -> None:
    """Checks what can be checked of a chunk when its prediction is not at hand."""
    ChunkReader(stored, dtype)
