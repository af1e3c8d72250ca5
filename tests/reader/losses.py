"""How near what comes out of a lossy archive is to what was packed (3.9 of docs/format.md)."""

from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from archive import Archive
from bases import BaseSet
from checkpoints import Pair
from floats import convert, widen
from primitives import DType
from records import Loss
from safetensors_header import parse_shard

Array = npt.NDArray[Any]

SHARES = 65535


def upper_half(number: float) -> int:
    """That of an F32 number, rounded up."""
    rounded = np.float32(number)
    if rounded < number:
        rounded = np.nextafter(rounded, np.float32(np.inf))
    return -(-int(rounded.view(np.uint32)) // 65536)


def values(data: bytes, dtype: DType) -> Array:
    return widen(data, dtype.name).view(np.float32).astype(np.float64)


def ratio(part: float, whole: float) -> float:
    """All of nothing is 1."""
    return part / whole if whole else 1.0


def measure(base: Array, fine: Array, out: Array) -> tuple[float, float, float, float, float]:
    """The numbers as Loss has them, not rounded."""
    counted = np.isfinite(base) & np.isfinite(fine) & np.isfinite(out)
    base, fine, out = base[counted], fine[counted], out[counted]
    error, wanted, got = out - fine, fine - base, out - base
    changed = wanted != 0
    norms = np.sqrt((got**2).sum() * (wanted**2).sum())
    return (
        float(np.sqrt((error**2).sum() / (wanted**2).sum())) if changed.any() else 0.0,
        float(np.abs(error).max(initial=0)),
        float((got * wanted).sum() / norms) if norms else float(not changed.any()),
        ratio((np.sign(got) == np.sign(wanted))[changed].sum(), changed.sum()),
        ratio((got == 0).sum(), len(got)),
    )


def loss_of(base: bytes, base_dtype: DType, fine: bytes, out: bytes, dtype: DType) -> Loss:
    """Of one tensor."""
    had = convert(base, base_dtype.name, dtype.name)[: len(fine)].ljust(len(fine), b"\0")
    relative, largest, cosine, signs, zeros = measure(
        *(values(data, dtype) for data in (had, fine, out))
    )
    shares = (round(SHARES * share) for share in ((cosine + 1) / 2, signs, zeros))
    return Loss(upper_half(relative), upper_half(largest), *shares)


def near(found: Loss | None, wanted: Loss | None) -> bool:
    """The sums of others may be rounded apart from ours."""
    if found is None or wanted is None:
        return found is wanted
    numbers = zip(astuple(found), astuple(wanted), strict=True)
    return all(abs(one - other) <= 1 for one, other in numbers)


def data_of(root: Path, shard: bytes) -> dict[bytes, bytes]:
    """The tensors of a shard of a checkpoint."""
    content = (root / shard.decode() if root.is_dir() else root).read_bytes()
    return {place.name: content[place.begin : place.end] for place in parse_shard(content).tensors}


def compare(pair: Pair, archive: Archive, out: Path) -> dict[bytes, Loss | None]:
    """What became of each tensor in a checkpoint that came out of an archive."""
    bases = BaseSet(pair.bases)
    found: dict[bytes, Loss | None] = {}
    for file in archive.index.shards():
        packed, unpacked = (data_of(root, file.path) for root in (pair.fine_tune, out))
        for tensor in file.tensors:
            data = packed[tensor.name], unpacked[tensor.name]
            found[tensor.name] = None
            if data[0] != data[1]:
                base = archive.index.base_tensors[tensor.base_tensors[0]]
                found[tensor.name] = loss_of(bases.tensor(base), base.dtype, *data, tensor.dtype)
    return found
