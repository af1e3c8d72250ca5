"""What there is to do: one job for each fine-tune or archive."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path, PurePath
from typing import ClassVar

from finedelta import _core, operations
from finedelta.progress import ProgressFunction

Bases = str | list[str] | None
"""One base, several, or none; as in `finedelta.arguments.Models`, but as JSON has it."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a job may use, which is none of what it is."""

    threads: int
    memory: int | None
    progress: ProgressFunction | None


@dataclass(frozen=True, slots=True)
class Made:
    """What a job read and what came out."""

    bytes_in: int
    bytes_out: int
    lossy: bool


@dataclass(frozen=True, slots=True)
class PackJob:
    """An archive to make, `name` under OUT: without one, that of the fine-tune with `.fd`. All else is as
    `finedelta.pack` takes it."""

    base: Bases
    fine_tune: str
    name: str | None = None
    level: int = _core.DEFAULT_LEVEL
    bits: float | None = None
    size: int | None = None
    ratio: float | None = None
    max_error: float | None = None
    progressive: bool = False
    all: bool = False

    verb: ClassVar[str] = "pack"

    def default_name(self) -> str:
        # A revision stays in the name: two of one model are two archives.
        return re.sub(r"\.safetensors$", "", PurePath(self.fine_tune).name) + ".fd"

    def output(self, place: Path) -> Path:
        return place

    def run(self, place: Path, limits: Limits, *, force: bool) -> Made:
        report = operations.pack(
            self.base,
            self.fine_tune,
            place,
            level=self.level,
            bits=self.bits,
            size=self.size,
            ratio=self.ratio,
            max_error=self.max_error,
            progressive=self.progressive,
            all=self.all,
            force=force,
            threads=limits.threads,
            memory=limits.memory,
            progress=limits.progress or False,
        )
        return Made(report.input_bytes, report.archive_bytes, report.lossy)


@dataclass(frozen=True, slots=True)
class UnpackJob:
    """A model to rebuild as `name` under OUT: without one, the archive's name without `.fd`. All else is
    as `finedelta.unpack` takes it."""

    archive: str
    base: Bases = None
    name: str | None = None
    layers: int = 0
    weights_only: bool = False
    sha256: bool = False

    verb: ClassVar[str] = "unpack"

    def default_name(self) -> str:
        return re.sub(r"\.fd$", "", PurePath(self.archive).name)

    def output(self, place: Path) -> Path:
        return place

    def run(self, place: Path, limits: Limits, *, force: bool) -> Made:
        report = operations.unpack(
            self.archive,
            place,
            base=self.base,
            layers=self.layers,
            weights_only=self.weights_only,
            sha256=self.sha256,
            force=force,
            threads=limits.threads,
            memory=limits.memory,
            progress=limits.progress or False,
        )
        return Made(Path(self.archive).stat().st_size, report.bytes, report.lossy)


@dataclass(frozen=True, slots=True)
class VerifyJob:
    """An archive to verify. Nothing is written but the record, which is called `name` under OUT: without
    one, as the archive. All else is as `finedelta.verify` takes it."""

    archive: str
    base: Bases = None
    name: str | None = None

    verb: ClassVar[str] = "verify"

    def default_name(self) -> str:
        return PurePath(self.archive).name

    def output(self, place: Path) -> Path:
        """The archive stands for what was made: a changed one is verified again."""
        return Path(self.archive)

    def run(self, place: Path, limits: Limits, *, force: bool) -> Made:
        report = operations.verify(
            self.archive,
            base=self.base,
            threads=limits.threads,
            memory=limits.memory,
            progress=limits.progress or False,
        )
        return Made(report.archive_bytes, report.bytes, report.lossy)


Job = PackJob | UnpackJob | VerifyJob


def name_of(job: Job) -> str:
    return job.default_name() if job.name is None else job.name


def bases_of(job: Job) -> tuple[str, ...]:
    """What jobs are grouped by."""
    if job.base is None:
        return ()
    return (job.base,) if isinstance(job.base, str) else tuple(job.base)


def key_of(job: Job) -> str:
    """Equal for jobs that ask for the same, whatever they call it."""
    asked = {**asdict(job), "verb": job.verb, "base": bases_of(job)}
    del asked["name"]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
