"""Other ways to store a fine-tune, to be measured beside finedelta's: pure Python on numpy, as good as they are
at what they do. All take and give the bytes of one tensor."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finedelta.errors import UsageError
from finedelta.extras import extra

Array = npt.NDArray[Any]

_UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}


@dataclass(frozen=True)
class Baseline:
    name: str
    is_exact: bool
    """Whether what comes out is what went in, for every tensor of a type it is for."""
    compress: Callable[[Array, Array], list[bytes]]
    """Of a base tensor and its fine-tune's, flat arrays of one type; what is to be stored."""
    decompress: Callable[[Array, list[bytes]], Array]
    """The fine-tune's tensor again, or what is left of it."""


def _delta(base: Array, tune: Array) -> tuple[Array, bytes]:
    """The difference as tools of the time take it: in the models' own type."""
    delta = tune - base
    return delta, delta.tobytes()


def _numpy_zlib_compress(base: Array, tune: Array) -> list[bytes]:
    # What `np.savez_compressed` does with an array: deflate at zlib's default level.
    return [zlib.compress(_delta(base, tune)[1])]


def _numpy_zlib_decompress(base: Array, stored: list[bytes]) -> Array:
    restored: Array = base + np.frombuffer(zlib.decompress(stored[0]), base.dtype)
    return restored


def _bits(array: Array) -> Array:
    return array.view(_UNSIGNED[array.dtype.itemsize])


def _zstandard() -> Any:
    with extra("validate"):
        import zstandard
    return zstandard


def _planes_compress(base: Array, tune: Array) -> list[bytes]:
    planes = (_bits(base) ^ _bits(tune)).view(np.uint8).reshape(-1, base.dtype.itemsize)
    compressor = _zstandard().ZstdCompressor(level=3)
    return [compressor.compress(np.ascontiguousarray(plane)) for plane in planes.T]


def _planes_decompress(base: Array, stored: list[bytes]) -> Array:
    decompressor = _zstandard().ZstdDecompressor()
    planes = np.empty((base.size, base.dtype.itemsize), np.uint8)
    for number, plane in enumerate(stored):
        planes[:, number] = np.frombuffer(decompressor.decompress(plane), np.uint8)
    restored: Array = (planes.view(_bits(base).dtype).reshape(-1) ^ _bits(base)).view(base.dtype)
    return restored


def _zstd_compress(base: Array, tune: Array) -> list[bytes]:
    return [_zstandard().ZstdCompressor(level=3).compress(tune.tobytes())]


def _zstd_decompress(base: Array, stored: list[bytes]) -> Array:
    return np.frombuffer(_zstandard().ZstdDecompressor().decompress(stored[0]), base.dtype)


def _int8_compress(base: Array, tune: Array) -> list[bytes]:
    """The delta as float16, then as 8-bit integers with one scale for the tensor, deflated."""
    half = (tune.astype(np.float32) - base.astype(np.float32)).astype(np.float16).astype(np.float32)
    largest = float(np.max(np.abs(half), initial=0))
    scale = np.float32(largest / 127 if largest > 0 else 1)
    steps = np.rint(half / scale).astype(np.int8)
    return [scale.tobytes(), zlib.compress(steps.tobytes())]


def _int8_decompress(base: Array, stored: list[bytes]) -> Array:
    (scale,) = np.frombuffer(stored[0], np.float32)
    steps = np.frombuffer(zlib.decompress(stored[1]), np.int8)
    restored: Array = (base.astype(np.float32) + steps * scale).astype(base.dtype)
    return restored


NUMPY_ZLIB = Baseline(
    "numpy difference, zlib", False, _numpy_zlib_compress, _numpy_zlib_decompress
)
NUMPY_PLANES = Baseline(
    "numpy XOR and byte planes, zstandard (BitX)", True, _planes_compress, _planes_decompress
)
ZSTD = Baseline("zstandard alone", True, _zstd_compress, _zstd_decompress)
FP16_INT8 = Baseline("delta as float16, then int8", False, _int8_compress, _int8_decompress)

BASELINES = (NUMPY_ZLIB, NUMPY_PLANES, ZSTD, FP16_INT8)


def array_of(data: bytes | memoryview, dtype: str) -> Array:
    """A tensor's bytes as what baselines take."""
    types = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}
    if dtype not in types:
        raise UsageError(f"the baselines are not for type {dtype}")
    return np.frombuffer(data, types[dtype])
