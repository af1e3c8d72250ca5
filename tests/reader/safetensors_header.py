"""Headers of safetensors files: reading those of sound files, writing the canonical form."""

import json
import math
from collections.abc import Iterable
from typing import Any, NamedTuple, Protocol

from primitives import DTYPE_BY_NAME, DamagedError, DType, tensor_bytes

ESCAPES = {0x22: rb"\"", 0x5C: rb"\\", 8: rb"\b", 9: rb"\t", 10: rb"\n", 12: rb"\f", 13: rb"\r"}


class Described(Protocol):
    """What a header tells of a tensor."""

    @property
    def name(self) -> bytes: ...
    @property
    def dtype(self) -> DType: ...
    @property
    def shape(self) -> tuple[int, ...]: ...


class TensorPlace(NamedTuple):
    name: bytes
    dtype: DType
    shape: tuple[int, ...]
    begin: int  # offset in the file
    end: int


class ShardHeader(NamedTuple):
    text: bytes
    metadata: bytes  # as written; empty: none
    tensors: list[TensorPlace]  # in order of their data


def unique_members(members: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(members)) != len(members):
        raise DamagedError("a safetensors header has a name twice")
    return dict(members)


def place(name: str, entry: dict[str, Any], data_offset: int) -> TensorPlace:
    begin, end = entry["data_offsets"]
    dtype, shape = DTYPE_BY_NAME[entry["dtype"]], tuple(entry["shape"])
    if end - begin != tensor_bytes(dtype, shape):
        raise DamagedError(f"tensor {name!r} has offsets that do not fit its shape")
    return TensorPlace(name.encode(), dtype, shape, data_offset + begin, data_offset + end)


def metadata_text(text: str) -> bytes:
    """The value of a `__metadata__` that comes first and is written without white space."""
    opening = '{"__metadata__":'
    if not text.startswith(opening + "{"):
        return b""
    _, end = json.JSONDecoder().raw_decode(text, len(opening))
    return text[len(opening) : end].encode()


def parse_shard(data: bytes) -> ShardHeader:
    """The header of the safetensors file `data`; raises DamagedError where it is not one."""
    data_offset = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or data_offset > len(data) or data[8:9] != b"{":
        raise DamagedError("not a safetensors file")
    try:
        text = data[8:data_offset].decode()
        members = json.loads(text, object_pairs_hook=unique_members)
        members.pop("__metadata__", None)
        tensors = [place(name, entry, data_offset) for name, entry in members.items()]
        metadata = metadata_text(text)
    except (KeyError, TypeError, UnicodeError, ValueError) as error:
        raise DamagedError(f"not a safetensors file: {error!r}") from error
    tensors.sort(key=lambda tensor: (tensor.begin, tensor.end))
    ends = [data_offset] + [tensor.end for tensor in tensors]
    if [tensor.begin for tensor in tensors] != ends[:-1] or ends[-1] != len(data):
        raise DamagedError("a safetensors file has gaps or overlaps")
    return ShardHeader(data[8:data_offset], metadata, tensors)


def escaped(name: bytes) -> bytes:
    plain = {byte: bytes([byte]) if byte >= 32 else b"\\u%04x" % byte for byte in range(256)}
    return b"".join((plain | ESCAPES)[byte] for byte in name)


def canonical_header(metadata: bytes, tensors: Iterable[Described]) -> bytes:
    members = [b'"__metadata__":' + metadata] if metadata else []
    begin = 0
    for tensor in tensors:
        end = begin + tensor_bytes(tensor.dtype, tensor.shape)
        shape = ",".join(map(str, tensor.shape))
        rest = f'"dtype":"{tensor.dtype.name}","shape":[{shape}],"data_offsets":[{begin},{end}]'
        members.append(b'"' + escaped(tensor.name) + b'":{' + rest.encode() + b"}")
        begin = end
    text = b"{" + b",".join(members) + b"}"
    return text.ljust(math.ceil(len(text) / 8) * 8)
