"""The bases that the user gives, and what an archive asks of them (3.3 and 3.4)."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from primitives import DTYPES, PIECE, DType, WrongBaseError, hash64, hash128, quoted, u64
from records import BaseFile, BaseTensor
from safetensors_header import parse_shard

SAMPLE_SIZE = 65536


def fingerprint(dtype: DType, shape: tuple[int, ...], data: bytes) -> bytes:
    record = bytes([DTYPES.index(dtype), len(shape)]) + b"".join(map(u64, shape))
    pieces = [hash128(data[at : at + PIECE]) for at in range(0, len(data), PIECE)]
    return hash128(record + b"".join(pieces))


def sample(data: bytes) -> int:
    length = min(len(data), SAMPLE_SIZE)
    start = (len(data) - length) // 2
    return hash64(data[start : start + length])


class Place(NamedTuple):
    file: Path
    begin: int
    end: int

    def read(self) -> bytes:
        with self.file.open("rb") as file:
            file.seek(self.begin)
            return file.read(self.end - self.begin)


class BaseSet:
    """All tensors and files of the given bases, in whatever order they were given."""

    def __init__(self, paths: Iterable[Path]) -> None:
        self._tensors: dict[tuple[bytes, DType, tuple[int, ...]], list[Place]] = {}
        self._directories = [path for path in paths if path.is_dir()]
        for path in paths:
            shards = sorted(path.rglob("*.safetensors")) if path.is_dir() else [path]
            for shard in shards:
                self._add_shard(shard)

    def _add_shard(self, path: Path) -> None:
        for tensor in parse_shard(path.read_bytes()).tensors:
            key = (tensor.name, tensor.dtype, tensor.shape)
            self._tensors.setdefault(key, []).append(Place(path, tensor.begin, tensor.end))

    def tensor(self, wanted: BaseTensor) -> bytes:
        """The data of the tensor whose sample matches; the fingerprint decides among several."""
        places = self._tensors.get((wanted.name, wanted.dtype, wanted.shape), [])
        if not places:
            raise WrongBaseError(f"no base has the tensor {quote(wanted.name)}")
        found = [data for data in map(Place.read, places) if sample(data) == wanted.sample]
        if len(found) > 1:
            found = [data for data in found if is_tensor(wanted, data)]
        if not found:
            raise WrongBaseError(f"the base tensor {quote(wanted.name)} differs")
        return found[0]

    def file(self, wanted: BaseFile) -> bytes:
        relative = wanted.path.decode("utf-8", "surrogateescape")
        found = [base / relative for base in self._directories if (base / relative).is_file()]
        for path in found:
            content = path.read_bytes()
            if len(content) == wanted.size and hash128(content) == wanted.hash:
                return content
        problem = "differs" if found else "is missing"
        raise WrongBaseError(f"the base file {quote(wanted.path)} {problem}")


def is_tensor(wanted: BaseTensor, data: bytes) -> bool:
    return fingerprint(wanted.dtype, wanted.shape, data) == wanted.fingerprint
