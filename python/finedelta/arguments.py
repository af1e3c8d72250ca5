"""Arguments that many calls have in common, as the library takes them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from os import PathLike

from finedelta import _core

Path = str | bytes | PathLike[str] | PathLike[bytes]

Models = Path | Iterable[Path] | None
"""A model (a directory, a .safetensors file, or `org/name[@revision]` in the local Hugging Face cache),
several, or none."""


def paths_of(models: Models) -> list[bytes]:
    if models is None:
        return []
    if isinstance(models, (str, bytes, PathLike)):
        return [os.fsencode(models)]
    return [os.fsencode(model) for model in models]


def memory_limit(memory: int | None) -> int:
    """The library's limit counts the whole process; that of a call, what the call may add."""
    with open("/proc/self/statm", "rb") as statm:
        resident = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    limit = _core.DEFAULT_MEMORY if memory is None else memory
    return limit if limit < _core.LEAST_MEMORY else resident + limit
