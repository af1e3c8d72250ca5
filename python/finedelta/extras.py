"""Packages that are needed for some calls only, and so come as extras of this one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from finedelta.errors import FineDeltaError


@contextmanager
def extra(name: str) -> Iterator[None]:
    """For the imports of what the extra `name` brings."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise FineDeltaError(
            f"this needs the package {error.name}: pip install 'finedelta[{name}]'"
        ) from error
