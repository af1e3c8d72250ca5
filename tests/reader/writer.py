"""A naive writer of finedelta archives, written from docs/format.md alone, to test readers with.

It stores what is easy to store and compresses little; it reads everything into memory.
"""

import contextlib
import hashlib
import math
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import zstandard

import sparse
import steps
from archive import Header
from bases import fingerprint, sample
from coders import CONSTANT_PLANE, RAW_PLANE, ZSTD_PLANE, predict
from losses import loss_of
from low_rank import Factors, encode_factors, made_up
from primitives import DamagedError, hash64, hash128, string, u64
from records import (
    Base,
    BaseFile,
    BaseTensor,
    Chunk,
    Coder,
    File,
    Index,
    Kind,
    Predictor,
    StoredFactors,
    Tensor,
    base_identity,
    empty_chunks,
    encode_body,
)
from safetensors_header import ShardHeader, TensorPlace, canonical_header, parse_shard

EMBEDDED_BELOW = 4096  # larger side files are stored apart, or patched
LONGEST_PREFIX = 4 << 20

CoderChoice = Callable[[Chunk, bytes, bytes], int]  # of chunk, result and prediction


def planes_pay(chunk: Chunk, result: bytes, prediction: bytes) -> bool:
    return len(encode_planes(result, prediction, chunk.tensor.dtype.unit)) < len(result)


def sparse_pays(chunk: Chunk, result: bytes, prediction: bytes) -> bool:
    stored = sparse.encode_chunk(result, prediction, chunk.tensor.dtype.unit)
    return stored is not None and len(stored) < len(result)


def smallest_coder(chunk: Chunk, result: bytes, prediction: bytes) -> int:
    if result == prediction:
        return Coder.IDENTICAL
    return Coder.PLANES if planes_pay(chunk, result, prediction) else Coder.RAW


def always(coder: int) -> CoderChoice:
    """`coder` wherever it can be used."""

    def choose(chunk: Chunk, result: bytes, prediction: bytes) -> int:
        if coder == Coder.IDENTICAL and result != prediction:
            return Coder.RAW
        if coder == Coder.PLANES and not planes_pay(chunk, result, prediction):
            return Coder.RAW
        if coder == Coder.SPARSE and not sparse_pays(chunk, result, prediction):
            return Coder.RAW
        return coder

    return choose


@dataclass
class Options:
    chunk_log2: int = 18
    tensor_coder: CoderChoice = smallest_coder
    canonical: bool = True  # headers where they are in canonical form
    name: bytes = b""  # of the bases
    revision: bytes = b""
    sized_frames: bool = False  # of side files
    factors: tuple[float, ...] = ()  # one: scaled predictions; two: combinations
    low_rank: tuple[int, float] | None = None  # rank and scale of made-up factors, where they fit
    adaptive: bool = False  # the code of factors
    lossy: bool = False  # where there are factors, what they predict comes out
    step: float | None = None  # of lossy archives: what is predicted is moved by multiples of it
    progressive: bool = False  # if lossy: a second layer makes it exact


@dataclass
class Source:
    """A checkpoint in memory."""

    single_file: bool
    contents: dict[bytes, bytes] = field(default_factory=dict)
    empty_directories: list[bytes] = field(default_factory=list)
    executable: dict[bytes, bool] = field(default_factory=dict)
    shards: dict[bytes, ShardHeader] = field(default_factory=dict)


@dataclass
class Match:
    """A base tensor that a tensor may be predicted from."""

    base: int
    path: bytes  # of the shard
    place: TensorPlace
    data: bytes


def compress(data: bytes, prefix: bytes = b"", sized: bool = False) -> bytes:
    """A frame; where it is `sized`, one with content size, checksum and a single segment."""
    dictionary = None
    if prefix:
        kind = zstandard.DICT_TYPE_RAWCONTENT
        dictionary = zstandard.ZstdCompressionDict(prefix, dict_type=kind)
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3, window_log=23, write_checksum=sized, write_content_size=sized
    )
    compressor = zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters)
    if sized:
        return compressor.compress(data)
    stream = compressor.compressobj()
    return stream.compress(data) + stream.flush()


def encode_plane(plane: bytes) -> bytes:
    if plane == plane[:1] * len(plane):
        return bytes([CONSTANT_PLANE]) + plane[:1]
    compressed = bytes([ZSTD_PLANE]) + string(compress(plane))
    return compressed if len(compressed) <= len(plane) else bytes([RAW_PLANE]) + plane


def encode_planes(result: bytes, prediction: bytes, width: int) -> bytes:
    difference = np.frombuffer(result, np.uint8) ^ np.frombuffer(prediction, np.uint8)
    planes = difference.reshape(-1, width).T
    return b"".join(encode_plane(plane.tobytes()) for plane in planes)


def read_checkpoint(root: Path) -> Source:
    source = Source(single_file=root.is_file())
    paths = [root] if source.single_file else sorted(root.rglob("*"))
    for path in paths:
        name = os.fsencode(path.name if source.single_file else path.relative_to(root))
        if path.is_dir():
            if not any(path.iterdir()):
                source.empty_directories.append(name)
            continue
        source.contents[name] = path.read_bytes()
        source.executable[name] = bool(path.stat().st_mode & stat.S_IXUSR)
        if name.endswith(b".safetensors"):
            # Where it is no shard after all, it is a side file.
            with contextlib.suppress(DamagedError):
                source.shards[name] = parse_shard(source.contents[name])
    return source


class Writer:
    def __init__(self, bases: Sequence[Path], fine_tune: Path, options: Options) -> None:
        self._options = options
        self._bases = [read_checkpoint(base) for base in bases]
        self._source = read_checkpoint(fine_tune)
        self._index = Index(self._source.single_file, chunk_log2=options.chunk_log2)
        self._base_tensors: list[Match] = []
        self._data: dict[int, bytes] = {}  # of owners of chunks by their id()
        self._factors: dict[int, Factors] = {}  # of tensors by their id()
        self._records: dict[int, bytes] = {}  # of those factors
        self._is_newer = False  # whether a chunk needs a reader of version 2
        self._steps: dict[tuple[int, int], bytes] = {}  # of chunks, by owner's id() and start
        self._packed: dict[int, bytes] = {}  # the data of lossy tensors by their id()

    def archive(self) -> bytes:
        index = self._index
        index.files = [self._file(path) for path in self._source.contents]
        index.files += [File(path, Kind.EMPTY_DIRECTORY) for path in self._source.empty_directories]
        index.files.sort(key=lambda file: file.path)
        embedded = (file for file in index.files if file.kind == Kind.EMBEDDED)
        self._data[id(None)] = b"".join(self._source.contents[file.path] for file in embedded)
        index.chunks = empty_chunks(index.streams())
        stored = [self._encode(chunk) for chunk in index.chunks]
        self._record_bases()
        index.lossy = any(index.lossy_tensors())
        index.progressive = index.lossy and self._options.progressive
        second_layer = self._second_layer() if index.progressive else []
        is_newer = self._is_newer or index.lossy or (self._options.adaptive and self._records)
        both = regions(index, stored, self._records, second_layer)
        return seal(index, *both, 2 if is_newer else 1)

    def _second_layer(self) -> list[bytes]:
        """The stored bytes of its chunks, which are recorded."""
        index = self._index
        index.second_layer = empty_chunks(index.second_layer_streams())
        stored = [self._encode_rest(chunk) for chunk in index.second_layer]
        index.second_layer_size = sum(map(len, stored))
        return stored

    def _record_bases(self) -> None:
        """Records the bases that are used, and numbers them anew."""
        users: list[BaseTensor | BaseFile] = [*self._index.base_tensors, *self._index.base_files]
        used = sorted({user.base for user in users})
        for user in users:
            user.base = used.index(user.base)
        for number in range(len(used)):
            tensors = [tensor for tensor in self._index.base_tensors if tensor.base == number]
            name, revision = self._options.name, self._options.revision
            self._index.bases.append(Base(name, revision, base_identity(tensors)))

    def _file(self, path: bytes) -> File:
        content = self._source.contents[path]
        if path in self._source.shards:
            file = self._shard(path, content)
        else:
            file = self._side_file(path, content)
        file.executable = self._source.executable[path]
        return file

    def _shard(self, path: bytes, content: bytes) -> File:
        header = self._source.shards[path]
        file = File(path, Kind.SHARD)
        file.canonical = self._options.canonical and header.text == canonical_header(
            header.metadata, header.tensors
        )
        file.header = header.metadata if file.canonical else header.text
        for place in header.tensors:
            tensor = self._tensor(place)
            data = content[place.begin : place.end]
            self._data[id(tensor)] = self._lossy(tensor, data) if self._options.lossy else data
            file.tensors.append(tensor)
        out = b"".join(self._data[id(tensor)] for tensor in file.tensors)
        file.packed_sha256 = hashlib.sha256(content).digest()
        file.sha256 = hashlib.sha256(content[: len(content) - len(out)] + out).digest()
        return file

    def _lossy(self, tensor: Tensor, data: bytes) -> bytes:
        """What comes out for the data of a tensor."""
        if tensor.predictor != Predictor.LOW_RANK and not self._may_be_moved(tensor):
            return data
        (match,) = self._matches(tensor)
        dtype = match.place.dtype
        whole = Chunk(tensor, 0, tensor.nbytes)
        out = predict(whole, [(dtype, match.data)], self._factors.get(id(tensor)))
        out = self._moved(tensor, data, out)
        if out != data:
            tensor.loss = loss_of(match.data, dtype, data, out, tensor.dtype)
            self._packed[id(tensor)] = data
        return out

    def _may_be_moved(self, tensor: Tensor) -> bool:
        is_matrix = tensor.dtype.converts and len(tensor.shape) >= 2
        return self._options.step is not None and tensor.predictor == Predictor.BASE and is_matrix

    def _moved(self, tensor: Tensor, data: bytes, prediction: bytes) -> bytes:
        """The prediction, chunk by chunk moved towards the data where that takes fewer bytes."""
        if self._options.step is None:
            return prediction
        out = b""
        columns = math.prod(tensor.shape[1:])
        size = tensor.dtype.unit << self._options.chunk_log2
        for start in range(0, len(data), size):
            chunk = prediction[start : start + size]
            unit = start // tensor.dtype.unit
            found = steps.towards(
                chunk, data[start : start + size], tensor.dtype, self._options.step, columns, unit
            )
            coded = steps.encode(found) if found else b""
            if found and len(coded) < len(chunk):
                self._steps[id(tensor), start] = coded
                chunk = steps.apply(found, chunk, tensor.dtype)
            out += chunk
        return out

    def _matches(self, tensor: Tensor) -> list[Match]:
        return [self._base_tensors[number] for number in tensor.base_tensors]

    def _side_file(self, path: bytes, content: bytes) -> File:
        small = len(content) < EMBEDDED_BELOW
        number = self._base_with(path)
        sha256 = hashlib.sha256(content).digest()
        if number is not None and self._bases[number].contents[path] == content:
            base_file = self._base_file(number, path)
            return File(path, Kind.REFERENCE, base_file=base_file, sha256=sha256)
        kind = Kind.EMBEDDED if small else Kind.STORED
        file = File(path, kind, size=len(content), sha256=sha256)
        if number is not None and not small:
            file.kind, file.base_file = Kind.PATCH, self._base_file(number, path)
        self._data[id(file)] = content
        return file

    def _base_with(self, path: bytes) -> int | None:
        """The first base with a side file of that path."""
        for number, base in enumerate(self._bases):
            if path in base.contents and path not in base.shards:
                return number
        return None

    def _base_file(self, number: int, path: bytes) -> int:
        content = self._bases[number].contents[path]
        self._index.base_files.append(BaseFile(number, path, len(content), hash128(content)))
        return len(self._index.base_files) - 1

    def _tensor(self, place: TensorPlace) -> Tensor:
        tensor = Tensor(place.name, place.dtype, place.shape)
        found = [self._match(place, number) for number in range(len(self._bases))]
        matches = [match for match in found if match is not None]
        if not matches:
            return tensor
        tensor.predictor, tensor.factors = self._predictor(place, matches)
        if tensor.predictor == Predictor.BASE:
            self._try_low_rank(tensor, matches[0].place)
        # Where there is one base only, it is both parents.
        used = (matches * 2)[: tensor.predictor.bases]
        tensor.base_tensors = tuple(self._base_tensor(match) for match in used)
        return tensor

    def _try_low_rank(self, tensor: Tensor, base: TensorPlace) -> None:
        converts = tensor.dtype.converts and base.dtype.converts
        if self._options.low_rank is None or not converts or len(tensor.shape) < 2:
            return
        factors = made_up(tensor.shape, *self._options.low_rank)
        if factors is None:
            return
        if self._options.adaptive:
            factors = replace(factors, shifts=np.sort(factors.shifts))
        record = encode_factors(factors, self._options.adaptive)
        if len(record) < tensor.nbytes:
            tensor.predictor = Predictor.LOW_RANK
            tensor.stored_factors = StoredFactors(len(record), hash64(record))
            self._factors[id(tensor)], self._records[id(tensor)] = factors, record

    def _predictor(
        self, place: TensorPlace, matches: list[Match]
    ) -> tuple[Predictor, tuple[float, ...]]:
        """The predictor for as many factors as the options say, where it may be used."""
        factors = self._options.factors
        kinds = [place, *(match.place for match in matches[:2])]
        if not factors or not all(kind.dtype.converts for kind in kinds):
            return Predictor.BASE, ()
        if len(factors) == 1:
            return Predictor.SCALED, factors
        if any(kind.shape != place.shape for kind in kinds):
            return Predictor.BASE, ()
        return Predictor.COMBINATION, factors

    def _base_tensor(self, match: Match) -> int:
        for number, known in enumerate(self._base_tensors):
            if known == match:
                return number
        self._base_tensors.append(match)
        record = BaseTensor(match.base, match.place.name, match.place.dtype, match.place.shape)
        record.fingerprint = fingerprint(record.dtype, record.shape, match.data)
        record.sample = sample(match.data)
        self._index.base_tensors.append(record)
        return len(self._base_tensors) - 1

    def _match(self, place: TensorPlace, number: int) -> Match | None:
        base = self._bases[number]
        for path, shard in base.shards.items():
            for candidate in shard.tensors:
                if candidate.name == place.name and fits(place, candidate):
                    data = base.contents[path][candidate.begin : candidate.end]
                    return Match(number, path, candidate, data)
        return None

    def _encode(self, chunk: Chunk) -> bytes:
        """Fills in the chunk's record; the stored bytes."""
        result = part(self._data, chunk)
        if chunk.of_tensor:
            stored = self._encode_first(chunk, result)
        else:
            stored = self._encode_side(chunk, result)
        fill_in(chunk, stored, result)
        return stored

    def _encode_first(self, chunk: Chunk, result: bytes) -> bytes:
        if (id(chunk.owner), chunk.start) in self._steps:
            chunk.coder = Coder.STEPS
            return self._steps[id(chunk.owner), chunk.start]
        return self._encode_tensor(chunk, result, self._prediction(chunk))

    def _encode_rest(self, chunk: Chunk) -> bytes:
        """The same for one of the second layer."""
        result = part(self._packed, chunk)
        stored = self._encode_tensor(chunk, result, part(self._data, chunk))
        fill_in(chunk, stored, result)
        return stored

    def _prediction(self, chunk: Chunk) -> bytes:
        bases = [(match.place.dtype, match.data) for match in self._matches(chunk.tensor)]
        return predict(chunk, bases, self._factors.get(id(chunk.tensor)))

    def _encode_tensor(self, chunk: Chunk, result: bytes, prediction: bytes) -> bytes:
        chunk.coder = self._options.tensor_coder(chunk, result, prediction)
        if chunk.coder == Coder.RAW:
            return result
        if chunk.coder == Coder.IDENTICAL:
            return b""
        if chunk.coder == Coder.SPARSE:
            self._is_newer = True
            return sparse.encode_chunk(result, prediction, chunk.tensor.dtype.unit) or b""
        return encode_planes(result, prediction, chunk.tensor.dtype.unit)

    def _encode_side(self, chunk: Chunk, result: bytes) -> bytes:
        sized = self._options.sized_frames
        candidates = [(result, Coder.RAW), (compress(result, sized=sized), Coder.ZSTD)]
        if chunk.owner is not None and chunk.file.kind == Kind.PATCH:
            base = self._index.base_files[chunk.file.base_file]
            content = self._bases[base.base].contents[base.path]
            start = min(max(0, chunk.start - LONGEST_PREFIX // 2), len(content))
            prefix = content[start : start + LONGEST_PREFIX]
            chunk.prefix = (start, len(prefix))
            candidates.append((compress(result, prefix, sized), Coder.PATCH))
        stored, chunk.coder = min(candidates, key=lambda candidate: len(candidate[0]))
        return stored


def part(data: dict[int, bytes], chunk: Chunk) -> bytes:
    """What a chunk stands for, of the data of owners by their id()."""
    return data[id(chunk.owner)][chunk.start : chunk.start + chunk.length]


def fill_in(chunk: Chunk, stored: bytes, result: bytes) -> None:
    chunk.size = len(stored)
    chunk.stored_hash = hash64(stored) if stored else 0
    chunk.result_hash = hash128(result)


def fits(tensor: TensorPlace, base: TensorPlace) -> bool:
    """Whether section 4 lets `base` predict `tensor`."""
    same_rows = len(tensor.shape) == len(base.shape) and tensor.shape[1:] == base.shape[1:]
    casts = tensor.dtype.converts and base.dtype.converts
    return same_rows and (tensor.dtype == base.dtype or casts)


def regions(
    index: Index,
    stored: Sequence[bytes],
    factors: dict[int, bytes],
    second_layer: Sequence[bytes] = (),
) -> tuple[bytes, bytes]:
    """Payload and side: the stored bytes of the chunks, of both layers, and, by id() of tensors,
    their factors."""
    left = list(stored)
    payload: list[bytes] = []
    for tensor in index.tensors():
        payload.append(factors.get(id(tensor), b""))
        own = index.chunks_of(tensor)
        payload += left[:own]
        del left[:own]
    return b"".join([*payload, *second_layer]), b"".join(left)


def seal_body(body: bytes, payload: bytes, side: bytes, version: int = 1) -> bytes:
    """The archive around the body of an index, for readers of that version."""
    rest = u64(len(body)) + compress(body)
    index = hash128(rest) + rest
    header = Header(version, version, len(payload), len(side), len(index))
    return header.encode() + payload + side + index


def seal(index: Index, payload: bytes, side: bytes, version: int = 1) -> bytes:
    return seal_body(encode_body(index), payload, side, version)


def write_archive(
    bases: Sequence[Path], fine_tune: Path, archive: Path, options: Options | None = None
) -> None:
    archive.write_bytes(Writer(bases, fine_tune, options or Options()).archive())
