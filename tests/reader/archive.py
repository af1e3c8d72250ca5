"""The file around payload, side and index (sections 2 and 3 of docs/format.md)."""

import re
from dataclasses import dataclass

from frames import decompress
from parse import decode_body
from primitives import (
    LARGEST_SIZE,
    Cursor,
    DamagedError,
    UnsupportedVersionError,
    hash64,
    hash128,
    quoted,
    u64,
)
from records import Chunk, Index, Predictor

HEADER_SIZE = 512
KNOWN_VERSION = 2
NUMBER = rb"(0|[1-9][0-9]{0,18})"
START = re.compile(
    rb'\{"__metadata__":\{"format":"finedelta","version":"' + NUMBER
    + rb'","oldest_reader":"' + NUMBER + rb'"'
)  # fmt: skip
SIZES = re.compile(
    rb'"finedelta\.payload":\{"dtype":"U8","shape":\[' + NUMBER
    + rb'\].*"finedelta\.side":\{"dtype":"U8","shape":\[' + NUMBER
    + rb'\].*"finedelta\.index":\{"dtype":"U8","shape":\[' + NUMBER + rb"\]"
)  # fmt: skip


@dataclass(frozen=True)
class Header:
    version: int
    oldest_reader: int
    payload: int
    side: int
    index: int

    def encode(self) -> bytes:
        """The only spelling of the first 512 bytes."""
        digest = hash128(self._spell("0" * 32)).hex()
        return self._spell(digest)

    def _spell(self, digest: str) -> bytes:
        side, index = self.payload + self.side, self.payload + self.side + self.index
        text = (
            f'{{"__metadata__":{{"format":"finedelta","version":"{self.version}",'
            f'"oldest_reader":"{self.oldest_reader}","xxh3_128":"{digest}"}},'
            f'"finedelta.payload":{{"dtype":"U8","shape":[{self.payload}],'
            f'"data_offsets":[0,{self.payload}]}},'
            f'"finedelta.side":{{"dtype":"U8","shape":[{self.side}],'
            f'"data_offsets":[{self.payload},{side}]}},'
            f'"finedelta.index":{{"dtype":"U8","shape":[{self.index}],'
            f'"data_offsets":[{side},{index}]}}}}'
        )
        return u64(HEADER_SIZE - 8) + text.encode().ljust(HEADER_SIZE - 8)


@dataclass(frozen=True)
class Archive:
    header: Header
    body: bytes
    index: Index
    stored: list[bytes]  # of index.chunks
    second_layer: list[bytes]  # of index.second_layer
    factors: dict[int, bytes]  # of tensors of predictor low rank, by their id()


def check_versions(version: int, oldest_reader: int) -> None:
    if version == oldest_reader == 0:
        raise UnsupportedVersionError("the archive is of version 0")
    if not 1 <= oldest_reader <= version:
        raise DamagedError(f"version {version} asks for a reader of version {oldest_reader}")
    if oldest_reader > KNOWN_VERSION:
        raise UnsupportedVersionError(f"the archive needs a reader of version {oldest_reader}")


def parse_header(data: bytes) -> Header:
    start = START.match(data, 8, HEADER_SIZE)
    if not start:
        raise DamagedError("this is not a finedelta archive")
    version, oldest_reader = (int(digits) for digits in start.groups())
    check_versions(version, oldest_reader)
    sizes = SIZES.search(data, start.end(), HEADER_SIZE)
    if not sizes:
        raise DamagedError("the header does not name payload, side and index")
    header = Header(version, oldest_reader, *(int(digits) for digits in sizes.groups()))
    if header.encode() != data[:HEADER_SIZE]:
        raise DamagedError("the header is not in its only spelling")
    length = HEADER_SIZE + header.payload + header.side + header.index
    if length != len(data) or length > LARGEST_SIZE:
        raise DamagedError(f"the file has {len(data)} bytes, its header says {length}")
    return header


def parse_index(data: bytes) -> bytes:
    """The body of the index."""
    cursor = Cursor(data, "the start of the index")
    if cursor.hash() != hash128(data[16:]):
        raise DamagedError("the index does not match its hash")
    return decompress(data[24:], cursor.u64())


class Region:
    """Payload or side, cut into what lies in it one after another."""

    def __init__(self, data: bytes, what: str, total: int) -> None:
        if total != len(data):
            raise DamagedError(f"the sizes in {what} do not add up to its {len(data)} bytes")
        self._cursor = Cursor(data, what)

    def take(self, size: int, hash_: int, name: str) -> bytes:
        piece = self._cursor.take(size)
        if piece and hash64(piece) != hash_:
            raise DamagedError(f"{name} does not match its stored hash")
        return piece

    def chunks(self, chunks: list[Chunk]) -> list[bytes]:
        return [
            self.take(chunk.size, chunk.stored_hash, f"a chunk of {owner_name(chunk)}")
            for chunk in chunks
        ]


def cut_payload(data: bytes, index: Index) -> tuple[dict[int, bytes], list[bytes]]:
    """Factors of tensors by their id(), and the stored bytes of the tensors' chunks."""
    chunks = [chunk for chunk in index.chunks if chunk.of_tensor]
    sizes = [chunk.size for chunk in chunks]
    sizes += [tensor.stored_factors.size for tensor in index.tensors()]
    region = Region(data, "payload", sum(sizes))
    factors: dict[int, bytes] = {}
    stored: list[bytes] = []
    for tensor in index.tensors():
        if tensor.predictor == Predictor.LOW_RANK:
            size, hash_ = tensor.stored_factors.size, tensor.stored_factors.hash
            name = f"the record of the factors of {quoted(tensor.name)}"
            factors[id(tensor)] = region.take(size, hash_, name)
        stored += region.chunks(chunks[len(stored) :][: index.chunks_of(tensor)])
    return factors, stored


def split_payload(data: bytes, index: Index) -> tuple[bytes, bytes]:
    """The first layer's part and the second's."""
    end = len(data) - index.second_layer_size
    if end < 0:
        raise DamagedError(f"the second layer has {index.second_layer_size} of {len(data)} bytes")
    return data[:end], data[end:]


def cut_second_layer(data: bytes, index: Index) -> list[bytes]:
    chunks = index.second_layer
    return Region(data, "the second layer", sum(chunk.size for chunk in chunks)).chunks(chunks)


def cut_side(data: bytes, index: Index) -> list[bytes]:
    chunks = [chunk for chunk in index.chunks if not chunk.of_tensor]
    return Region(data, "side", sum(chunk.size for chunk in chunks)).chunks(chunks)


def open_archive(data: bytes) -> Archive:
    """Checks everything that needs no decoding of chunks."""
    header = parse_header(data)
    side = HEADER_SIZE + header.payload
    body = parse_index(data[side + header.side :])
    index = decode_body(body, header.oldest_reader)
    payload, rest = split_payload(data[HEADER_SIZE:side], index)
    factors, stored = cut_payload(payload, index)
    stored += cut_side(data[side : side + header.side], index)
    second_layer = cut_second_layer(rest, index)
    return Archive(header, body, index, stored, second_layer, factors)


def owner_name(chunk: Chunk) -> str:
    if chunk.owner is None:
        return "the bundle"
    if chunk.of_tensor:
        return f"tensor {quoted(chunk.tensor.name)}"
    return f"file {quoted(chunk.file.path)}"
