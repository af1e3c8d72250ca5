"""Predictions and coders (sections 4 and 5 of docs/format.md)."""

import numpy as np

import low_rank
import sparse
import steps
import wavelet
from floats import combine, convert, narrow, scale, widen
from frames import decompress
from primitives import Cursor, DamagedError, DType
from records import Chunk, Coder, Predictor, Tensor

RAW_PLANE, CONSTANT_PLANE, ZSTD_PLANE = range(3)


def predict(
    chunk: Chunk, bases: list[tuple[DType, bytes]], factors: low_rank.Factors | None
) -> bytes:
    """The prediction of a tensor's chunk by base tensors, of which dtype and data are given, and by
    factors where its predictor is low rank."""
    tensor = chunk.tensor
    first = chunk.start // tensor.dtype.unit
    last = (chunk.start + chunk.length) // tensor.dtype.unit
    units = [
        (dtype.name, data[first * dtype.unit : last * dtype.unit]) for dtype, data in bases
    ]
    prediction = predict_units(tensor, units).ljust(chunk.length, b"\0")
    if factors is None:
        return prediction
    return low_rank.add(factors, prediction, tensor.dtype.name, first)


def predict_units(tensor: Tensor, bases: list[tuple[str, bytes]]) -> bytes:
    target = tensor.dtype.name
    if tensor.predictor == Predictor.NONE:
        return b""
    if tensor.predictor in (Predictor.BASE, Predictor.LOW_RANK):
        (source, data), = bases
        return convert(data, source, target)
    wide = [widen(data, source) for source, data in bases]
    if tensor.predictor == Predictor.SCALED:
        return narrow(scale(wide[0], tensor.factors[0]), target)
    return narrow(combine(wide[0], wide[1], tensor.factors), target)


def decode_plane(cursor: Cursor, units: int) -> np.ndarray:
    mode = cursor.u8()
    if mode == RAW_PLANE:
        plane = cursor.take(units)
    elif mode == CONSTANT_PLANE:
        plane = cursor.take(1) * units
    elif mode == ZSTD_PLANE:
        plane = decompress(cursor.string(), units)
    else:
        raise DamagedError(f"a plane has unknown mode {mode}")
    return np.frombuffer(plane, np.uint8)


def decode_planes(stored: bytes, prediction: bytes, width: int) -> bytes:
    cursor = Cursor(stored, "a chunk of planes")
    result = np.frombuffer(prediction, np.uint8).reshape(-1, width).copy()
    for plane in range(width):
        result[:, plane] ^= decode_plane(cursor, len(result))
    cursor.end()
    return result.tobytes()


def decode_tensor_chunk(chunk: Chunk, stored: bytes, prediction: bytes, predicted: bool) -> bytes:
    """`predicted`: there is a prediction; else zeros are given as one."""
    if chunk.coder == Coder.RAW:
        return stored
    if chunk.coder == Coder.IDENTICAL:
        return prediction
    if chunk.coder == Coder.WAVELET:
        return wavelet.decode(stored, chunk.tensor.dtype, prediction, predicted)
    if chunk.coder == Coder.STEPS:
        return steps.decode(stored, chunk.tensor.dtype, prediction)
    if chunk.coder == Coder.SPARSE:
        return sparse.decode(stored, chunk.tensor.dtype, prediction)
    return decode_planes(stored, prediction, chunk.tensor.dtype.unit)


def check_tensor_chunk(chunk: Chunk, stored: bytes) -> None:
    """Checks what can be checked of a chunk when its prediction is not at hand."""
    dtype = chunk.tensor.dtype
    if chunk.coder == Coder.WAVELET:
        wavelet.check(stored, dtype)
    elif chunk.coder == Coder.STEPS:
        steps.parse(stored, dtype, chunk.length // dtype.unit)
    elif chunk.coder == Coder.SPARSE:
        sparse.parse(stored, dtype.unit, chunk.length // dtype.unit)
    else:
        decode_tensor_chunk(chunk, stored, bytes(chunk.length), True)


def decode_side_chunk(chunk: Chunk, stored: bytes, base_file: bytes) -> bytes:
    if chunk.coder == Coder.RAW:
        return stored
    if chunk.coder == Coder.ZSTD:
        return decompress(stored, chunk.length)
    offset, length = chunk.prefix
    return decompress(stored, chunk.length, base_file[offset : offset + length])
