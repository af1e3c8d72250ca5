"""Records of what is done: a small JSON file beside every output.

A record is written after its output is complete and on disk, and removed before its output is replaced:
one that exists tells the truth, unless somebody else changed the output since.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from finedelta._core import VERSION
from finedelta.files import sha256_of_file

ENDING = ".done.json"


@dataclass(frozen=True, slots=True)
class Record:
    job: str
    """The key of the job that made the output."""
    bytes: int
    sha256: str
    """As `sha256sum` prints it for a file. For a directory, that of the lines which it prints for all
    files in it, sorted by path."""
    finedelta: str

    def is_of(self, output: Path, *, check: bool) -> bool:
        """Whether the output still is what was made, as its size tells, or with `check` its hash."""
        return size_of(output) == self.bytes and (not check or sha256_of(output) == self.sha256)


def record_of(key: str, output: Path) -> Record:
    return Record(key, size_of(output), sha256_of(output), VERSION)


def path_of_record(place: Path) -> Path:
    return place.with_name(place.name + ENDING)


def read_record(path: Path) -> Record | None:
    """None as well where what is there is no record of this version's: the job is then seen as not done."""
    try:
        return Record(**json.loads(path.read_bytes()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def write_record(path: Path, record: Record) -> None:
    write_whole(path, json.dumps(asdict(record)) + "\n")


def write_whole(path: Path, text: str) -> None:
    """Writes a file that appears with all of `text`, on disk, or not at all."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def size_of(output: Path) -> int:
    if not output.is_dir():
        return output.stat().st_size
    return sum(os.lstat(path).st_size for path in _files_in(output))


def sha256_of(output: Path) -> str:
    if not output.is_dir():
        return sha256_of_file(output)
    lines = hashlib.sha256()
    for path in sorted(_files_in(output)):
        name = os.fsencode(os.path.relpath(path, output))
        lines.update(sha256_of_file(path).encode() + b"  " + name + b"\n")
    return lines.hexdigest()


def _files_in(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            yield Path(parent, name)
