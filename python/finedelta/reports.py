"""What the operations return. Sizes are in bytes; `docs/json.md` explains each field of the same name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

Fields = Mapping[str, Any]


def _ratio(original: int, stored: int) -> float | None:
    return original / stored if stored else None


def _all_of(kind: type[T], items: Iterable[Fields]) -> tuple[T, ...]:
    return tuple(kind(**item) for item in items)


@dataclass(frozen=True)
class PackReport:
    files: int
    input_bytes: int
    weight_bytes: int
    archive_bytes: int
    tensors: int
    matched_tensors: int
    needed_bases: int
    lossy: bool
    lossy_tensors: int
    progressive: bool
    second_layer_bytes: int
    notes: tuple[str, ...]

    @property
    def ratio(self) -> float | None:
        """How many times smaller the archive is than what was packed."""
        return _ratio(self.input_bytes, self.archive_bytes)


@dataclass(frozen=True)
class UnpackReport:
    files: int
    bytes: int
    sha256_checked: bool
    lossy: bool
    bases: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class VerifyReport:
    archive_bytes: int
    chunks: int
    lossy: bool
    rebuilt: bool
    files: int
    bytes: int
    bases: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ExtractReport:
    tensors: int
    bytes: int
    archive_bytes_read: int
    base_bytes_read: int
    lossy: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class ApplyReport:
    tensors: int
    changed_tensors: int
    """Those that had to change."""
    bytes: int
    bytes_read: int
    """Of the tensors in memory: how often they were read is `bytes_read / bytes`."""
    lossy: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class BaseSummary:
    """A base that an archive needs."""

    name: str | None
    revision: str | None
    identity: str
    tensors: int


@dataclass(frozen=True)
class FileSummary:
    """A file that comes out of an archive."""

    path: str
    kind: str
    executable: bool
    bytes: int
    sha256: str | None
    original_sha256: str | None
    first_layer_sha256: str | None
    metadata: dict[str, str] | None


    @classmethod
    def of(cls, fields: Fields) -> FileSummary:
        """That of what the library tells."""
        metadata = fields["metadata"]
        return cls(**{**fields, "metadata": json.loads(metadata) if metadata else None})


@dataclass(frozen=True)
class CoderUse:
    coder: str
    chunks: int


@dataclass(frozen=True)
class TensorError:
    """How a tensor that comes out of a lossy archive differs from the fine-tune's."""

    relative_error: float
    largest_error: float
    cosine: float
    energy_kept: float
    sign_agreement: float
    zeros: float


@dataclass(frozen=True)
class MatchedTensor:
    """A tensor, and what it is coded against."""

    name: str
    shard: str
    dtype: str
    shape: tuple[int, ...]
    bytes: int
    match: str
    base_tensor: str | None
    base: int | None
    second_base_tensor: str | None
    second_base: int | None
    predictor: str


@dataclass(frozen=True)
class TensorSummary(MatchedTensor):
    elements: int
    factors: tuple[float, ...]
    rank: int
    coders: tuple[CoderUse, ...]
    stored_bytes: int
    second_layer_bytes: int
    error: TensorError | None

    @property
    def bits_per_weight(self) -> float | None:
        return _ratio(8 * self.stored_bytes, self.elements)

    @classmethod
    def of(cls, fields: Fields) -> TensorSummary:
        """That of what the library tells."""
        error = fields["error"]
        return cls(
            **{
                **fields,
                "coders": _all_of(CoderUse, fields["coders"]),
                "error": TensorError(**error) if error else None,
            }
        )


@dataclass(frozen=True)
class ArchiveSummary:
    format_version: int
    single_file: bool
    lossy: bool
    progressive: bool
    second_layer_bytes: int
    archive_bytes: int
    payload_bytes: int
    side_bytes: int
    index_bytes: int
    input_bytes: int
    weight_bytes: int
    bases: tuple[BaseSummary, ...]
    files: tuple[FileSummary, ...]
    tensors: tuple[TensorSummary, ...]

    @property
    def ratio(self) -> float | None:
        """How many times smaller the archive is than what was packed."""
        return _ratio(self.input_bytes, self.archive_bytes)

    @classmethod
    def of(cls, fields: Fields) -> ArchiveSummary:
        """That of what the library tells."""
        return cls(
            **{
                **fields,
                "bases": _all_of(BaseSummary, fields["bases"]),
                "files": tuple(map(FileSummary.of, fields["files"])),
                "tensors": tuple(map(TensorSummary.of, fields["tensors"])),
            }
        )


@dataclass(frozen=True)
class PlannedTensor(MatchedTensor):
    estimated_bytes: int


@dataclass(frozen=True)
class Plan:
    input_bytes: int
    weight_bytes: int
    estimated_bytes: int
    bases: tuple[str, ...]
    tensors: tuple[PlannedTensor, ...]
    notes: tuple[str, ...]

    @property
    def estimated_ratio(self) -> float | None:
        return _ratio(self.input_bytes, self.estimated_bytes)

    @classmethod
    def of(cls, fields: Fields) -> Plan:
        """That of what the library tells."""
        return cls(**{**fields, "tensors": _all_of(PlannedTensor, fields["tensors"])})


@dataclass(frozen=True)
class FloatDiff:
    base_norm: float | None
    fine_tune_norm: float | None
    delta_norm: float | None
    relative_norm: float | None
    largest_delta: float | None
    cosine: float | None
    base_nans: int
    base_infinities: int
    fine_tune_nans: int
    fine_tune_infinities: int
    sign_bit: int
    exponent_bits: tuple[int, ...]
    mantissa_bits: tuple[int, ...]
    steps: tuple[int, ...]


@dataclass(frozen=True)
class EffectiveRank:
    value: float
    estimated: bool


@dataclass(frozen=True)
class TensorDiff:
    name: str
    base_tensor: str | None
    status: str
    shard: str | None
    base_shard: str | None
    dtype: str | None
    shape: tuple[int, ...] | None
    base_dtype: str | None
    base_shape: tuple[int, ...] | None
    elements: int
    changed: int
    changed_share: float | None
    floats: FloatDiff | None
    effective_rank: EffectiveRank | None

    @classmethod
    def of(cls, fields: Fields) -> TensorDiff:
        """That of what the library tells."""
        floats, rank = fields["floats"], fields["effective_rank"]
        return cls(
            **{
                **fields,
                "floats": FloatDiff(**floats) if floats else None,
                "effective_rank": EffectiveRank(**rank) if rank else None,
            }
        )


@dataclass(frozen=True)
class FileDiff:
    path: str
    status: str


@dataclass(frozen=True)
class DiffReport:
    identical: bool
    base: str
    fine_tune: str
    equal: int
    changed: int
    resized: int
    not_comparable: int
    only_in_base: int
    only_in_fine_tune: int
    renamed: int
    elements: int
    changed_elements: int
    changed_share: float | None
    base_norm: float | None
    fine_tune_norm: float | None
    delta_norm: float | None
    relative_norm: float | None
    base_nans: int
    base_infinities: int
    fine_tune_nans: int
    fine_tune_infinities: int
    tensors: tuple[TensorDiff, ...]
    equal_files: int
    files: tuple[FileDiff, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, fields: Fields) -> DiffReport:
        """That of what the library tells."""
        return cls(
            **{
                **fields,
                "tensors": tuple(map(TensorDiff.of, fields["tensors"])),
                "files": _all_of(FileDiff, fields["files"]),
            }
        )


@dataclass(frozen=True)
class LoraTensor:
    """A tensor that differs from the base's."""

    name: str
    module: str | None
    dtype: str
    shape: tuple[int, ...]
    stored: str
    rank: int
    reason: str | None
    relative_change: float | None
    relative_error: float | None


@dataclass(frozen=True)
class LoraReport:
    adapter_bytes: int
    residual_bytes: int
    modules: int
    saved_modules: int
    left_out: int
    largest_rank: int
    energy_kept: float | None
    tensors: tuple[LoraTensor, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, fields: Fields) -> LoraReport:
        """That of what the library tells."""
        return cls(**{**fields, "tensors": _all_of(LoraTensor, fields["tensors"])})
