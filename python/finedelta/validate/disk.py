"""The same from files that are read from disk to files that are on disk, and how fast parts of that are alone."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np

from finedelta.validate.baselines import Baseline
from finedelta.validate.checkpoint import files_of
from finedelta.validate.program import forget, run_anew
from finedelta.validate.sample import Piece, Sample, run_all
from finedelta.validate.speed import OURS, RIVALS, cores, seconds_of, thread_counts


@dataclass(frozen=True)
class EndToEnd:
    way: str
    threads: int
    bytes: int
    """Of the fine-tune, that were read and came out again: the whole of it, or the sample."""
    compress: float
    """Seconds."""
    decompress: float


@dataclass(frozen=True)
class Machine:
    """Bytes a second of what has a part in packing and unpacking, each alone."""

    disk_read: float
    disk_write: float
    sha256: float
    """Of one thread: a file is hashed by one, beside the others' work."""
    memory_copy: float
    """Bytes read and bytes written, added."""


def measure_ours(base: Path, fine_tune: Path, scratch: Path, threads: int, rounds: int) -> EndToEnd:
    """The program itself, on the whole model: with matching, hashes, and all files."""
    archive, output = scratch / "timed.fd", scratch / "timed"
    options = ("--threads", str(threads))
    packs, unpacks, size = [], [], 0
    with cores(threads):
        for _ in range(rounds):
            forget([*files_of(base), *files_of(fine_tune)])
            packed = run_anew(archive, "pack", base, fine_tune, *options)
            size = packed.report["input_bytes"]
            packs.append(packed.seconds)
            forget([archive, *files_of(base)])
            unpacks.append(run_anew(output, "unpack", base, archive, *options).seconds)
    return EndToEnd(OURS, threads, size, median(packs), median(unpacks))


def measure_rivals(sample: Sample, scratch: Path) -> list[EndToEnd]:
    """Once each, with all threads, on the sample."""
    return [_Rival(way, sample, scratch).measure() for way in RIVALS]


class _Rival:
    """Puts what it stores in one file as it comes, and what comes out in another, where it belongs."""

    def __init__(self, way: Baseline, sample: Sample, scratch: Path) -> None:
        self._way = way
        self._pieces = sample.pieces
        self._size = sample.size
        self._stored, self._output = scratch / "rival.stored", scratch / "rival.out"
        self._places: list[list[tuple[int, int]]] = [[] for _ in sample.pieces]
        self._begins = np.cumsum([0, *(piece.size for piece in sample.pieces)]).tolist()
        self._end = 0
        self._lock = threading.Lock()

    def measure(self) -> EndToEnd:
        threads = thread_counts()[-1]
        files = {piece.tensor.file for piece in self._pieces}
        files |= {piece.base_tensor.file for piece in self._pieces}
        forget(files)
        with open(self._stored, "wb", buffering=0) as file:
            packing = seconds_of(lambda: self._run(self._compress, file.fileno(), threads))
        forget([*files, self._stored])
        with open(self._output, "wb", buffering=0) as file:
            unpacking = seconds_of(lambda: self._run(self._decompress, file.fileno(), threads))
        self._stored.unlink()
        self._output.unlink()
        return EndToEnd(self._way.name, threads, self._size, packing, unpacking)

    def _run(self, work, to: int, threads: int) -> None:  # type: ignore[no-untyped-def]
        run_all(list(self._pieces), lambda i, piece: work(i, piece, to), threads)
        os.fsync(to)

    def _compress(self, i: int, piece: Piece, to: int) -> None:
        for part in self._way.compress(piece.read_base(), piece.read()):
            with self._lock:
                begin, self._end = self._end, self._end + len(part)
            self._places[i].append((begin, len(part)))
            _write_at(to, part, begin)

    def _decompress(self, i: int, piece: Piece, to: int) -> None:
        with open(self._stored, "rb", buffering=0) as file:
            parts = [os.pread(file.fileno(), size, begin) for begin, size in self._places[i]]
        _write_at(to, self._way.decompress(piece.read_base(), parts).data, self._begins[i])


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
    hashing = seconds_of(lambda: hashlib.sha256(data).update(b""))
    source = np.frombuffer(data, np.uint8)
    target = np.empty_like(source)
    target.fill(0)
    with cores(1):
        copying = median(seconds_of(lambda: np.copyto(target, source)) for _ in range(5))
    size = len(data)
    return Machine(sum(map(len, parts)) / reading, size / writing, size / hashing, 2 * size / copying)
