"""A reader of finedelta archives, written from docs/format.md alone.

  python finedelta_reader.py unpack [--layers 1] [BASE...] ARCHIVE OUT
  python finedelta_reader.py check ARCHIVE

It shows that the specification is enough, and checks the archives of the C++ program. It keeps
whole checkpoints in memory.
"""

import argparse
import hashlib
import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from archive import Archive, open_archive, owner_name
from bases import BaseSet, is_tensor
from coders import check_tensor_chunk, decode_side_chunk, decode_tensor_chunk, predict
from frames import check_frame
from low_rank import Factors, parse_factors
from primitives import ArchiveError, DamagedError, WrongBaseError, hash128, quoted, u64
from records import BaseTensor, Chunk, Coder, File, Kind, Predictor, Tensor
from safetensors_header import canonical_header

LARGEST_HEADER = 100_000_000
LAYERS = 2  # the most that there are


class Decoder:
    """Decodes the chunks of an archive, without a base those that need none."""

    def __init__(self, archive: Archive, bases: BaseSet | None, layers: int) -> None:
        self._archive = archive
        self._index = archive.index
        self._has_bases = bases is not None
        self._base_tensors: list[bytes] = []
        self._base_files: list[bytes] = []
        if bases is not None:
            self._base_tensors = [bases.tensor(tensor) for tensor in self._index.base_tensors]
            self._base_files = [bases.file(file) for file in self._index.base_files]
        self._factors = self._read_factors()
        self._contents = self._decode_all()
        if layers > 1:
            self._add_second_layer()

    def _read_factors(self) -> dict[int, Factors]:
        """The factors of tensors by their id(). No base is needed to check them."""
        found: dict[int, Factors] = {}
        for tensor in self._index.tensors():
            if tensor.predictor != Predictor.LOW_RANK:
                continue
            try:
                record = self._archive.factors[id(tensor)]
                version = self._archive.header.oldest_reader
                found[id(tensor)] = parse_factors(record, tensor.shape, version)
            except DamagedError as error:
                raise DamagedError(f"the factors of {quoted(tensor.name)}: {error}") from error
        return found

    def _decode_all(self) -> dict[int, bytearray | None]:
        """The content of each owner of chunks by its id(); None: a base is needed for it."""
        contents: dict[int, bytearray | None] = {
            id(owner): bytearray() for owner, _, _ in self._index.streams()
        }
        for chunk, stored in zip(self._index.chunks, self._archive.stored, strict=True):
            result = self._decode(chunk, stored)
            content = contents[id(chunk.owner)]
            if result is None or content is None:
                contents[id(chunk.owner)] = None
            else:
                content += result
        return contents

    def _decode(self, chunk: Chunk, stored: bytes) -> bytes | None:
        if self._needs_base(chunk) and not self._has_bases:
            check_form(chunk, stored)
            return None
        try:
            result = self._result(chunk, stored)
        except DamagedError as error:
            self._reject(chunk, f"{owner_name(chunk)}: {error}")
        if hash128(result) != chunk.result_hash:
            what = f"does not match its result hash at byte {chunk.start}"
            self._reject(chunk, f"{owner_name(chunk)} {what}")
        return result

    def _add_second_layer(self) -> None:
        """Replaces the content of lossy tensors, where there is a second layer."""
        contents: dict[int, bytearray] = defaultdict(bytearray)
        layer = zip(self._index.second_layer, self._archive.second_layer, strict=True)
        for chunk, stored in layer:
            first = self._contents[id(chunk.owner)]
            if first is None:
                check_form(chunk, stored)
            else:
                prediction = bytes(first[chunk.start : chunk.start + chunk.length])
                contents[id(chunk.owner)] += decode_rest(chunk, stored, prediction)
        self._contents |= contents

    def _needs_base(self, chunk: Chunk) -> bool:
        if chunk.of_tensor:
            return bool(chunk.tensor.base_tensors) and chunk.coder != Coder.RAW
        return chunk.has_prefix

    def _result(self, chunk: Chunk, stored: bytes) -> bytes:
        if chunk.of_tensor:
            predicted = self._needs_base(chunk)
            return decode_tensor_chunk(chunk, stored, self._prediction(chunk), predicted)
        base_file = self._base_files[chunk.file.base_file] if chunk.has_prefix else b""
        return decode_side_chunk(chunk, stored, base_file)

    def _prediction(self, chunk: Chunk) -> bytes:
        if not self._needs_base(chunk):
            return bytes(chunk.length)
        bases = [(base.dtype, data) for base, data in self._bases_of(chunk.tensor)]
        return predict(chunk, bases, self._factors.get(id(chunk.tensor)))

    def _bases_of(self, tensor: Tensor) -> list[tuple[BaseTensor, bytes]]:
        """The base tensors that predict `tensor`, and their data."""
        records, data = self._index.base_tensors, self._base_tensors
        return [(records[number], data[number]) for number in tensor.base_tensors]

    def _reject(self, chunk: Chunk, what: str) -> NoReturn:
        """Blames the base for a chunk without its result where it differs, else the archive."""
        if chunk.of_tensor and self._needs_base(chunk):
            for base, data in self._bases_of(chunk.tensor):
                if not is_tensor(base, data):
                    raise WrongBaseError(f"the base tensor {quoted(base.name)} differs: {what}")
        raise DamagedError(what)

    def _shard(self, file: File) -> bytes | None:
        header = file.header
        if file.canonical:
            header = canonical_header(file.header, file.tensors)
        if len(header) > LARGEST_HEADER:
            raise DamagedError(f"the header of {quoted(file.path)} is too large")
        shard = bytearray(u64(len(header)) + header)
        for tensor in file.tensors:
            content = self._contents[id(tensor)]
            if content is None:
                return None
            shard += content
        return bytes(shard)

    def _embedded(self, wanted: File) -> bytes | None:
        bundle = self._contents[id(None)]
        embedded = [file for file in self._index.files if file.kind == Kind.EMBEDDED]
        start = sum(file.size for file in embedded[: embedded.index(wanted)])
        return None if bundle is None else bytes(bundle[start : start + wanted.size])

    def content(self, file: File) -> bytes | None:
        """The bytes of a file; None where a base is needed for them and there is none."""
        if file.kind == Kind.SHARD:
            return self._shard(file)
        if file.kind == Kind.EMBEDDED:
            return self._embedded(file)
        if file.kind == Kind.REFERENCE:
            return self._base_files[file.base_file] if self._has_bases else None
        content = self._contents[id(file)]
        return None if content is None else bytes(content)


def decode_rest(chunk: Chunk, stored: bytes, prediction: bytes) -> bytes:
    """The result of a chunk of the second layer."""
    try:
        result = decode_tensor_chunk(chunk, stored, prediction, True)
    except DamagedError as error:
        raise DamagedError(f"the second layer of {owner_name(chunk)}: {error}") from error
    if hash128(result) != chunk.result_hash:
        what = f"does not match its result hash at byte {chunk.start}"
        raise DamagedError(f"the second layer of {owner_name(chunk)} {what}")
    return result


def check_form(chunk: Chunk, stored: bytes) -> None:
    """Checks what can be checked of a chunk without its base."""
    try:
        if chunk.has_prefix:
            check_frame(stored, chunk.length)
        else:
            check_tensor_chunk(chunk, stored)
    except DamagedError as error:
        raise DamagedError(f"{owner_name(chunk)}: {error}") from error


def sha256_of(archive: Archive, file: File, layers: int) -> bytes:
    """That of a file of so many layers, or of as many as there are."""
    is_exact = archive.index.progressive and layers > 1
    return file.packed_sha256 if is_exact and file.kind == Kind.SHARD else file.sha256


def contents(archive: Archive, bases: BaseSet | None, layers: int) -> dict[bytes, bytes | None]:
    """The bytes of every file by its path; None where they need a base and there is none."""
    decoder = Decoder(archive, bases, layers)
    files = [file for file in archive.index.files if file.kind != Kind.EMPTY_DIRECTORY]
    found = {file.path: decoder.content(file) for file in files}
    for file in files:
        content = found[file.path]
        sha256 = sha256_of(archive, file, layers)
        if content is not None and hashlib.sha256(content).digest() != sha256:
            raise DamagedError(f"file {quoted(file.path)} does not match its SHA-256")
    return found


def check(data: bytes) -> Archive:
    """Rejects the archive `data` unless it is sound as far as can be told without a base."""
    archive = open_archive(data)
    contents(archive, None, LAYERS)
    return archive


def write_file(path: Path, content: bytes | None, executable: bool) -> None:
    assert content is not None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o755 if executable else 0o644)


def unpack(bases: Sequence[Path], data: bytes, out: Path, layers: int = LAYERS) -> None:
    """Writes the fine-tune in the archive `data` at `out`, a new file or directory; of so many
    layers or of as many as there are."""
    if out.exists():
        raise FileExistsError(out)
    archive = open_archive(data)
    found = contents(archive, BaseSet(bases), layers)
    if archive.index.single_file:
        only = archive.index.files[0]
        write_file(out, found[only.path], only.executable)
        return
    out.mkdir()
    for file in archive.index.files:
        path = out / os.fsdecode(file.path)
        if file.kind == Kind.EMPTY_DIRECTORY:
            path.mkdir(parents=True)
        else:
            write_file(path, found[file.path], file.executable)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Reads finedelta archives.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    unpacking = verbs.add_parser("unpack")
    unpacking.add_argument("--layers", type=int, choices=[1], default=LAYERS)
    unpacking.add_argument("base", type=Path, nargs="*")
    unpacking.add_argument("archive", type=Path)
    unpacking.add_argument("out", type=Path)
    checking = verbs.add_parser("check")
    checking.add_argument("archive", type=Path)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    data = arguments.archive.read_bytes()
    try:
        if arguments.verb == "unpack":
            unpack(arguments.base, data, arguments.out, arguments.layers)
        else:
            check(data)
    except ArchiveError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
