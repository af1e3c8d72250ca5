"""Bytes of a tensor as the tensor of a framework."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from finedelta import _core
from finedelta.errors import UsageError

Framework = Literal["pt", "np", "dlpack"]

Bytes = npt.NDArray[np.uint8]

ITEM_BYTES = {
    "BOOL": 1,
    **{f"{kind}{bits}": bits // 8 for kind in "UI" for bits in (8, 16, 32, 64)},
    **{"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "C64": 8},
    **{"F8_E4M3": 1, "F8_E5M2": 1, "F8_E4M3FNUZ": 1, "F8_E5M2FNUZ": 1, "F8_E8M0": 1},
    "F4": 1,
}
"""Bytes of an item, by safetensors dtype. Two F4 are one item; F6 has no items of whole bytes."""

_NUMPY = {
    "BOOL": "bool",
    **{f"U{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    **{f"I{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{"F16": "float16", "F32": "float32", "F64": "float64", "C64": "complex64"},
}

_ML_DTYPES = {
    "BF16": "bfloat16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E8M0": "float8_e8m0fnu",
}

_TORCH = {**_NUMPY, **_ML_DTYPES, "F4": "float4_e2m1fn_x2"}


_NAMES = {name: dtype for dtype, name in _TORCH.items()}


def dtype_of(tensor: Any, name: str) -> tuple[str, list[int]]:
    """Type and shape that tensor `name` of PyTorch or numpy would have in a safetensors header."""
    kind = str(tensor.dtype).removeprefix("torch.")
    if kind not in _NAMES:
        raise UsageError(f"tensor {name!r} is of type {kind}, which safetensors does not have")
    shape = list(tensor.shape)
    if _NAMES[kind] == "F4":
        shape[-1] *= 2
    return _NAMES[kind], shape


# Of numpy's arrays, less the one that tells the bytes of an item apart.
_MOST_DIMENSIONS = 63 if int(np.__version__.split(".")[0]) >= 2 else 31


def item_shape(dtype: str, shape: tuple[int, ...], name: str) -> tuple[int, ...]:
    """The shape of tensor `name` in items."""
    if dtype not in ITEM_BYTES:
        raise UsageError(f"tensor {name!r} is of type {dtype}, which no framework has")
    if len(shape) > _MOST_DIMENSIONS:
        raise UsageError(f"tensor {name!r} has {len(shape)} dimensions, too many to be read as an array")
    if dtype != "F4":
        return shape
    if not shape or shape[-1] % 2:
        raise UsageError(f"tensor {name!r} of type F4 has rows that are not whole bytes")
    return (*shape[:-1], shape[-1] // 2)


def _numpy_dtype(dtype: str) -> np.dtype[Any]:
    if dtype in _NUMPY:
        return np.dtype(_NUMPY[dtype])
    if dtype not in _ML_DTYPES:
        raise UsageError(f"numpy has no type for {dtype}; use framework='pt'")
    try:
        import ml_dtypes
    except ImportError:
        raise UsageError(
            f"numpy has no type for {dtype}; install ml_dtypes, or use framework='pt' or 'dlpack'"
        ) from None
    kind: np.dtype[Any] = np.dtype(getattr(ml_dtypes, _ML_DTYPES[dtype]))
    return kind


def _to_numpy(data: Bytes, dtype: str, device: Any) -> npt.NDArray[Any]:
    if device != "cpu":
        raise UsageError(f"numpy has no device {str(device)!r}; use framework='pt'")
    return data.view(_numpy_dtype(dtype))[..., 0]


def _to_torch(data: Bytes, dtype: str, device: Any) -> Any:
    import torch

    kind = getattr(torch, _TORCH[dtype], None)
    if kind is None:
        raise UsageError(f"torch {torch.__version__} has no type for {dtype}")
    return torch.from_numpy(data.reshape(-1)).view(kind).reshape(data.shape[:-1]).to(device)


def _to_dlpack(data: Bytes, dtype: str, device: Any) -> Any:
    if device != "cpu":
        raise UsageError(f"DLPack data is on the CPU, not on device {str(device)!r}")
    return _core.dlpack(data, dtype)


_CONVERSIONS: dict[str, Callable[[Bytes, str, Any], Any]] = {
    "pt": _to_torch,
    "np": _to_numpy,
    "dlpack": _to_dlpack,
}


def conversion(framework: str) -> Callable[[Bytes, str, Any], Any]:
    """The function that makes a tensor of (contiguous bytes of shape (*items, bytes of an item), dtype,
    device), without a copy on the CPU."""
    if framework not in _CONVERSIONS:
        raise UsageError(f"framework {framework!r} is not one of {', '.join(_CONVERSIONS)}")
    return _CONVERSIONS[framework]
