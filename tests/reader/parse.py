"""Reads the body of the index, and rejects what section 7 of docs/format.md says."""

import struct
from collections.abc import Iterable

from primitives import DTYPES, Cursor, DamagedError, DType, quoted, tensor_bytes
from records import (
    Base,
    BaseFile,
    BaseTensor,
    Chunk,
    Coder,
    File,
    Index,
    Kind,
    Loss,
    Predictor,
    StoredFactors,
    Stream,
    Tensor,
    base_identity,
    chunk_count,
    empty_chunks,
)

LONGEST_NAME = 512
LONGEST_PATH = 4096
LONGEST_PART = 255
HIGHEST_RANK = 64
EMBEDDED_BELOW = 16384
MOST_FACTOR_BYTES = 1 << 30
INFINITY = 0x7F80  # the upper half of an F32
LEAST_CHUNK_BYTES = 1 + 1 + 16  # coder, size and result hash


def read_general(cursor: Cursor, index: Index, version: int) -> None:
    flags, index.chunk_log2 = cursor.u8(), cursor.u8()
    if flags > (7 if version >= 2 else 1):
        raise DamagedError(f"unknown flags {flags}")
    index.single_file, index.lossy = bool(flags & 1), bool(flags & 2)
    index.progressive = bool(flags & 4)
    if index.progressive and not index.lossy:
        raise DamagedError("an archive has layers but is not lossy")
    if not 12 <= index.chunk_log2 <= 20:
        raise DamagedError(f"chunks of 2^{index.chunk_log2} units")
    if index.progressive:
        index.second_layer_size = cursor.varint()


def read_base(cursor: Cursor) -> Base:
    return Base(cursor.string(LONGEST_NAME), cursor.string(LONGEST_NAME), cursor.hash())


def read_kind(cursor: Cursor) -> tuple[DType, tuple[int, ...]]:
    dtype, rank = cursor.u8(), cursor.u8()
    if dtype >= len(DTYPES):
        raise DamagedError(f"unknown dtype {dtype}")
    if rank > HIGHEST_RANK:
        raise DamagedError(f"a tensor of rank {rank}")
    return DTYPES[dtype], tuple(cursor.varint() for _ in range(rank))


def read_base_tensor(cursor: Cursor, bases: int) -> BaseTensor:
    tensor = BaseTensor(cursor.index(bases, "base"), cursor.string(), *read_kind(cursor))
    check_size(tensor)
    return tensor


def check_size(tensor: BaseTensor | Tensor) -> None:
    try:
        tensor_bytes(tensor.dtype, tensor.shape)
    except DamagedError as error:
        raise DamagedError(f"tensor {quoted(tensor.name)}: {error}") from error


def read_base_tensors(cursor: Cursor, bases: int) -> list[BaseTensor]:
    tensors = [read_base_tensor(cursor, bases) for _ in range(cursor.varint())]
    for tensor in tensors:
        tensor.fingerprint = cursor.hash()
    for tensor in tensors:
        tensor.sample = cursor.u64()
    return tensors


def check_identities(index: Index) -> None:
    for number, base in enumerate(index.bases):
        used = [tensor for tensor in index.base_tensors if tensor.base == number]
        if base_identity(used) != base.identity:
            raise DamagedError(f"the identity of base {number} is not that of its tensors")


def read_path(cursor: Cursor) -> bytes:
    path = cursor.string(LONGEST_PATH)
    parts = path.split(b"/")
    clean = all(0 < len(part) <= LONGEST_PART and part not in (b".", b"..") for part in parts)
    if not clean or b"\0" in path:
        raise DamagedError(f"the path {quoted(path)} is not relative and clean")
    return path


def read_base_file(cursor: Cursor, bases: int) -> BaseFile:
    return BaseFile(cursor.index(bases, "base"), read_path(cursor), cursor.size(), cursor.hash())


def read_tensor(cursor: Cursor, base_tensors: list[BaseTensor]) -> Tensor:
    tensor = Tensor(cursor.string(), *read_kind(cursor))
    check_size(tensor)
    read_prediction(cursor, tensor, base_tensors)
    return tensor


def read_prediction(cursor: Cursor, tensor: Tensor, base_tensors: list[BaseTensor]) -> None:
    number = cursor.u8()
    if number not in list(Predictor):
        raise DamagedError(f"tensor {quoted(tensor.name)} has unknown predictor {number}")
    predictor = tensor.predictor = Predictor(number)
    tensor.base_tensors = tuple(
        cursor.index(len(base_tensors), "base tensor") for _ in range(predictor.bases)
    )
    tensor.factors = tuple(cursor.f32() for _ in range(predictor.factors))
    if predictor == Predictor.LOW_RANK:
        tensor.stored_factors = read_stored_factors(cursor, tensor)
    for base in tensor.base_tensors:
        check_prediction(tensor, base_tensors[base])
    for factor in tensor.factors:
        check_factor(tensor, factor)


def read_stored_factors(cursor: Cursor, tensor: Tensor) -> StoredFactors:
    factors = StoredFactors(cursor.varint(), cursor.u64())
    if len(tensor.shape) < 2:
        raise DamagedError(f"tensor {quoted(tensor.name)} is no matrix")
    if not 0 < factors.size < tensor.nbytes or factors.size > MOST_FACTOR_BYTES:
        raise DamagedError(f"tensor {quoted(tensor.name)} has factors of {factors.size} bytes")
    return factors


def check_prediction(tensor: Tensor, base: BaseTensor) -> None:
    same_rows = len(tensor.shape) == len(base.shape) and tensor.shape[1:] == base.shape[1:]
    may_resize = tensor.predictor != Predictor.COMBINATION
    if not same_rows or not (may_resize or tensor.shape == base.shape):
        raise DamagedError(f"tensor {quoted(tensor.name)} has a base tensor of another shape")
    computes = tensor.predictor not in (Predictor.NONE, Predictor.BASE)
    if tensor.dtype == base.dtype and not computes:
        return
    if not (tensor.dtype.converts and base.dtype.converts):
        raise DamagedError(f"tensor {quoted(tensor.name)} has a base tensor of another dtype")


def check_factor(tensor: Tensor, factor: float) -> None:
    if tensor.predictor == Predictor.SCALED:
        allowed = 0.5 <= factor < 2
    else:
        allowed = 2**-16 <= abs(factor) <= 4
    if not allowed:
        raise DamagedError(f"tensor {quoted(tensor.name)} has a factor of {factor}")


def read_shard(cursor: Cursor, file: File, base_tensors: list[BaseTensor]) -> None:
    form = cursor.u8()
    if form > 1:
        raise DamagedError(f"shard {quoted(file.path)} has unknown header form {form}")
    file.canonical = form == 0
    file.header = cursor.string()
    file.tensors = [read_tensor(cursor, base_tensors) for _ in range(cursor.varint())]
    if len({tensor.name for tensor in file.tensors}) != len(file.tensors):
        raise DamagedError(f"shard {quoted(file.path)} has two tensors of one name")


def read_file(cursor: Cursor, index: Index) -> File:
    path, bits = read_path(cursor), cursor.u8()
    if bits & 0xE0 or bits & 0xF not in list(Kind) or bits == 0x10 | Kind.EMPTY_DIRECTORY:
        raise DamagedError(f"file {quoted(path)} is of unknown kind {bits}")
    file = File(path, Kind(bits & 0xF), executable=bool(bits & 0x10))
    if file.kind == Kind.SHARD:
        read_shard(cursor, file, index.base_tensors)
    if file.kind in (Kind.STORED, Kind.PATCH, Kind.EMBEDDED):
        file.size = cursor.size()
    if file.kind == Kind.EMBEDDED and file.size >= EMBEDDED_BELOW:
        raise DamagedError(f"an embedded file of {file.size} bytes")
    if file.kind in (Kind.PATCH, Kind.REFERENCE):
        file.base_file = cursor.index(len(index.base_files), "base file")
    return file


def check_paths(files: list[File]) -> None:
    seen: set[bytes] = set()
    last = b""
    for path in (file.path for file in files):
        if path <= last:
            raise DamagedError(f"the path {quoted(path)} is not in order")
        # A leading part sorts before the paths below it.
        if any(path[:at] in seen for at, byte in enumerate(path) if byte == ord("/")):
            raise DamagedError(f"the path {quoted(path)} lies below a file")
        seen.add(path)
        last = path


def check_files(index: Index) -> None:
    check_paths(index.files)
    if not index.single_file:
        return
    only_shard = [file.kind for file in index.files] == [Kind.SHARD]
    if not only_shard or b"/" in index.files[0].path:
        raise DamagedError("a single file is not one shard")


def check_all_used(index: Index) -> None:
    tensors = {base for tensor in index.tensors() for base in tensor.base_tensors}
    for number, tensor in enumerate(index.base_tensors):
        if number not in tensors:
            raise DamagedError(f"nothing uses base tensor {quoted(tensor.name)}")
    referring = [file for file in index.files if file.kind in (Kind.PATCH, Kind.REFERENCE)]
    files = {file.base_file for file in referring}
    for number, file in enumerate(index.base_files):
        if number not in files:
            raise DamagedError(f"nothing uses base file {quoted(file.path)}")


CODERS_OF_1 = {Coder.RAW, Coder.IDENTICAL, Coder.PLANES, Coder.WAVELET}
EXACT_CODERS = CODERS_OF_1 | {Coder.SPARSE}
CODERS_OF_2 = EXACT_CODERS | {Coder.STEPS}
SIDE_CODERS = {Coder.RAW, Coder.ZSTD, Coder.PATCH}


def check_coder(chunk: Chunk, coders: set[int]) -> None:
    """`coders` are those that chunks of tensors may have."""
    if chunk.coder not in (coders if chunk.of_tensor else SIDE_CODERS):
        raise DamagedError(f"unknown coder {chunk.coder}")
    is_patch = isinstance(chunk.owner, File) and chunk.owner.kind == Kind.PATCH
    if chunk.has_prefix and not is_patch:
        raise DamagedError("coder patch outside of patch files")


def check_stored_size(chunk: Chunk) -> None:
    if chunk.coder == Coder.RAW:
        sound = chunk.size == chunk.length
    elif chunk.of_tensor and chunk.coder == Coder.IDENTICAL:
        sound = chunk.size == 0
    else:
        sound = 0 < chunk.size < chunk.length
    if not sound:
        raise DamagedError(f"coder {chunk.coder} can't store a chunk in {chunk.size} bytes")


def read_prefix(cursor: Cursor, base_file: BaseFile) -> tuple[int, int]:
    offset, length = cursor.varint(), cursor.varint()
    if length > 4 << 20 or offset + length > base_file.size:
        raise DamagedError(f"a prefix of {length} bytes at {offset} of {quoted(base_file.path)}")
    return offset, length


def read_chunks(
    cursor: Cursor, index: Index, streams: Iterable[Stream], coders: set[int]
) -> list[Chunk]:
    streams = list(streams)
    if chunk_count(streams) * LEAST_CHUNK_BYTES > cursor.left:
        raise DamagedError(f"{cursor.left} bytes can't describe {chunk_count(streams)} chunks")
    chunks = empty_chunks(streams)
    for chunk in chunks:
        chunk.coder = cursor.u8()
        check_coder(chunk, coders)
    for chunk in chunks:
        chunk.size = cursor.varint()
        check_stored_size(chunk)
    for chunk in chunks:
        if chunk.has_prefix:
            chunk.prefix = read_prefix(cursor, index.base_files[chunk.file.base_file])
    for chunk in chunks:
        chunk.stored_hash = cursor.u64() if chunk.size > 0 else 0
    for chunk in chunks:
        chunk.result_hash = cursor.hash()
    return chunks


def read_sha256(cursor: Cursor, files: list[File]) -> None:
    for file in files:
        if file.kind != Kind.EMPTY_DIRECTORY:
            file.sha256 = cursor.take(32)


def read_losses(cursor: Cursor, index: Index) -> None:
    for file in index.shards():
        file.packed_sha256 = cursor.take(32)
    tensors = list(index.tensors())
    marks = cursor.take(len(tensors))
    for tensor, mark in zip(tensors, marks, strict=True):
        if mark > 1:
            raise DamagedError(f"tensor {quoted(tensor.name)} has unknown mark {mark}")
        if mark:
            tensor.loss = Loss(*struct.unpack("<5H", cursor.take(10)))
            largest = max(tensor.loss.relative_error, tensor.loss.largest_error)
            if largest > INFINITY:
                raise DamagedError(f"tensor {quoted(tensor.name)} has an error of {largest:#x}")
    if 1 not in marks:
        raise DamagedError("a lossy archive has no lossy tensor")


def decode_body(body: bytes, version: int) -> Index:
    """The index of an archive for readers of that version."""
    cursor = Cursor(body, "the index")
    index = Index()
    read_general(cursor, index, version)
    index.bases = [read_base(cursor) for _ in range(cursor.varint())]
    index.base_tensors = read_base_tensors(cursor, len(index.bases))
    check_identities(index)
    index.base_files = [read_base_file(cursor, len(index.bases)) for _ in range(cursor.varint())]
    if cursor.varint() != 0:
        raise DamagedError("an archive has tables")
    index.files = [read_file(cursor, index) for _ in range(cursor.varint())]
    check_files(index)
    check_all_used(index)
    coders = CODERS_OF_2 if version >= 2 else CODERS_OF_1
    index.chunks = read_chunks(cursor, index, index.streams(), coders)
    read_sha256(cursor, index.files)
    if index.lossy:
        read_losses(cursor, index)
    if index.progressive:
        streams = index.second_layer_streams()
        index.second_layer = read_chunks(cursor, index, streams, EXACT_CODERS)
    cursor.end()
    return index
