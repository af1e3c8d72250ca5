"""Archives that lie: their hashes are in order, what they say is not."""

import math
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import zstandard

from archive import HEADER_SIZE, Archive, open_archive
from low_rank import Factors, encode_factors, parse_factors
from primitives import DTYPE_BY_NAME, hash64, string, varint
from records import (
    Chunk,
    Coder,
    File,
    Index,
    Kind,
    Predictor,
    StoredFactors,
    Tensor,
    base_identity,
)
from writer import compress, regions, seal

Change = Callable[[Index], None]

MATRIX = (16, 8)  # shape of the only tensor of predictor low rank
ZEROS = 5000  # bytes of the only side file that is stored with coder zstd, see conftest.py


def resealed(archive: bytes, change: Change) -> bytes:
    """The archive with a changed index and hashes that fit it."""
    opened = open_archive(archive)
    change(opened.index)
    side = HEADER_SIZE + opened.header.payload
    regions = archive[HEADER_SIZE:side], archive[side : side + opened.header.side]
    return seal(opened.index, *regions, opened.header.oldest_reader)


def shard_of(index: Index) -> File:
    return next(file for file in index.files if file.kind == Kind.SHARD)


def side_file(index: Index, kind: Kind) -> File:
    return next(file for file in index.files if file.kind == kind)


def first_chunk(index: Index, of_tensor: bool, coder: int) -> Chunk:
    chunks = (c for c in index.chunks if c.of_tensor == of_tensor and c.coder == coder)
    return next(chunks)


def set_(target: Callable[[Index], object], **values: object) -> Change:
    def change(index: Index) -> None:
        for name, value in values.items():
            setattr(target(index), name, value)

    return change


def first_tensor(index: Index) -> Tensor:
    return shard_of(index).tensors[0]


def tensor_called(index: Index, name: str) -> Tensor:
    return next(t for t in shard_of(index).tensors if t.name == name.encode())


def integers(index: Index) -> Tensor:
    return tensor_called(index, "d")


def scaled(factor: float, name: str = "a") -> Change:
    return set_(lambda i: tensor_called(i, name), predictor=Predictor.SCALED, factors=(factor,))


def combined(first: float, second: float, name: str = "b") -> Change:
    def change(index: Index) -> None:
        tensor = tensor_called(index, name)
        tensor.predictor, tensor.factors = Predictor.COMBINATION, (first, second)
        tensor.base_tensors *= 2

    return change


def matrix(index: Index) -> Tensor:
    return tensor_called(index, "e")


def factors_of(size: int, hash_: int = 0) -> Change:
    return set_(matrix, stored_factors=StoredFactors(size, hash_))


def low_rank_vector(index: Index) -> None:
    tensor = tensor_called(index, "a")
    tensor.predictor, tensor.stored_factors = Predictor.LOW_RANK, StoredFactors(10)


def longer_factors(index: Index) -> None:
    tensor = matrix(index)
    tensor.stored_factors = StoredFactors(2**30 + 1)
    tensor.shape = (2**40, *tensor.shape[1:])


def rename_to_same(index: Index) -> None:
    shard_of(index).tensors[1].name = shard_of(index).tensors[0].name


def add_unused_tensor(index: Index) -> None:
    index.base_tensors.append(replace(index.base_tensors[0], base=0))
    fix_identity(index)


def fix_identity(index: Index) -> None:
    for number, base in enumerate(index.bases):
        base.identity = base_identity(t for t in index.base_tensors if t.base == number)


def other_base_shape(index: Index) -> None:
    index.base_tensors[0].shape = (4, 2)


def other_base_dtype(index: Index) -> None:
    index.base_tensors[0].dtype = DTYPE_BY_NAME["I32"]


def swap_paths(index: Index) -> None:
    index.files[0], index.files[1] = index.files[1], index.files[0]


def path(number: int, value: bytes) -> Change:
    return set_(lambda index: index.files[number], path=value)


# What each changes, and what the reader says of it.
LIES: dict[str, tuple[Change, str]] = {
    "flags": (set_(lambda i: i, single_file=2), "unknown flags 2"),
    "chunk size below": (set_(lambda i: i, chunk_log2=11), r"chunks of 2\^11 units"),
    "chunk size above": (set_(lambda i: i, chunk_log2=21), r"chunks of 2\^21 units"),
    "long name": (set_(lambda i: i.bases[0], name=b"n" * 513), "a string of 513 bytes"),
    "identity": (set_(lambda i: i.bases[0], identity=bytes(16)), "the identity of base 0"),
    "fingerprint": (set_(lambda i: i.base_tensors[0], fingerprint=bytes(16)), "the identity of"),
    "unknown base": (set_(lambda i: i.base_tensors[0], base=1), "names base 1 of 1"),
    "unused base tensor": (add_unused_tensor, "nothing uses base tensor 'a'"),
    "unused base file": (
        lambda i: i.base_files.append(i.base_files[0]),
        "nothing uses base file 'merges.txt'",
    ),
    "single file with more": (set_(lambda i: i, single_file=True), "a single file is not one"),
    "path up": (path(0, b"../config.json"), "'../config.json' is not relative and clean"),
    "path with dot": (path(0, b"a/./b"), "is not relative and clean"),
    "absolute path": (path(0, b"/etc/x"), "is not relative and clean"),
    "path with slash behind": (path(0, b"a/"), "is not relative and clean"),
    "path with two slashes": (path(0, b"a//b"), "is not relative and clean"),
    "empty path": (path(0, b""), "is not relative and clean"),
    "path with NUL": (path(0, b"a\0b"), "is not relative and clean"),
    "part too long": (path(0, b"a" * 256), "is not relative and clean"),
    "path too long": (path(0, b"a/" * 2048 + b"a"), "a string of 4097 bytes"),
    "paths not in order": (swap_paths, "is not in order"),
    "path twice": (path(0, b"empty"), "is not in order"),
    "path below a file": (path(2, b"empty/x"), "'empty/x' lies below a file"),
    "base file path": (set_(lambda i: i.base_files[0], path=b"../x"), "not relative and clean"),
    "executable directory": (
        set_(lambda i: side_file(i, Kind.EMPTY_DIRECTORY), executable=True),
        "of unknown kind 21",
    ),
    "unknown kind": (set_(lambda i: i.files[0], kind=6), "of unknown kind 22"),
    "large embedded file": (
        set_(lambda i: side_file(i, Kind.EMBEDDED), size=16384),
        "an embedded file of 16384 bytes",
    ),
    "unknown base file": (
        set_(lambda i: side_file(i, Kind.PATCH), base_file=2),
        "names base file 2 of 2",
    ),
    "tensor twice": (rename_to_same, "two tensors of one name"),
    "rank": (set_(first_tensor, shape=(1,) * 65), "a tensor of rank 65"),
    "broken bytes": (
        set_(first_tensor, dtype=DTYPE_BY_NAME["F4"], shape=(3,)),
        "is not whole bytes",
    ),
    "overflow": (set_(first_tensor, shape=(2**63, 2**63)), "is too large"),
    "size of 2^63": (set_(first_tensor, shape=(2**61,)), "is too large"),
    "more chunks than bytes": (set_(first_tensor, shape=(2**60,)), "can't describe"),
    "large stored file": (set_(lambda i: side_file(i, Kind.STORED), size=2**62), "can't describe"),
    "unknown base tensor": (set_(first_tensor, base_tensors=(3,)), "names base tensor 3 of 3"),
    "unknown predictor": (set_(first_tensor, predictor=255), "unknown predictor 255"),
    "small scale": (scaled(0.49999997), "a factor of 0.499"),
    "large scale": (scaled(2), "a factor of 2"),
    "negative scale": (scaled(-1), "a factor of -1"),
    "infinite scale": (scaled(math.inf), "a factor of inf"),
    "scale that is no number": (scaled(math.nan), "a factor of nan"),
    "scaled integers": (
        set_(integers, predictor=Predictor.SCALED, base_tensors=(0,), factors=(1.0,)),
        "a base tensor of another",
    ),
    "combination by zero": (combined(0, 1), "a factor of 0"),
    "combination by little": (combined(2**-17, 1), "a factor of 7.6"),
    "combination by much": (combined(1, -4.0000005), "a factor of -4.0"),
    "combination by infinity": (combined(1, math.inf), "a factor of inf"),
    "combination by no number": (combined(1, math.nan), "a factor of nan"),
    "resized combination": (combined(1, 1, "a"), "a base tensor of another shape"),
    "unknown second parent": (
        set_(first_tensor, predictor=Predictor.COMBINATION, base_tensors=(0, 3), factors=(1, 1)),
        "names base tensor 3 of 3",
    ),
    "no factors": (factors_of(0), "has factors of 0 bytes"),
    "factors as large as the tensor": (factors_of(256), "has factors of 256 bytes"),
    "factors over 2^30 bytes": (longer_factors, "has factors of 1073741825 bytes"),
    "factors beyond the payload": (factors_of(255), "sizes in payload do not add up"),
    "hash of factors": (set_(lambda i: matrix(i).stored_factors, hash=1), "stored hash"),
    "low rank of no matrix": (low_rank_vector, "tensor 'a' is no matrix"),
    "low rank of integers": (set_(matrix, dtype=DTYPE_BY_NAME["I16"]), "of another dtype"),
    "other shape of base": (other_base_shape, "a base tensor of another shape"),
    "other dtype of base": (other_base_dtype, "a base tensor of another dtype"),
    "unknown tensor coder": (set_(lambda i: first_chunk(i, True, 2), coder=99), "unknown coder 99"),
    "unknown side coder": (set_(lambda i: first_chunk(i, False, 2), coder=3), "unknown coder 3"),
    "patch elsewhere": (
        set_(lambda i: first_chunk(i, False, 1), coder=2),
        "coder patch outside of patch files",
    ),
    "raw of other size": (
        set_(lambda i: first_chunk(i, True, 0), size=5),
        "can't store a chunk in 5",
    ),
    "identical with bytes": (set_(lambda i: first_chunk(i, True, 1), size=5), "in 5 bytes"),
    "planes without bytes": (set_(lambda i: first_chunk(i, True, 2), size=0), "in 0 bytes"),
    "planes as large as raw": (set_(lambda i: first_chunk(i, True, 2), size=36), "in 36 bytes"),
    "zstd as large as raw": (set_(lambda i: first_chunk(i, False, 1), size=ZEROS), "in 5000 bytes"),
    "zstd without bytes": (set_(lambda i: first_chunk(i, False, 1), size=0), "in 0 bytes"),
    "sizes do not add up": (set_(lambda i: first_chunk(i, True, 2), size=9), "do not add up"),
    "prefix outside": (
        set_(lambda i: first_chunk(i, False, Coder.PATCH), prefix=(1, 4 << 20)),
        "a prefix of",
    ),
    "stored hash": (set_(lambda i: first_chunk(i, True, 2), stored_hash=1), "stored hash"),
    "result hash": (set_(lambda i: first_chunk(i, True, 0), result_hash=bytes(16)), "result hash"),
    "sha256": (
        set_(lambda i: i.files[0], sha256=bytes(32)),
        "'config.json' does not match its SHA",
    ),
    "bytes behind": (set_(lambda i: i.files[-1], sha256=bytes(33)), "leaves 1 bytes behind"),
    "end missing": (set_(lambda i: i.files[-1], sha256=b""), "ends early"),
}


class Lie(NamedTuple):
    """Other stored bytes for the first chunk of a coder."""

    of_tensor: bool
    coder: int
    change: Callable[[bytes], bytes]
    message: str
    seen_without_base: bool = True


def seal_parts(opened: Archive, stored: list[bytes], factors: dict[int, bytes]) -> bytes:
    """The archive with other stored bytes of its first layer."""
    new = regions(opened.index, stored, factors, opened.second_layer)
    return seal(opened.index, *new, opened.header.oldest_reader)


def with_stored(archive: bytes, lie: Lie) -> bytes:
    """The archive with other stored bytes of a chunk, and hashes that fit it."""
    opened = open_archive(archive)
    chunks, stored = opened.index.chunks, list(opened.stored)
    chunk = first_chunk(opened.index, lie.of_tensor, lie.coder)
    number = next(number for number, other in enumerate(chunks) if other is chunk)
    stored[number] = lie.change(stored[number])
    chunk.size, chunk.stored_hash = len(stored[number]), hash64(stored[number])
    return seal_parts(opened, stored, opened.factors)


def with_factors(archive: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The archive with another record of the factors of its matrix, and hashes that fit it."""
    opened = open_archive(archive)
    tensor = matrix(opened.index)
    record = change(opened.factors[id(tensor)])
    tensor.stored_factors = StoredFactors(len(record), hash64(record))
    return seal_parts(opened, opened.stored, {id(tensor): record})


def other_factors(change: Callable[[Factors], Factors]) -> Callable[[bytes], bytes]:
    return lambda record: encode_factors(change(parse_factors(record, MATRIX, 1)))


def head(rows: int = 15, columns: int = 8, rank: int = 1, scale: float = 0.5) -> bytes:
    return varint(rows) + varint(columns) + varint(rank) + struct.pack("<f", scale)


def column(*numbers: int) -> bytes:
    """Of folded numbers, with the parameter 15."""
    text = "".join("0" * (n >> 15) + "1" + f"{n & 32767:015b}"[::-1] for n in numbers)
    return b"\x0f" + int(text[::-1], 2).to_bytes(-(-len(text) // 8), "little")


def columns(left: list[int], right: list[int]) -> bytes:
    """Columns of one rank, of folded numbers."""
    return column(*left, *[0] * (15 - len(left))) + column(*right, *[0] * (8 - len(right)))


# What stands for the factors of the matrix of 16 x 8, and what the reader says of it.
FACTOR_LIES: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no rows": (lambda _: head(rows=0) + b"\0" * 30, "0 rows and 8 columns for shape"),
    "no columns": (lambda _: head(columns=0) + b"\0" * 30, "15 rows and 0 columns"),
    "other columns": (lambda _: head(columns=7) + b"\0" * 30, "15 rows and 7 columns"),
    "more rows": (lambda _: head(rows=17) + b"\0" * 30, "17 rows and 8 columns"),
    "no rank": (lambda _: head(rank=0), "a rank of 0"),
    "high rank": (lambda _: head(rank=257) + bytes(200), "a rank of 257"),
    "small scale": (lambda _: head(scale=2.0**-101) + bytes(30), "a scale of 3.9"),
    "large scale": (lambda _: head(scale=2.0**64) + bytes(30), "a scale of 1.8"),
    "negative scale": (lambda _: head(scale=-1) + bytes(30), "a scale of -1"),
    "scale that is no number": (lambda _: head(scale=math.nan) + bytes(30), "a scale of nan"),
    "more values than bits": (lambda _: head(rank=256) + bytes(100), "100 bytes can't hold 5888"),
    "shift": (lambda _: head() + b"\x0f" + columns([1], [1]), "a shift of 15"),
    "parameter": (lambda _: head() + b"\0\x10" + bytes(50), "a Rice parameter of 16"),
    "folded value": (lambda _: head() + b"\0" + columns([65535], [1]), "folded to 65535"),
    "long zeros": (lambda _: head() + b"\0\x0f" + bytes(50), "a column ends early"),
    "shifted value": (lambda _: head() + b"\1" + columns([32768], [1]), "a value of 32768"),
    "sum": (
        lambda _: head(rank=3) + bytes(3) + column(*[65534] * 15) * 3 + column(*[65534] * 8) * 3,
        "sums of up to 3221028867",
    ),
    "bit behind a column": (
        lambda _: head() + b"\0\0" + b"\xff\xff" + b"\0\xff",
        "a set bit behind a column",
    ),
    "cut": (lambda record: record[:-1], "a column ends early"),
    "last column missing": (lambda _: head() + b"\0" + column(*[0] * 15), "a column is missing"),
    "bytes behind": (lambda record: record + b"\0", "8 bits behind the last column"),
    "empty varint": (lambda _: b"\x80\0", "a bad varint"),
}


def wide_frame(size: int) -> bytes:
    """A frame of zeros with a window of 16 MiB."""
    parameters = zstandard.ZstdCompressionParameters(window_log=24, write_content_size=0)
    stream = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    return stream.compress(bytes(size)) + stream.flush()


SKIPPABLE = b"\x50\x2a\x4d\x18\0\0\0\0"

# The first chunk of planes has 9 units of 4 bytes: see conftest.py.
STORED_LIES = {
    "bytes behind planes": Lie(True, 2, lambda stored: stored + b"\0", "leaves 1 bytes behind"),
    "planes cut": Lie(True, 2, lambda stored: stored[:-1], "ends early"),
    "unknown mode": Lie(True, 2, lambda stored: b"\3" + stored[1:], "unknown mode 3"),
    "plane of no frame": Lie(True, 2, lambda _: b"\2\0" * 4, "no magic number"),
    "plane of a wide frame": Lie(
        True, 2, lambda _: b"\2" + string(wide_frame(9)) + b"\1\0" * 3, "a window of 16777216"
    ),
    "plane of more units": Lie(
        True, 2, lambda _: b"\2" + string(compress(bytes(10))) + b"\1\0" * 3, "a zstd frame"
    ),
    "bytes behind a frame": Lie(False, 1, lambda stored: stored + b"\0", "lies in"),
    "two frames": Lie(False, 1, lambda _: compress(bytes(ZEROS - 1)) + compress(b"\0"), "lies in"),
    "skippable before": Lie(False, 1, lambda stored: SKIPPABLE + stored, "no magic number"),
    "skippable behind": Lie(False, 1, lambda stored: stored + SKIPPABLE, "lies in"),
    "wide frame": Lie(False, 1, lambda _: wide_frame(ZEROS), "a window of 16777216"),
    "short frame": Lie(False, 1, lambda _: compress(bytes(ZEROS - 1)), "a zstd frame"),
    "long frame": Lie(False, 1, lambda _: compress(bytes(ZEROS + 1)), "a zstd frame"),
    "short sized frame": Lie(
        False, 1, lambda _: compress(bytes(ZEROS - 1), sized=True), "is for 4999 bytes, not 5000"
    ),
    "other content": Lie(False, 1, lambda _: compress(b"x" * ZEROS), "does not match its result"),
    "cut frame": Lie(False, 1, lambda stored: stored[:-1], "a zstd frame of"),
    "wide patch": Lie(False, 2, lambda _: wide_frame(7538), "a window of 16777216"),
    "other patch": Lie(False, 2, lambda _: compress(bytes(7538)), "does not match", False),
    "bytes behind a patch": Lie(False, 2, lambda stored: stored + b"\0", "lies in"),
}
