"""The tensors of an archive, as `safetensors.safe_open` has those of a file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np

from finedelta import _core
from finedelta.arguments import Models, Path, memory_limit, paths_of
from finedelta.errors import UsageError
from finedelta.frameworks import ITEM_BYTES, Bytes, Framework, conversion, item_shape
from finedelta.indexing import Index, Window
from finedelta.progress import Progress, reporting
from finedelta.reports import ArchiveSummary, TensorSummary

# Bytes that are read at a time: what Ctrl-C may have to wait for.
_STEP = 64 << 20

Read = tuple[int, int, Bytes]
"""Place of a tensor in the archive, its first byte to read, and what to fill."""


class Archive:
    """An archive, opened for reading single tensors, or rows of them, as `safetensors.safe_open` does. What is
    asked for is decoded, in chunks of 2^18 elements, and checked; nothing else is. A base is looked for when a
    tensor first needs it. Several threads may read at once.

    `base` as for `unpack`. `framework` says what tensors are: "pt" (PyTorch, on `device`), "np" (numpy;
    types that it lacks are those of ml_dtypes) or "dlpack" (objects with `__dlpack__`). `layers` is how
    many to read of a progressive archive (0: all), `threads` how many to decode with (0: as many as the
    process may use), `memory` the bytes that reading may take beside the tensors.
    """

    def __init__(
        self,
        archive: Path,
        base: Models = None,
        *,
        framework: Framework = "pt",
        device: Any = "cpu",
        layers: int = 0,
        threads: int = 0,
        memory: int | None = None,
    ) -> None:
        self._convert = conversion(framework)
        self._device = device
        self._reader: _core.Reader | None = _core.Reader(
            os.fsencode(archive), paths_of(base), layers, threads, memory_limit(memory)
        )
        self._summary = ArchiveSummary.of(self._reader.summary())
        # Where several shards have a tensor of one name, the first counts.
        self._places: dict[str, int] = {}
        for place, tensor in enumerate(self._summary.tensors):
            self._places.setdefault(tensor.name, place)

    def __enter__(self) -> Archive:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the files. Tensors that were read stay."""
        self._reader = None

    @property
    def summary(self) -> ArchiveSummary:
        """As `inspect` tells, but without the ranks."""
        return self._summary

    def keys(self) -> list[str]:
        """Names of the tensors: by shard, then by place in the shard."""
        return list(self._places)

    def metadata(self) -> dict[str, str] | None:
        """What the shards' headers have in `__metadata__`; of what they disagree on, the first's."""
        found = [file.metadata for file in self._summary.files if file.metadata is not None]
        if not found:
            return None
        return {key: value for metadata in reversed(found) for key, value in metadata.items()}

    def get_tensor(self, name: str) -> Any:
        """The tensor `name`."""
        return self.get_slice(name)[...]

    def get_slice(self, name: str) -> TensorSlice:
        """Tensor `name`, of which nothing is read until it is indexed."""
        if name not in self._places:
            raise UsageError(f"the archive has no tensor {name!r}")
        return TensorSlice(self, self._places[name])

    def _tensor(self, place: int) -> TensorSummary:
        return self._summary.tensors[place]

    def _read(self, reads: list[Read]) -> None:
        if self._reader is None:
            raise UsageError("the archive is closed")
        self._reader.read(reads)


class TensorSlice:
    """A tensor of an open archive, to be indexed as an array is: with numbers, ranges and `...`. Only the
    rows (of the first dimension that is not a single number) that are asked for are decoded."""

    def __init__(self, archive: Archive, place: int) -> None:
        self._archive = archive
        self._place = place
        self._about = archive._tensor(place)

    def get_shape(self) -> list[int]:
        return list(self._about.shape)

    def get_dtype(self) -> str:
        """As in a safetensors header: "BF16"."""
        return self._about.dtype

    def __getitem__(self, index: Index) -> Any:
        window = Window(self._items(), index)
        data = np.empty((*window.shape, self._item_bytes), np.uint8)
        first = window.first * self._item_bytes
        for _ in _fill(self._archive, [(self._place, first, data.reshape(-1))]):
            pass
        wanted = data[(*window.index, slice(None))]
        # What was read beside it is not to be kept alive.
        return self._convert(wanted if wanted.nbytes == data.nbytes else wanted.copy())

    def _items(self) -> tuple[int, ...]:
        return item_shape(self._about.dtype, self._about.shape, self._about.name)

    @property
    def _item_bytes(self) -> int:
        return ITEM_BYTES[self._about.dtype]

    def _empty(self) -> Bytes:
        """Room for the whole tensor."""
        return np.empty((*self._items(), self._item_bytes), np.uint8)

    def _convert(self, data: Bytes) -> Any:
        return self._archive._convert(data, self._about.dtype, self._archive._device)


open = Archive
"""As `safetensors.safe_open`."""


def load_file(
    archive: Path,
    base: Models = None,
    *,
    framework: Framework = "pt",
    device: Any = "cpu",
    layers: int = 0,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> dict[str, Any]:
    """All tensors of `archive` by name, as `safetensors.torch.load_file` has those of a file: a state
    dict. Arguments as for `open`. Only a tensor or two at a time are in memory twice, where `device` is
    not the CPU."""
    tensors = {}
    with (
        open(archive, base, framework=framework, device=device, layers=layers, threads=threads,
             memory=memory) as opened,
        reporting(progress, "loading") as report,
    ):
        slices = {name: opened.get_slice(name) for name in opened.keys()}
        total = sum(part._about.bytes for part in slices.values())
        done = 0
        for group in _groups(slices):
            data = {name: slices[name]._empty() for name in group}
            for size in _fill(opened, [(slices[n]._place, 0, data[n].reshape(-1)) for n in group]):
                done += size
                if report:
                    report(done, total)
            for name in group:
                tensors[name] = slices[name]._convert(data.pop(name))
    return tensors


def _fill(archive: Archive, reads: list[Read]) -> Iterator[int]:
    """Reads piece by piece, so that Python can look at signals in between. Yields the bytes of each."""
    batch: list[Read] = []
    size = 0
    for place, first, data in reads:
        for begin in range(0, len(data), _STEP):
            piece = data[begin : begin + _STEP]
            if batch and size + len(piece) > _STEP:
                archive._read(batch)
                yield size
                batch, size = [], 0
            batch.append((place, first + begin, piece))
            size += len(piece)
    if batch:
        archive._read(batch)
        yield size


def _groups(slices: dict[str, TensorSlice]) -> Iterator[list[str]]:
    """Names of neighbours that are worth reading at once."""
    group: list[str] = []
    size = 0
    for name, part in slices.items():
        group.append(name)
        size += part._about.bytes
        if size >= _STEP:
            yield group
            group, size = [], 0
    if group:
        yield group
