"""Progress as a bar, a function or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

ProgressFunction = Callable[[int, int], object]
"""Called with the bytes done and the bytes in all. What it raises stops the operation."""

Progress = ProgressFunction | bool | None
"""A function; True for a bar; False for nothing; None for a bar on a terminal or in a notebook."""


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _someone_watches() -> bool:
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


@contextmanager
def reporting(progress: Progress, doing: str) -> Iterator[ProgressFunction | None]:
    """What is to be called with (done, total), for as long as an operation takes."""
    if callable(progress):
        yield progress
        return
    if not (_someone_watches() if progress is None else progress):
        yield None
        return
    from tqdm.auto import tqdm

    bar: tqdm[Any] = tqdm(desc=doing, unit="B", unit_scale=True, leave=False)

    def show(done: int, total: int) -> None:
        bar.total = total
        bar.update(done - bar.n)

    with bar:
        yield show
