"""The operations on whole models and archives.

Several may run at once, from several threads. Each releases the GIL, and Ctrl-C stops it: then, as after
any error, what was at the output before is still there (if it comes too late, the exception has a note that
the operation was done). `threads` is the number of worker threads (0: as
many as the process may use), `memory` the bytes that a call may add to what the process has (None: 512
MiB), `progress` a function that is called with (done, total) in bytes, or whether to show a bar (None: on
a terminal or in a notebook).
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from finedelta import _core
from finedelta.arguments import Models, Path, memory_limit, paths_of
from finedelta.errors import UsageError
from finedelta.progress import Progress, reporting
from finedelta.reports import (
    ArchiveSummary,
    DiffReport,
    ExtractReport,
    LoraReport,
    PackReport,
    Plan,
    UnpackReport,
    VerifyReport,
)


def _lossy_target(targets: dict[str, float | None]) -> tuple[str | None, float]:
    given = [(name, value) for name, value in targets.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{given[0][0]} and {given[1][0]} are both targets: give one of them")
    return given[0] if given else (None, 0.0)


def pack(
    base: Models,
    fine_tune: Path,
    archive: Path,
    *,
    level: int = _core.DEFAULT_LEVEL,
    bits: float | None = None,
    size: int | None = None,
    ratio: float | None = None,
    max_error: float | None = None,
    progressive: bool = False,
    all: bool = False,
    force: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> PackReport:
    """Stores `fine_tune` as what it adds to `base` (several are allowed; None: nothing).

    With one of `bits` (for each weight), `size` (bytes), `ratio` and `max_error` the archive is lossy:
    what comes out is near the fine-tune. `progressive` adds a second layer, which makes it exact.
    `all` keeps `.git/` and `.cache/huggingface/` too, `force` replaces an existing archive.
    """
    lossy, target = _lossy_target(
        {"bits": bits, "size": size, "ratio": ratio, "max_error": max_error}
    )
    with reporting(progress, "packing") as report:
        return PackReport(
            **_core.pack(
                bases=paths_of(base),
                fine_tune=os.fsencode(fine_tune),
                archive=os.fsencode(archive),
                level=level,
                lossy=lossy,
                target=target,
                progressive=progressive,
                all=all,
                force=force,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def unpack(
    archive: Path,
    output: Path,
    *,
    base: Models = None,
    layers: int = 0,
    weights_only: bool = False,
    sha256: bool = False,
    force: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> UnpackReport:
    """Rebuilds what is in `archive` at `output`: a directory, or a file where a file was packed.

    A base that is left out is looked for in the local Hugging Face cache by the identity that the archive
    records. `layers` is how many to read of a progressive archive (0: all). `weights_only` leaves side
    files out; `sha256` checks that of every file too; `force` replaces an existing output.
    """
    with reporting(progress, "unpacking") as report:
        return UnpackReport(
            **_core.unpack(
                archive=os.fsencode(archive),
                output=os.fsencode(output),
                bases=paths_of(base),
                layers=layers,
                weights_only=weights_only,
                sha256=sha256,
                force=force,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def verify(
    archive: Path,
    *,
    base: Models = None,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> VerifyReport:
    """Checks every byte of `archive`; with `base`, or where none is needed, rebuilds everything in memory
    and checks XXH3-128 and SHA-256 of it (`rebuilt` of the report says so)."""
    with reporting(progress, "verifying") as report:
        return VerifyReport(
            **_core.verify(
                archive=os.fsencode(archive),
                bases=paths_of(base),
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def inspect(archive: Path, *, memory: int | None = None) -> ArchiveSummary:
    """What `archive` holds, read from its index."""
    fields = _core.inspect(archive=os.fsencode(archive), memory=memory_limit(memory))
    del fields["notes"]
    return ArchiveSummary.of(fields)


def plan(
    base: Models,
    fine_tune: Path,
    *,
    level: int = _core.DEFAULT_LEVEL,
    all: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> Plan:
    """What `pack` would do, and about how large the archive would be. Writes nothing."""
    with reporting(progress, "planning") as report:
        return Plan.of(
            _core.plan(
                bases=paths_of(base),
                fine_tune=os.fsencode(fine_tune),
                level=level,
                all=all,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def diff(
    base: Path,
    fine_tune: Path,
    *,
    rank: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> DiffReport:
    """How every tensor of `fine_tune` differs from the one of its name in `base`, and which files do. `rank`
    finds the effective rank of what each matrix gained too, which takes several times as long."""
    with reporting(progress, "comparing") as report:
        return DiffReport.of(
            _core.diff(
                base=os.fsencode(base),
                fine_tune=os.fsencode(fine_tune),
                rank=rank,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def extract(
    archive: Path,
    selections: str | Iterable[str],
    output: Path,
    *,
    base: Models = None,
    layers: int = 0,
    force: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> ExtractReport:
    """Writes tensors ("NAME") or rows of them ("NAME[START:STOP]") to a new safetensors file."""
    names = [selections] if isinstance(selections, str) else list(selections)
    with reporting(progress, "extracting") as report:
        return ExtractReport(
            **_core.extract(
                archive=os.fsencode(archive),
                selections=names,
                output=os.fsencode(output),
                bases=paths_of(base),
                layers=layers,
                force=force,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def lora(
    base: Path,
    fine_tune: Path,
    output: Path,
    *,
    size: int | None = None,
    energy: float | None = None,
    max_rank: int | None = None,
    plus_residual: bool = False,
    force: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> LoraReport:
    """Writes a PEFT adapter (LoRA) of what `fine_tune` adds to `base` to the directory `output`, within
    `size` bytes, keeping the share `energy` of the squared differences, or up to rank `max_rank`.
    `plus_residual` adds an exact archive beside it."""
    with reporting(progress, "fitting") as report:
        return LoraReport.of(
            _core.lora(
                base=os.fsencode(base),
                fine_tune=os.fsencode(fine_tune),
                output=os.fsencode(output),
                size=size,
                energy=energy,
                max_rank=max_rank,
                plus_residual=plus_residual,
                force=force,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )


def lora_from_archive(
    archive: Path,
    output: Path,
    *,
    force: bool = False,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> LoraReport:
    """The same from the low-rank factors that `archive` holds, all of them and nothing else."""
    with reporting(progress, "writing") as report:
        return LoraReport.of(
            _core.lora_from_archive(
                archive=os.fsencode(archive),
                output=os.fsencode(output),
                force=force,
                threads=threads,
                memory=memory_limit(memory),
                progress=report,
            )
        )
