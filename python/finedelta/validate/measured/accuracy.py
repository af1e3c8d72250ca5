"""That what comes out is what went in, and what the fine-tune changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import finedelta
from finedelta.files import sha256_of_file
from finedelta.reports import DiffReport, TensorDiff
from finedelta.validate.measured.compression import largest_delta
from finedelta.validate.measured.program import run_program
from finedelta.validate.models.checkpoint import files_of, kind_of, layer_of


@dataclass(frozen=True)
class FileCheck:
    path: str
    bytes: int
    sha256: str
    restored_sha256: str | None
    """None: it did not come out."""

    @property
    def is_equal(self) -> bool:
        return self.sha256 == self.restored_sha256


@dataclass(frozen=True)
class Restored:
    """What came out of the exact archive."""

    files: tuple[FileCheck, ...]
    surplus: tuple[str, ...]
    """Files that came out and were not there."""
    largest_error: float
    different_weights: int
    """None, or the files are not equal either."""
    unpack_seconds: float
    unpack_peak_bytes: int
    verify_seconds: float
    verify_peak_bytes: int


@dataclass(frozen=True)
class Change:
    """What the fine-tune changed in some tensors."""

    weights: int
    changed: int
    delta_norm: float
    """L2, of the fine-tune's numbers less the base's."""
    base_norm: float

    @property
    def changed_share(self) -> float:
        return self.changed / self.weights if self.weights else 0.0

    @property
    def relative_norm(self) -> float:
        return self.delta_norm / self.base_norm if self.base_norm else 0.0


@dataclass(frozen=True)
class ChangedBits:
    """How many weights of a type have other bits at each position."""

    dtype: str
    weights: int
    changed: int
    sign: int
    exponent: tuple[int, ...]
    """From the lowest."""
    mantissa: tuple[int, ...]

    @property
    def noise_bits(self) -> int:
        """Positions of the mantissa that change like coins that are tossed, where a weight changes."""
        if not self.changed:
            return 0
        return sum(0.4 < count / self.changed < 0.6 for count in self.mantissa)


@dataclass(frozen=True)
class Accuracy:
    restored: Restored
    all: Change
    nans: tuple[int, int]
    """Of the base and of the fine-tune."""
    infinities: tuple[int, int]
    cells: dict[str, dict[str, Change]]
    """By layer ("-": of none) and kind of tensor."""
    bits: tuple[ChangedBits, ...]
    median_rank: float | None
    """Of what each changed matrix gained: its effective rank as a share of what it could be."""
    statuses: dict[str, int]
    """Tensors that are equal, changed, and so on."""


def restore(base: Path, fine_tune: Path, archive: Path, scratch: Path) -> Restored:
    """Unpacks, and compares every byte with the original's: by SHA-256 of the files, and number by number."""
    output = scratch / "restored"
    unpacked = run_program("unpack", base, archive, "-o", output, "--sha256")
    verified = run_program("verify", archive, "--base", base)
    diff = finedelta.diff(fine_tune, output, progress=False)
    files = tuple(_check_files(fine_tune, output))
    return Restored(
        files,
        tuple(sorted(_names(output) - {file.path for file in files})) if output.is_dir() else (),
        largest_delta(diff),
        diff.changed_elements,
        unpacked.seconds,
        unpacked.peak_bytes,
        verified.seconds,
        verified.peak_bytes,
    )


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _check_files(fine_tune: Path, output: Path) -> Iterable[FileCheck]:
    for file in files_of(fine_tune):
        path = file.relative_to(fine_tune) if fine_tune.is_dir() else Path(file.name)
        restored = output / path if fine_tune.is_dir() else output
        yield FileCheck(
            str(path),
            file.stat().st_size,
            sha256_of_file(file),
            sha256_of_file(restored) if restored.is_file() else None,
        )


def describe(diff: DiffReport, restored: Restored) -> Accuracy:
    return Accuracy(
        restored,
        Change(diff.elements, diff.changed_elements, diff.delta_norm or 0.0, diff.base_norm or 0.0),
        (diff.base_nans, diff.fine_tune_nans),
        (diff.base_infinities, diff.fine_tune_infinities),
        _cells(diff),
        _bits(diff),
        _median_rank(diff),
        dict(Counter(tensor.status for tensor in diff.tensors)),
    )


def _cells(diff: DiffReport) -> dict[str, dict[str, Change]]:
    cells: dict[tuple[str, int], dict[str, list[TensorDiff]]] = {}
    for tensor in diff.tensors:
        if tensor.floats and tensor.elements:
            row = cells.setdefault(layer_of(tensor.name) or ("", -1), {})
            row.setdefault(kind_of(tensor.name), []).append(tensor)
    # An encoder's first block and a decoder's are told apart; of one stack, numbers say it all.
    prefixes = {prefix for prefix, number in cells if number >= 0}

    def name(prefix: str, number: int) -> str:
        if number < 0:
            return "-"
        return str(number) if len(prefixes) == 1 else f"{prefix}{number}"

    return {
        name(*layer): {kind: _change(tensors) for kind, tensors in row.items()}
        for layer, row in sorted(cells.items(), key=lambda item: (item[0][1] >= 0, *item[0]))
    }


def _norm(norms: Iterable[float | None]) -> float:
    return float(sum((norm or 0) ** 2 for norm in norms) ** 0.5)


def _change(tensors: Iterable[TensorDiff]) -> Change:
    compared = [tensor for tensor in tensors if tensor.changed_share is not None]
    floats = [tensor.floats for tensor in compared if tensor.floats]
    return Change(
        sum(tensor.elements for tensor in compared),
        sum(tensor.changed for tensor in compared),
        _norm(each.delta_norm for each in floats),
        _norm(each.base_norm for each in floats),
    )


def _sums(rows: list[tuple[int, ...]]) -> tuple[int, ...]:
    return tuple(sum(column) for column in zip(*rows, strict=True))


def _bits(diff: DiffReport) -> tuple[ChangedBits, ...]:
    by_type: dict[str, list[TensorDiff]] = {}
    for tensor in diff.tensors:
        if tensor.floats and tensor.dtype and tensor.dtype == tensor.base_dtype:
            by_type.setdefault(tensor.dtype, []).append(tensor)
    found = []
    for dtype, tensors in by_type.items():
        floats = [tensor.floats for tensor in tensors if tensor.floats]
        found.append(
            ChangedBits(
                dtype,
                sum(tensor.elements for tensor in tensors),
                sum(tensor.changed for tensor in tensors),
                sum(each.sign_bit for each in floats),
                _sums([each.exponent_bits for each in floats]),
                _sums([each.mantissa_bits for each in floats]),
            )
        )
    return tuple(found)


def _median_rank(diff: DiffReport) -> float | None:
    shares = sorted(
        tensor.effective_rank.value / min(tensor.shape[0], tensor.elements // tensor.shape[0])
        for tensor in diff.tensors
        if tensor.effective_rank and tensor.shape and tensor.status == "changed"
    )
    return shares[len(shares) // 2] if shares else None
