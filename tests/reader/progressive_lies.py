"""Progressive archives that lie, as those of lies.py do. They are of the pair `small` of
conftest.py: the one chunk of their second layer is the matrix's, in planes."""

from collections.abc import Callable
from dataclasses import replace

from archive import open_archive
from lies import MATRIX, resealed, set_, shard_of
from lossy_lies import OLDER, other_body
from primitives import hash64
from records import Chunk, Coder, Index
from writer import regions, seal

Change = Callable[[bytes], bytes]

RECORD = 1 + 1 + 8 + 16  # bytes: coder, size of under 128, hashes
MATRIX_BYTES = 2 * MATRIX[0] * MATRIX[1]


def other_index(change: Callable[[Index], None]) -> Change:
    return lambda archive: resealed(archive, change)


def chunk_of(index: Index) -> Chunk:
    return index.second_layer[0]


def other_chunk(**values: object) -> Change:
    return other_index(set_(chunk_of, **values))


def size_by(more: int) -> Change:
    """The second layer says that it has so many bytes more."""

    def change(index: Index) -> None:
        index.second_layer_size += more

    return other_index(change)


def chunk_size_by(more: int) -> Change:
    def change(index: Index) -> None:
        chunk_of(index).size += more

    return other_index(change)


def larger_than_payload(archive: bytes) -> bytes:
    size = open_archive(archive).header.payload + 1
    return resealed(archive, set_(lambda index: index, second_layer_size=size))


def with_second_layer(change: Change) -> Change:
    """Other stored bytes of its chunk, and hashes that fit them."""

    def lie(archive: bytes) -> bytes:
        opened = open_archive(archive)
        stored = change(opened.second_layer[0])
        chunk = chunk_of(opened.index)
        chunk.size, chunk.stored_hash = len(stored), hash64(stored)
        opened.index.second_layer_size = len(stored)
        payload = regions(opened.index, opened.stored, opened.factors, [stored])
        return seal(opened.index, *payload, opened.header.oldest_reader)

    return lie


def chunk_of_an_exact_tensor(index: Index) -> None:
    exact = next(chunk for chunk in index.chunks if chunk.of_tensor and not chunk.tensor.loss)
    index.second_layer.append(replace(exact, coder=Coder.IDENTICAL, size=0))


# How each changes a progressive archive, and what the reader says of it without a base.
PROGRESSIVE_LIES: dict[str, tuple[Change, str]] = {
    "progressive in version 1": (other_body(lambda body: body, OLDER), "unknown flags 6"),
    "not lossy": (other_body(lambda body: b"\4" + body[1:]), "has layers but is not lossy"),
    "not progressive": (
        other_index(set_(lambda i: i, progressive=False)),
        f"leaves {RECORD} bytes behind",
    ),
    "larger than payload": (larger_than_payload, r"the second layer has \d+ of \d+ bytes"),
    "larger": (size_by(1), "sizes in payload do not add up"),
    "smaller": (size_by(-1), "sizes in payload do not add up"),
    "not filled": (chunk_size_by(-1), "sizes in the second layer do not add up"),
    "overfilled": (chunk_size_by(1), "sizes in the second layer do not add up"),
    "no record": (other_body(lambda body: body[:-RECORD]), "0 bytes can't describe 1 chunks"),
    "record cut": (other_body(lambda body: body[:-1]), "ends early"),
    "bytes behind": (other_body(lambda body: body + b"\0"), "leaves 1 bytes behind"),
    "chunk of an exact tensor": (
        other_index(chunk_of_an_exact_tensor),
        "leaves 18 bytes behind",
    ),
    "unknown coder": (other_chunk(coder=4), "unknown coder 4"),
    "raw of another size": (other_chunk(coder=Coder.RAW), "coder 0 can't store a chunk in"),
    "identical with bytes": (other_chunk(coder=Coder.IDENTICAL), "coder 1 can't store a chunk in"),
    "planes as large as raw": (other_chunk(size=MATRIX_BYTES), "store a chunk in 256 bytes"),
    "planes without bytes": (other_chunk(size=0), "can't store a chunk in 0 bytes"),
    "stored hash": (other_chunk(stored_hash=1), "a chunk of tensor 'e' does not match its stored"),
    "unknown mode": (with_second_layer(lambda stored: b"\3" + stored[1:]), "unknown mode 3"),
    "planes cut": (with_second_layer(lambda stored: stored[:-1]), "ends early"),
    "bytes behind planes": (with_second_layer(lambda stored: stored + b"\0"), "leaves 1 bytes"),
}

# The same of lies that show when it is unpacked.
REBUILT_LIES: dict[str, tuple[Change, str]] = {
    "result hash": (
        other_chunk(result_hash=bytes(16)),
        "the second layer of tensor 'e' does not match its result hash at byte 0",
    ),
    "other content": (
        with_second_layer(lambda _: b"\1\1\1\1"),
        "the second layer of tensor 'e' does not match its result hash at byte 0",
    ),
    "SHA-256": (
        other_index(set_(shard_of, packed_sha256=bytes(32))),
        "file 'model.safetensors' does not match its SHA-256",
    ),
}
