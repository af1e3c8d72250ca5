"""Checkpoints with the shapes and types of real models, and made-up numbers.

They are for what depends on sizes (time, memory), and say nothing of how much a real fine-tune shrinks: that
depends on how it was trained, which is made up here too. Everything that is made with them says SYNTHETIC.
The same seed gives the same files everywhere, piece by piece, so that a model never is in memory.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

import numpy as np
import numpy.typing as npt

from finedelta.validate.models.checkpoint import write_header
from finedelta.validate.models.shapes import LAYOUTS, Layout, Tensor

Array = npt.NDArray[np.float32]

Training = Literal["rl", "light-sft", "full-sft", "lora-merged"]
TRAININGS: tuple[Training, ...] = get_args(Training)

_PIECE = 1 << 22  # elements at a time
_DEVIATION = 0.02  # of weights
_RANK = 16  # of what fine-tuning adds besides noise, and of adapters
_NUMPY: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2")}


def write_base(model: str, folder: Path, seed: int = 0) -> None:
    """Writes the checkpoint that the others are fine-tunes of."""
    layout = LAYOUTS[model]()
    _write(layout, folder, lambda tensor, piece: _base_piece(tensor, piece, seed), layout.dtype)


def write_fine_tune(model: str, training: Training, folder: Path, seed: int = 0) -> None:
    """Writes a checkpoint as if the base of that seed had been trained so."""
    layout = LAYOUTS[model]()

    def tuned(tensor: Tensor, piece: slice) -> Array:
        # From the base's numbers as they were stored: training starts from a checkpoint.
        exact = _base_piece(tensor, piece, seed)
        stored: Array = exact.astype(_NUMPY[layout.dtype]).astype(np.float32)
        return stored + _delta(tensor, piece, stored, training, seed)

    _write(layout, folder, tuned, layout.dtype)


def _generator(tensor: Tensor, piece: slice, seed: int, what: str) -> np.random.Generator:
    names = zlib.crc32(f"{tensor.name} {what}".encode())
    return np.random.Generator(np.random.Philox(key=[seed, names << 32 | piece.start // _PIECE]))


def _normal(tensor: Tensor, piece: slice, seed: int, what: str) -> Array:
    size: int = piece.stop - piece.start
    return _generator(tensor, piece, seed, what).standard_normal(size, np.float32)


def _base_piece(tensor: Tensor, piece: slice, seed: int) -> Array:
    numbers = _normal(tensor, piece, seed, "base") * np.float32(_DEVIATION)
    return numbers + np.float32(1) if tensor.kind == "norm" else numbers


def _delta(tensor: Tensor, piece: slice, stored: Array, training: Training, seed: int) -> Array:
    if training == "rl":
        return _few_steps(tensor, piece, stored, seed)
    if training == "lora-merged":
        if tensor.kind != "attention":
            return np.zeros_like(stored)
        return _product(tensor, piece, seed) * np.float32(0.02 * _DEVIATION)
    strength = np.float32((0.002 if training == "light-sft" else 0.02) * _DEVIATION)
    noise: Array = _normal(tensor, piece, seed, training) * strength
    if len(tensor.shape) < 2 or tensor.kind == "embedding":
        return noise
    # A part of what training adds is of low rank.
    return noise + _product(tensor, piece, seed) * strength * np.float32(0.5)


def _few_steps(tensor: Tensor, piece: slice, stored: Array, seed: int) -> Array:
    """One number in a hundred a little further from zero or nearer to it."""
    generator = _generator(tensor, piece, seed, "rl")
    size: int = piece.stop - piece.start
    chosen = generator.random(size, np.float32) < np.float32(0.01)
    signs = generator.integers(0, 2, size, np.int8).astype(np.float32) * 2 - 1
    delta: Array = stored * np.float32(2**-10) * signs * chosen
    return delta


def _product(tensor: Tensor, piece: slice, seed: int) -> Array:
    """A piece of a matrix of rank 16 whose elements have a deviation of 1."""
    rows, columns = tensor.shape
    factors = np.random.Generator(np.random.Philox(key=[seed, zlib.crc32(tensor.name.encode())]))
    left = factors.standard_normal((rows, _RANK), np.float32)
    right = factors.standard_normal((_RANK, columns), np.float32)
    first, last = piece.start // columns, -(-piece.stop // columns)
    whole = (left[first:last] @ right).reshape(-1) / np.float32(math.sqrt(_RANK))
    begin = piece.start - first * columns
    part: Array = whole[begin : begin + piece.stop - piece.start]
    return part


def _pieces(tensor: Tensor) -> Iterator[slice]:
    size = math.prod(tensor.shape)
    for begin in range(0, size, _PIECE):
        yield slice(begin, min(begin + _PIECE, size))


def _write(layout: Layout, folder: Path, numbers: Callable[[Tensor, slice], Array], dtype: str) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(layout.config, indent=2) + "\n")
    count = len(layout.shards)
    places: dict[str, str] = {}
    for number, tensors in enumerate(layout.shards, 1):
        name = "model.safetensors" if count == 1 else f"model-{number:05}-of-{count:05}.safetensors"
        places |= {tensor.name: name for tensor in tensors}
        with open(folder / name, "wb") as file:
            _write_shard(file, tensors, numbers, dtype)
    if count > 1:
        width = _NUMPY[dtype].itemsize
        total = sum(width * math.prod(tensor.shape) for tensor in layout.tensors())
        index = {"metadata": {"total_size": total}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n")


def _write_shard(
    file: BinaryIO,
    tensors: tuple[Tensor, ...],
    numbers: Callable[[Tensor, slice], Array],
    dtype: str,
) -> None:
    width = _NUMPY[dtype].itemsize
    write_header(file, ((each.name, dtype, each.shape, width * math.prod(each.shape)) for each in tensors))
    for tensor in tensors:
        for piece in _pieces(tensor):
            file.write(numbers(tensor, piece).astype(_NUMPY[dtype]).tobytes())
