"""Turning a base that is in memory into its fine-tune."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np

from finedelta import _core
from finedelta.arguments import Path, memory_limit
from finedelta.errors import UsageError
from finedelta.frameworks import Bytes, dtype_of
from finedelta.operations import inspect
from finedelta.progress import Progress, reporting
from finedelta.reports import ApplyReport

Check = Literal["full", "touched"]


def apply_(
    state_dict: Mapping[str, Any],
    archive: Path,
    *,
    check: Check = "full",
    layers: int = 0,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> ApplyReport:
    """Makes of `state_dict`, which has the tensors of the archive's base, that of its fine-tune: in place,
    without a second copy, all of it or nothing.

    Tensors are PyTorch's on the CPU, or numpy's; contiguous; by name, type and shape those of the archive,
    of which each must be stored against the base's of its name. Names that share the memory of another that
    the archive has (tied weights) may be there too.

    The archive is checked and decoded before anything is changed: after an error, or Ctrl-C meanwhile, the
    state dict is what it was. (Ctrl-C, or what `progress` raises, may come too late: then all is changed, and the
    exception has a note that says so.) `check="full"` checks every weight, before and after. `check="touched"` looks
    at nothing but what changes, where the archive says that apart, which one of level 1 or 2 does where few
    weights changed: before, by the hash of what comes out, and with it of what was there.

    Nobody else may use the tensors meanwhile. `memory` is what the call may take beside them and the archive,
    which is in memory until it returns.
    """
    if check not in ("full", "touched"):
        raise UsageError(f"check {check!r} is neither 'full' nor 'touched'")
    tensors = _without_aliases(state_dict, archive)
    with reporting(progress, "applying") as report:
        fields = _core.apply(
            archive=os.fsencode(archive),
            tensors=[
                (name, *dtype_of(tensor, name), _bytes_of(tensor, name))
                for name, tensor in tensors.items()
            ],
            full=check == "full",
            layers=layers,
            threads=threads,
            memory=memory_limit(memory) + 2 * os.stat(archive).st_size,
            progress=report,
        )
    _note_changes(tensors.values())
    return ApplyReport(**fields)


def _is_torch(tensor: Any) -> bool:
    # What is no tensor of PyTorch's if PyTorch was never imported need not import it.
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(tensor, torch.Tensor)


def _place(tensor: Any) -> int:
    address: int = tensor.data_ptr() if _is_torch(tensor) else tensor.ctypes.data
    return address


def _without_aliases(state_dict: Mapping[str, Any], archive: Path) -> Mapping[str, Any]:
    """Of names that share their memory, those that the archive has."""
    places = {_place(tensor) for tensor in state_dict.values() if tensor.nbytes > 0}
    if len(places) == sum(tensor.nbytes > 0 for tensor in state_dict.values()):
        return state_dict
    names = {tensor.name for tensor in inspect(archive).tensors}
    kept = {_place(tensor) for name, tensor in state_dict.items() if name in names}
    return {
        name: tensor
        for name, tensor in state_dict.items()
        if name in names or _place(tensor) not in kept
    }


def _bytes_of(tensor: Any, name: str) -> Bytes:
    """The tensor's own memory."""
    if not _is_torch(tensor):
        if not (tensor.flags.c_contiguous and tensor.flags.writeable):
            raise UsageError(f"array {name!r} is not contiguous, or not to be written to")
        flat: Bytes = tensor.reshape(-1).view(np.uint8)
        return flat
    if tensor.device.type != "cpu":
        raise UsageError(
            f"tensor {name!r} is on device {tensor.device}: only what is in the CPU's memory can be changed "
            "in place; load_file(..., device=...) makes new tensors"
        )
    if not tensor.is_contiguous():
        raise UsageError(f"tensor {name!r} is not contiguous")
    import torch

    values: Bytes = tensor.detach().reshape(-1).view(torch.uint8).numpy()
    return values


def _note_changes(tensors: Iterable[Any]) -> None:
    """Lets autograd know, which refuses to use what it saved for a backward pass before."""
    for tensor in filter(_is_torch, tensors):
        sys.modules["torch"].autograd.graph.increment_version(tensor)
