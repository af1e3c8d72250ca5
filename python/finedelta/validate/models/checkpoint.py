"""Where the tensors of a model lie in its files. Only for models that the library has read before: it has
checked their headers."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

LARGE = 1_000_000_000
"""Bytes of a model from which on what takes long is measured once, or on a part of it."""

Bytes = npt.NDArray[np.uint8]

Kind = Literal["embedding", "attention", "mlp", "norm", "bias", "other"]

# What parts of names say, in order: a norm within attention is a norm.
_KINDS: tuple[tuple[str, Kind], ...] = (
    (r"norm|\bln_|\bbn\d*\b", "norm"),
    (r"bias$", "bias"),
    (r"embed|\bwte\b|\bwpe\b|lm_head|word_emb", "embedding"),
    (r"attn|attention|\b[qkvo]_proj|\bquery|\bkey\b|\bvalue\b", "attention"),
    (r"mlp|ffn|feed_forward|intermediate|experts|\bfc\d*\b|output\.dense", "mlp"),
)


@dataclass(frozen=True)
class StoredTensor:
    name: str
    dtype: str
    shape: tuple[int, ...]
    file: Path
    offset: int
    """Of its first byte in the file."""
    size: int
    """In bytes."""

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def read(self, size: int | None = None) -> Bytes:
        """Its first bytes, or all."""
        return np.fromfile(self.file, np.uint8, self.size if size is None else size, offset=self.offset)


def kind_of(name: str) -> Kind:
    for pattern, kind in _KINDS:
        if re.search(pattern, name, re.IGNORECASE):
            return kind
    return "other"


def layer_of(name: str) -> tuple[str, int] | None:
    """What comes before the first number in the name, and that number: together they tell blocks apart."""
    found = re.match(r"((?:[^.]*\.)*?)(\d+)\.", name)
    return (found[1], int(found[2])) if found else None


def files_of(model: Path) -> list[Path]:
    """All files, as `pack` takes them: without what git and huggingface_hub keep for themselves."""
    if model.is_file():
        return [model]
    inside = sorted(path for path in model.rglob("*") if path.is_file())
    own = [path.relative_to(model).as_posix() for path in inside]
    return [
        path
        for path, name in zip(inside, own, strict=True)
        if not name.startswith((".git/", ".cache/huggingface/"))
    ]


def size_of(model: Path) -> int:
    """Bytes of all files."""
    return sum(file.stat().st_size for file in files_of(model))


def remove(model: Path) -> None:
    if model.is_dir():
        shutil.rmtree(model)
    else:
        model.unlink()


def tensors_of(model: Path) -> dict[str, StoredTensor]:
    """By name. In a sub-folder, which may have the same names as another, that of the folder is a part of
    it."""
    tensors = {}
    for shard in files_of(model):
        if shard.suffix != ".safetensors" and shard != model:
            continue
        folder = "" if model in (shard, shard.parent) else f"{shard.parent.relative_to(model)}/"
        with open(shard, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        for own_name, entry in header.items():
            begin, end = entry["data_offsets"]
            name = folder + own_name
            tensors[name] = StoredTensor(
                name, entry["dtype"], tuple(entry["shape"]), shard, 8 + length + begin, end - begin
            )
    return tensors


def pairs_of(base: Path, fine_tune: Path) -> list[tuple[StoredTensor, StoredTensor]]:
    """The tensors of the fine-tune, with the base's where that has one of the same name, type and shape."""
    of_base = tensors_of(base)
    pairs = []
    for tensor in tensors_of(fine_tune).values():
        other = of_base.get(tensor.name)
        if other and (other.dtype, other.shape) == (tensor.dtype, tensor.shape):
            pairs.append((other, tensor))
    return pairs


def first_rows(tensor: StoredTensor, share: float) -> StoredTensor:
    """The tensor cut to that share of its rows, at least one."""
    if not tensor.shape or tensor.elements == 0:
        return tensor
    rows = max(1, round(tensor.shape[0] * share))
    size = tensor.size // tensor.shape[0] * rows
    return replace(tensor, shape=(rows, *tensor.shape[1:]), size=size)


def write_header(file: BinaryIO, tensors: Iterable[tuple[str, str, tuple[int, ...], int]]) -> None:
    """The start of a safetensors file that holds these, each with its size in bytes, in this order."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, dtype, shape, size in tensors:
        header[name] = {
            "dtype": dtype,
            "shape": list(shape),
            "data_offsets": [offset, offset + size],
        }
        offset += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    file.write(struct.pack("<Q", len(text)) + text)


def write_copy(tensors: list[StoredTensor], to: Path) -> None:
    """A file that holds these tensors, copied from where they are."""
    with open(to, "wb") as file:
        write_header(file, ((each.name, each.dtype, each.shape, each.size) for each in tensors))
        file.flush()
        for tensor in tensors:
            with open(tensor.file, "rb") as source:
                _copy(source.fileno(), tensor.offset, tensor.size, file.fileno())


def _copy(source: int, offset: int, size: int, to: int) -> None:
    while size > 0:
        sent = os.sendfile(to, source, offset, size)
        offset += sent
        size -= sent
