"""Smaller models cut from large ones: the first rows of every tensor."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finedelta.validate.models.checkpoint import first_rows, pairs_of, write_copy


@contextmanager
def cut_pair(base: Path, fine_tune: Path, share: float, scratch: Path) -> Iterator[tuple[Path, Path]]:
    """Both models cut to that share of the tensors that they share, without other files; removed at the
    end."""
    folder = scratch / "cut"
    paths = (folder / "base.safetensors", folder / "fine-tune.safetensors")
    folder.mkdir()
    try:
        for path, tensors in zip(paths, zip(*pairs_of(base, fine_tune), strict=True), strict=True):
            write_copy([first_rows(tensor, share) for tensor in tensors], path)
        yield paths
    finally:
        shutil.rmtree(folder)
