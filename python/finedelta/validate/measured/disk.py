"""The same from files that are read from disk to files that are on disk, and how fast parts of that are
alone."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from finedelta.validate.measured.baselines import Array, Baseline
from finedelta.validate.measured.program import forget, run_anew
from finedelta.validate.measured.sample import Part, Sample, run_all
from finedelta.validate.measured.speed import OURS, RIVALS, cores, seconds_of, thread_counts
from finedelta.validate.models.checkpoint import StoredTensor, files_of


@dataclass(frozen=True)
class EndToEnd:
    way: str
    threads: int
    bytes: int
    """Of the fine-tune, that were read and came out again: the whole of it, or the sample."""
    rounds: int
    compress: float
    """Seconds: the median."""
    decompress: float

    @property
    def pack_rate(self) -> float:
        """Bytes a second."""
        return self.bytes / self.compress

    @property
    def unpack_rate(self) -> float:
        return self.bytes / self.decompress


@dataclass(frozen=True)
class Machine:
    """Bytes a second of what has a part in packing and unpacking, each alone."""

    disk_read: float
    disk_write: float
    sha256: float
    """Of one thread: a file is hashed by one, beside the others' work."""
    memory_copy: float
    """Bytes read and bytes written, added."""


def measure_end_to_end(
    base: Path, fine_tune: Path, sample: Sample, scratch: Path, rounds: int
) -> tuple[EndToEnd, ...]:
    """finedelta with one thread and with all, the others with all; in turns."""
    taken: dict[tuple[str, int], list[tuple[int, float, float]]] = {}
    most = thread_counts()[-1]
    for _ in range(rounds):
        for threads in thread_counts():
            found = _ours(base, fine_tune, scratch, threads)
            taken.setdefault((OURS, threads), []).append(found)
        for way in RIVALS if sample.parts else ():
            rival = _Rival(way, sample, scratch)
            taken.setdefault((way.name, most), []).append(rival.measure(most))
    return tuple(
        EndToEnd(
            way,
            threads,
            found[0][0],
            rounds,
            median(pack for _, pack, _ in found),
            median(unpack for _, _, unpack in found),
        )
        for (way, threads), found in taken.items()
    )


def _ours(base: Path, fine_tune: Path, scratch: Path, threads: int) -> tuple[int, float, float]:
    """The program itself, on the whole model: with matching, hashes, and all files."""
    archive, output = scratch / "timed.fd", scratch / "timed"
    options = ("--threads", str(threads))
    with cores(threads):
        forget([*files_of(base), *files_of(fine_tune)])
        packed = run_anew(archive, "pack", base, fine_tune, *options)
        forget([archive, *files_of(base)])
        unpacked = run_anew(output, "unpack", base, archive, *options)
    return packed.report["input_bytes"], packed.seconds, unpacked.seconds


@dataclass(frozen=True)
class _Piece:
    part: Part
    begin: int
    """In bytes, in the tensor."""
    end: int
    at: int
    """Where it belongs in the output."""


class _Rival:
    """Puts what it stores in one file as it comes, and what comes out in another, where it belongs."""

    def __init__(self, way: Baseline, sample: Sample, scratch: Path) -> None:
        self._way = way
        self._size = sample.size
        self._stored, self._output = scratch / "rival.stored", scratch / "rival.out"
        self._pieces: list[_Piece] = []
        at = 0
        for part in sample.parts:
            for begin, end in part.pieces():
                self._pieces.append(_Piece(part, begin, end, at))
                at += end - begin
        self._places: list[list[tuple[int, int]]] = [[] for _ in self._pieces]
        self._end = 0
        self._lock = threading.Lock()
        self._files: dict[Path, int] = {}

    def measure(self, threads: int) -> tuple[int, float, float]:
        """Bytes, and the seconds of packing and unpacking them."""
        files = {part.file for piece in self._pieces for part in (piece.part.tensor, piece.part.base_tensor)}
        for file in [*files, self._stored, self._output]:
            mode = os.O_RDONLY if file in files else os.O_RDWR | os.O_CREAT | os.O_TRUNC
            self._files[file] = os.open(file, mode)
        try:
            forget(files)
            packing = seconds_of(lambda: self._run(self._compress, self._stored, threads))
            forget([*files, self._stored])
            unpacking = seconds_of(lambda: self._run(self._decompress, self._output, threads))
        finally:
            for descriptor in self._files.values():
                os.close(descriptor)
        self._stored.unlink()
        self._output.unlink()
        return self._size, packing, unpacking

    def _run(self, work: Callable[[int, _Piece], None], to: Path, threads: int) -> None:
        run_all(self._pieces, work, threads)
        os.fsync(self._files[to])

    def _read(self, tensor: StoredTensor, piece: _Piece) -> Array:
        size = piece.end - piece.begin
        data = os.pread(self._files[tensor.file], size, tensor.offset + piece.begin)
        return np.frombuffer(data, piece.part.dtype)

    def _compress(self, i: int, piece: _Piece) -> None:
        base, tune = (self._read(each, piece) for each in (piece.part.base_tensor, piece.part.tensor))
        for stored in self._way.compress(base, tune):
            with self._lock:
                begin, self._end = self._end, self._end + len(stored)
            self._places[i].append((begin, len(stored)))
            _write_at(self._files[self._stored], stored, begin)

    def _decompress(self, i: int, piece: _Piece) -> None:
        stored = [os.pread(self._files[self._stored], size, begin) for begin, size in self._places[i]]
        restored = self._way.decompress(self._read(piece.part.base_tensor, piece), stored)
        _write_at(self._files[self._output], restored.data, piece.at)


def _write_at(to: int, data: bytes | memoryview, begin: int) -> None:
    rest = memoryview(data).cast("B")
    while rest:
        written = os.pwrite(to, rest, begin)
        rest = rest[written:]
        begin += written


def measure_machine(files: Iterable[Path], scratch: Path) -> Machine:
    """With some of the models' bytes, at most 256 MiB."""
    most = 1 << 28
    files = list(files)
    forget(files)
    parts: list[bytes] = []

    def read() -> None:
        left = most
        for file in files:
            with open(file, "rb", buffering=0) as opened:
                while left > 0 and (part := opened.read(min(left, 1 << 23))):
                    parts.append(part)
                    left -= len(part)

    reading = seconds_of(read)
    data = b"".join(parts)
    data *= max(1, most // max(1, len(data)))

    def write() -> None:
        with open(scratch / "written", "wb", buffering=0) as file:
            _write_at(file.fileno(), data, 0)
            os.fsync(file.fileno())

    writing = seconds_of(write)
    (scratch / "written").unlink()
    def hash_all() -> None:
        hashlib.sha256(data)

    hashing = seconds_of(hash_all)
    source = np.frombuffer(data, np.uint8)
    target = np.empty_like(source)
    target.fill(0)
    with cores(1):
        copying = median(seconds_of(lambda: np.copyto(target, source)) for _ in range(5))
    size = len(data)
    return Machine(sum(map(len, parts)) / reading, size / writing, size / hashing, 2 * size / copying)
