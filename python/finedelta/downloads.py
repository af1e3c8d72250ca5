"""What is found through huggingface_hub: in its cache, or downloaded into it where that is allowed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from finedelta import arguments
from finedelta.errors import FineDeltaError, UsageError
from finedelta.extras import extra

ARCHIVE_NAME = "delta.fd"
"""The archive in a delta repository."""

_REPOSITORY = re.compile(r"(?P<name>(?:\w[\w.-]*/)?\w[\w.-]*)(?:@(?P<revision>\S+))?", re.ASCII)


def is_repository(name: str) -> bool:
    """Whether a repository of the hub may have this name, which has no revision."""
    match = _REPOSITORY.fullmatch(name)
    return match is not None and match["revision"] is None


@contextmanager
def told(doing: str) -> Iterator[None]:
    """Errors of huggingface_hub, of which there are many unrelated kinds, as ours."""
    try:
        yield
    except FineDeltaError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__  # its messages have several lines
        raise FineDeltaError(f"{doing} failed: {reason}") from error


def find_archive(archive_or_repo: arguments.Path, download: bool) -> Path:
    """The archive that is meant: this file, that in this directory, or that in this repository of the hub
    (at the commit that its revision stands for)."""
    path = Path(os.fsdecode(archive_or_repo))
    if path.is_dir():
        if not (path / ARCHIVE_NAME).is_file():
            raise UsageError(
                f"the directory {str(path)!r} has no {ARCHIVE_NAME}, so it is no delta repository"
            )
        return path / ARCHIVE_NAME
    match = _REPOSITORY.fullmatch(str(path))
    if path.exists() or not match or "/" not in match["name"]:
        return path
    return _archive_of_repository(match["name"], match["revision"], download)


def _archive_of_repository(name: str, revision: str | None, download: bool) -> Path:
    shown = f"{name}@{revision}" if revision else name
    with extra("hub"):
        import huggingface_hub
        from huggingface_hub.errors import LocalEntryNotFoundError
    with told(f"finding {shown!r}"):
        try:
            found: str = huggingface_hub.hf_hub_download(
                name, ARCHIVE_NAME, revision=revision, local_files_only=not download
            )
        except LocalEntryNotFoundError:
            if download:
                raise
            raise FineDeltaError(
                f"there is no file or directory {shown!r}, and no delta repository of that name in the"
                " local Hugging Face cache; pass download=True to fetch it from the hub"
            ) from None
    return Path(found)


def download_named(base: arguments.Models, side_files: Iterable[str]) -> list[arguments.Path]:
    """The given bases; those of them that are repositories of the hub are downloaded."""
    found: list[arguments.Path] = []
    for given in arguments.paths_of(base):
        match = _REPOSITORY.fullmatch(os.fsdecode(given))
        if match and not os.path.exists(given):
            found.append(download_base(match["name"], match["revision"], side_files))
        else:
            found.append(given)
    return found


def download_base(name: str, revision: str | None, side_files: Iterable[str]) -> str:
    """The folder of a base in the Hugging Face cache, with its weights, its configuration and these side
    files."""
    with extra("hub"):
        import huggingface_hub
    patterns = ["*.safetensors", "*.json", *map(_literally, side_files)]
    with told(f"downloading the base {name!r} (revision {revision or 'main'!r})"):
        folder: str = huggingface_hub.snapshot_download(
            name, revision=revision, allow_patterns=patterns
        )
    return folder


def _literally(path: str) -> str:
    """A pattern for this path only."""
    return re.sub(r"([*?[])", r"[\1]", path)
