"""An archive as a directory that anything can load a model from."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib

from finedelta.arguments import Models, Path
from finedelta.cache import DEFAULT_CACHE_SIZE, Cache
from finedelta.downloads import download_base, download_named, find_archive
from finedelta.errors import FineDeltaError, UsageError
from finedelta.operations import unpack
from finedelta.progress import Progress
from finedelta.reader import open as open_archive
from finedelta.reports import ArchiveSummary

_BASE_IS_MISSING = "it is not in the local Hugging Face cache"
"""What the library says of a base that it looked for; nothing else tells this error from others."""


def materialize(
    archive_or_repo: Path,
    base: Models = None,
    *,
    cache: Path | None = None,
    cache_size: int = DEFAULT_CACHE_SIZE,
    download: bool = False,
    layers: int = 0,
    threads: int = 0,
    memory: int | None = None,
    progress: Progress = None,
) -> pathlib.Path:
    """A directory with what is in an archive, as `transformers.AutoModel.from_pretrained` loads it.

    `archive_or_repo` is an archive, a directory that is a delta repository, or such a repository of the hub
    (`org/name[@revision]`) in the local Hugging Face cache. A base that is left out is looked for in that
    cache by the identity that the archive records. What is in neither is downloaded if `download` says so.

    The directory is in the folder `cache` (None: $FINEDELTA_CACHE or ~/.cache/finedelta), is rebuilt only
    if it is not there yet, and is not to be changed. It stays at least until the process ends; after that
    those whose last use is longest ago make room for new ones when all would take over `cache_size` bytes.
    `layers`, `threads`, `memory` and `progress` as for `unpack`.
    """
    archive = find_archive(archive_or_repo, download)
    # Not `inspect`: this has the hashes of what comes out of these layers.
    with open_archive(archive, layers=layers, memory=memory) as opened:
        summary = opened.summary
    require_directory(archive, summary)

    def rebuild(output: pathlib.Path, bases: Models) -> None:
        # With SHA-256, so that an entry of the cache holds what its key says, whatever an archive claims.
        unpack(archive, output, base=bases, layers=layers, sha256=True, force=True, threads=threads,
               memory=memory, progress=progress)

    def build(output: pathlib.Path) -> None:
        if base is not None:
            rebuild(output, download_named(base, _side_files(summary)) if download else base)
            return
        try:
            rebuild(output, None)
        except FineDeltaError as error:
            if _BASE_IS_MISSING not in str(error) or not all(b.name for b in summary.bases):
                raise
            if not download:
                raise FineDeltaError(f"{error}, or pass download=True to fetch it from the hub") from None
            rebuild(output, _recorded_bases(summary))

    where = None if cache is None else pathlib.Path(os.fsdecode(cache))
    return Cache(where, cache_size).model(
        _key(summary), summary.input_bytes, lambda model: _is_complete(model, summary), build
    )


def require_directory(archive: pathlib.Path, summary: ArchiveSummary) -> None:
    if summary.single_file:
        raise UsageError(
            f"{str(archive)!r} holds a single file, without the config.json that loading a model takes;"
            " use finedelta.unpack or finedelta.load_file"
        )


def _key(summary: ArchiveSummary) -> str:
    """Of what comes out: paths and SHA-256 of all files. It takes the archive's index only, and archives
    of one model, made with whatever level, share an entry."""
    files = [(file.path, file.executable, file.bytes, file.sha256) for file in summary.files]
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _is_complete(model: pathlib.Path, summary: ArchiveSummary) -> bool:
    for file in summary.files:
        path = model / file.path
        if file.kind == "directory":
            if not path.is_dir():
                return False
        elif not path.is_file() or path.stat().st_size != file.bytes:
            return False
    return True


def _side_files(summary: ArchiveSummary) -> list[str]:
    """Those that are stored as what they add to the base's files of the same paths."""
    return [file.path for file in summary.files if file.kind in ("patch", "reference")]


def _recorded_bases(summary: ArchiveSummary) -> list[Path]:
    return [
        download_base(base.name, base.revision, _side_files(summary))
        for base in summary.bases
        if base.name
    ]
