"""What several rooms do with files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def put(made: Path, target: Path, replaced: Path) -> None:
    """Renames `made` to `target`; what is there goes to `replaced`, and comes back after an error."""
    if not target.exists():
        made.rename(target)
        return
    target.rename(replaced)
    try:
        made.rename(target)
    except BaseException:
        replaced.rename(target)
        raise


def sha256_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
