"""The records of the index (section 3 of docs/format.md) and how they are written."""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass, field
from enum import IntEnum

from primitives import DTYPES, PIECE, DType, hash128, string, tensor_bytes, u64, varint


class Kind(IntEnum):
    SHARD = 0
    STORED = 1
    PATCH = 2
    EMBEDDED = 3
    REFERENCE = 4
    EMPTY_DIRECTORY = 5


class Predictor(IntEnum):
    NONE = 0
    BASE = 1
    SCALED = 2
    COMBINATION = 3
    LOW_RANK = 4

    @property
    def bases(self) -> int:
        return (0, 1, 1, 2, 1)[self]

    @property
    def factors(self) -> int:
        return (0, 0, 1, 2, 0)[self]


class Coder:
    """The same numbers name other coders in chunks of tensors and of side files."""

    RAW = 0
    IDENTICAL, PLANES, WAVELET, STEPS, SPARSE = 1, 2, 3, 4, 5
    ZSTD, PATCH = 1, 2


@dataclass
class Base:
    name: bytes
    revision: bytes
    identity: bytes


@dataclass
class BaseTensor:
    base: int
    name: bytes
    dtype: DType
    shape: tuple[int, ...]
    fingerprint: bytes = b""
    sample: int = 0

    @property
    def nbytes(self) -> int:
        return tensor_bytes(self.dtype, self.shape)


@dataclass
class BaseFile:
    base: int
    path: bytes
    size: int
    hash: bytes


@dataclass
class StoredFactors:
    """What the index says of the factors of predictor low rank; 0 for other predictors."""

    size: int = 0
    hash: int = 0


@dataclass
class Loss:
    """How near a lossy tensor is, as it is stored: see losses.py."""

    relative_error: int
    largest_error: int
    cosine: int
    sign_agreement: int
    zeros: int


@dataclass
class Tensor:
    name: bytes
    dtype: DType
    shape: tuple[int, ...]
    predictor: Predictor = Predictor.NONE
    base_tensors: tuple[int, ...] = ()  # as many as the predictor takes
    factors: tuple[float, ...] = ()
    stored_factors: StoredFactors = field(default_factory=StoredFactors)
    loss: Loss | None = None

    @property
    def nbytes(self) -> int:
        return tensor_bytes(self.dtype, self.shape)


@dataclass
class File:
    path: bytes
    kind: Kind
    executable: bool = False
    size: int = 0  # of stored, patch and embedded files
    base_file: int = 0  # of patches and references
    canonical: bool = False  # these four: of shards
    header: bytes = b""
    tensors: list[Tensor] = field(default_factory=list)
    packed_sha256: bytes = b""  # of what was packed, in lossy archives
    sha256: bytes = b""


@dataclass
class Chunk:
    owner: Tensor | File | None  # None: the bundle
    start: int  # first byte in the owner
    length: int  # bytes that the chunk stands for
    coder: int = 0
    size: int = 0
    prefix: tuple[int, int] = (0, 0)
    stored_hash: int = 0
    result_hash: bytes = b""

    @property
    def of_tensor(self) -> bool:
        return isinstance(self.owner, Tensor)

    @property
    def has_prefix(self) -> bool:
        return not self.of_tensor and self.coder == Coder.PATCH

    @property
    def tensor(self) -> Tensor:
        """The owner of a chunk of a tensor."""
        assert isinstance(self.owner, Tensor)
        return self.owner

    @property
    def file(self) -> File:
        """The owner of a chunk of a stored or patch file."""
        assert isinstance(self.owner, File)
        return self.owner


# What is cut into chunks: owner of the chunks, bytes, bytes of a chunk.
Stream = tuple[Tensor | File | None, int, int]


@dataclass
class Index:
    single_file: bool = False
    lossy: bool = False
    progressive: bool = False
    chunk_log2: int = 18
    second_layer_size: int = 0  # bytes of the payload
    bases: list[Base] = field(default_factory=list)
    base_tensors: list[BaseTensor] = field(default_factory=list)
    base_files: list[BaseFile] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    chunks: list[Chunk] = field(default_factory=list)
    second_layer: list[Chunk] = field(default_factory=list)

    def shards(self) -> Iterator[File]:
        return (file for file in self.files if file.kind == Kind.SHARD)

    def tensors(self) -> Iterator[Tensor]:
        for file in self.files:
            yield from file.tensors

    def lossy_tensors(self) -> Iterator[Tensor]:
        return (tensor for tensor in self.tensors() if tensor.loss is not None)

    def stream(self, tensor: Tensor) -> Stream:
        return tensor, tensor.nbytes, tensor.dtype.unit << self.chunk_log2

    def streams(self) -> Iterator[Stream]:
        """Those of the chunks, in their order."""
        yield from map(self.stream, self.tensors())
        yield None, sum(file.size for file in self.files if file.kind == Kind.EMBEDDED), PIECE
        for file in self.files:
            if file.kind in (Kind.STORED, Kind.PATCH):
                yield file, file.size, PIECE

    def second_layer_streams(self) -> Iterator[Stream]:
        return map(self.stream, self.lossy_tensors())

    def chunks_of(self, tensor: Tensor) -> int:
        return chunk_count([self.stream(tensor)])


def chunk_count(streams: Iterable[Stream]) -> int:
    return sum(-(-size // piece) for _, size, piece in streams)


def empty_chunks(streams: Iterable[Stream]) -> list[Chunk]:
    return [
        Chunk(owner, start, min(piece, size - start))
        for owner, size, piece in streams
        for start in range(0, size, piece)
    ]


def base_identity(tensors: Iterable[BaseTensor]) -> bytes:
    """The identity of a base of which `tensors` are used."""
    ordered = sorted((tensor.name, tensor.fingerprint) for tensor in tensors)
    return hash128(b"".join(u64(len(name)) + name + print_ for name, print_ in ordered))


def encode_list(encoded: list[bytes]) -> bytes:
    return varint(len(encoded)) + b"".join(encoded)


def encode_kind(dtype: DType, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(varint(dimension) for dimension in shape)
    return bytes([DTYPES.index(dtype), len(shape)]) + dimensions


def encode_bases(bases: list[Base]) -> bytes:
    return encode_list(
        [string(base.name) + string(base.revision) + base.identity for base in bases]
    )


def encode_base_tensors(tensors: list[BaseTensor]) -> bytes:
    records = [
        varint(tensor.base) + string(tensor.name) + encode_kind(tensor.dtype, tensor.shape)
        for tensor in tensors
    ]
    fingerprints = b"".join(tensor.fingerprint for tensor in tensors)
    return encode_list(records) + fingerprints + b"".join(u64(tensor.sample) for tensor in tensors)


def encode_base_files(files: list[BaseFile]) -> bytes:
    return encode_list(
        [varint(file.base) + string(file.path) + varint(file.size) + file.hash for file in files]
    )


def encode_tensor(tensor: Tensor) -> bytes:
    prediction = bytes([tensor.predictor]) + b"".join(map(varint, tensor.base_tensors))
    prediction += b"".join(struct.pack("<f", factor) for factor in tensor.factors)
    if tensor.predictor == Predictor.LOW_RANK:
        prediction += varint(tensor.stored_factors.size) + u64(tensor.stored_factors.hash)
    return string(tensor.name) + encode_kind(tensor.dtype, tensor.shape) + prediction


def encode_shard(file: File) -> bytes:
    form = b"\0" if file.canonical else b"\1"
    return form + string(file.header) + encode_list([encode_tensor(t) for t in file.tensors])


def encode_file(file: File) -> bytes:
    encoded = string(file.path) + bytes([file.kind | file.executable << 4])
    if file.kind == Kind.SHARD:
        encoded += encode_shard(file)
    if file.kind in (Kind.STORED, Kind.PATCH, Kind.EMBEDDED):
        encoded += varint(file.size)
    if file.kind in (Kind.PATCH, Kind.REFERENCE):
        encoded += varint(file.base_file)
    return encoded


def encode_chunks(chunks: list[Chunk]) -> bytes:
    fields = [bytes(chunk.coder for chunk in chunks)]
    fields += [varint(chunk.size) for chunk in chunks]
    for chunk in chunks:
        if chunk.has_prefix:
            fields += [varint(number) for number in chunk.prefix]
    fields += [u64(chunk.stored_hash) for chunk in chunks if chunk.size > 0]
    fields += [chunk.result_hash for chunk in chunks]
    return b"".join(fields)


def encode_losses(index: Index) -> bytes:
    losses = [tensor.loss for tensor in index.tensors()]
    parts = [file.packed_sha256 for file in index.shards()]
    parts.append(bytes(loss is not None for loss in losses))
    parts += [struct.pack("<5H", *astuple(loss)) for loss in losses if loss is not None]
    return b"".join(parts)


def encode_general(index: Index) -> bytes:
    flags = index.single_file | index.lossy << 1 | index.progressive << 2
    size = varint(index.second_layer_size) if index.progressive else b""
    return bytes([flags, index.chunk_log2]) + size


def encode_body(index: Index) -> bytes:
    parts = [
        encode_general(index),
        encode_bases(index.bases),
        encode_base_tensors(index.base_tensors),
        encode_base_files(index.base_files),
        encode_list([]),
        encode_list([encode_file(file) for file in index.files]),
        encode_chunks(index.chunks),
        b"".join(file.sha256 for file in index.files),
        encode_losses(index) if index.lossy else b"",
        encode_chunks(index.second_layer),
    ]
    return b"".join(parts)
