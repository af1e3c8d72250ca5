"""Other ways to store a fine-tune, to be measured beside finedelta's: Python on numpy, each as good as that
way can be. All are for flat arrays of one tensor, of F16, F32 or BF16; BF16, which numpy does not know, as
uint16."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from finedelta.extras import extra

Array = npt.NDArray[Any]

DTYPES = {"F16": "<f2", "F32": "<f4", "BF16": "<u2"}
"""The types that the baselines are for, and those of their arrays."""

_UNSIGNED: dict[int, np.dtype[Any]] = {2: np.dtype("<u2"), 4: np.dtype("<u4")}


@dataclass(frozen=True)
class Baseline:
    name: str
    is_exact: bool
    """Whether what comes out is what went in, for every tensor."""
    delta: Callable[[Array, Array], Array]
    """What the fine-tune's array is more than the base's."""
    compress: Callable[[Array, Array], list[bytes]]
    """Of the base's array and the fine-tune's: what is to be stored."""
    decompress: Callable[[Array, list[bytes]], Array]
    """The fine-tune's array again, or what is left of it."""


def floats(array: Array) -> Array:
    """BF16 as float32, which holds each of its numbers."""
    if array.dtype.kind == "f":
        return array
    widened: Array = (array.astype(np.uint32) << 16).view(np.float32)
    return widened


def _as(dtype: np.dtype[Any], numbers: Array) -> Array:
    """Floats as the array was: BF16 is rounded to nearest, ties to even."""
    if dtype.kind == "f":
        return numbers.astype(dtype, copy=False)
    bits = numbers.astype(np.float32, copy=False).view(np.uint32)
    rounded: Array = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)
    return rounded


def _difference(base: Array, tune: Array) -> Array:
    """As tools of the time take it: in the models' own type, or float32 where numpy has none of that kind."""
    with np.errstate(invalid="ignore", over="ignore"):
        difference: Array = floats(tune) - floats(base)
    return difference


def _numpy_zlib_compress(base: Array, tune: Array) -> list[bytes]:
    # What `np.savez_compressed` does with an array: deflate at zlib's default level.
    return [zlib.compress(_difference(base, tune).data)]


def _numpy_zlib_decompress(base: Array, stored: list[bytes]) -> Array:
    known = floats(base)
    return _as(base.dtype, known + np.frombuffer(zlib.decompress(stored[0]), known.dtype))


def _bits(array: Array) -> Array:
    bits: Array = array.view(_UNSIGNED[array.dtype.itemsize])
    return bits


def _xor(base: Array, tune: Array) -> Array:
    difference: Array = _bits(base) ^ _bits(tune)
    return difference


def import_zstandard() -> Any:
    with extra("validate"):
        import zstandard
    return zstandard


_of_thread = threading.local()


def _zstd() -> tuple[Any, Any]:
    """This thread's compressor and decompressor: making them anew for each piece takes time."""
    if not hasattr(_of_thread, "codecs"):
        zstandard = import_zstandard()
        _of_thread.codecs = (zstandard.ZstdCompressor(level=3), zstandard.ZstdDecompressor())
    codecs: tuple[Any, Any] = _of_thread.codecs
    return codecs


def _planes_compress(base: Array, tune: Array) -> list[bytes]:
    planes = _xor(base, tune).view(np.uint8).reshape(-1, base.dtype.itemsize)
    compressor, _ = _zstd()
    return [compressor.compress(np.ascontiguousarray(plane)) for plane in planes.T]


def _planes_decompress(base: Array, stored: list[bytes]) -> Array:
    _, decompressor = _zstd()
    planes = np.empty((base.size, base.dtype.itemsize), np.uint8)
    for number, plane in enumerate(stored):
        planes[:, number] = np.frombuffer(decompressor.decompress(plane), np.uint8)
    restored: Array = (planes.view(_bits(base).dtype).reshape(-1) ^ _bits(base)).view(base.dtype)
    return restored


def _zstd_compress(base: Array, tune: Array) -> list[bytes]:
    return [_zstd()[0].compress(tune.data)]


def _zstd_decompress(base: Array, stored: list[bytes]) -> Array:
    return np.frombuffer(_zstd()[1].decompress(stored[0]), base.dtype)


def _int8_compress(base: Array, tune: Array) -> list[bytes]:
    """The delta as float16, then as 8-bit integers with one scale for the tensor, deflated."""
    with np.errstate(invalid="ignore", over="ignore"):
        delta = floats(tune).astype(np.float32) - floats(base).astype(np.float32)
        half = delta.astype(np.float16).astype(np.float32)
        known = np.nan_to_num(half, nan=0.0, posinf=0.0, neginf=0.0)
        largest = float(np.max(np.abs(known), initial=0))
        scale = np.float32(largest / 127 if largest > 0 else 1)
        steps = np.rint(known / scale).astype(np.int8)
    return [scale.tobytes(), zlib.compress(steps.data)]


def _int8_decompress(base: Array, stored: list[bytes]) -> Array:
    (scale,) = np.frombuffer(stored[0], np.float32)
    steps = np.frombuffer(zlib.decompress(stored[1]), np.int8)
    return _as(base.dtype, floats(base).astype(np.float32) + steps * scale)


NUMPY_ZLIB = Baseline(
    "numpy difference, zlib", False, _difference, _numpy_zlib_compress, _numpy_zlib_decompress
)
NUMPY_PLANES = Baseline(
    "numpy XOR and planes, zstandard (BitX)", True, _xor, _planes_compress, _planes_decompress
)
ZSTD = Baseline("zstandard alone", True, _xor, _zstd_compress, _zstd_decompress)
FP16_INT8 = Baseline("delta as float16, then int8", False, _difference, _int8_compress, _int8_decompress)

BASELINES = (NUMPY_ZLIB, NUMPY_PLANES, ZSTD, FP16_INT8)
