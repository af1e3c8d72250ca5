"""A folder of rebuilt models, for all processes of a machine.

An entry is a folder, called by a key that says what its model is, with

    model/  the model: it appears whole, by a rename, and its files are read-only
    lock    locked by who builds, checks or removes the entry
    used    locked (shared) by every process that was handed `model`, until that ends; the file's time is
            that of the last use

Locks are those of flock: the system drops them however a process ends. So an entry is never removed under
a running process, and a killed builder blocks nobody; what it left is taken for nothing and cleaned up.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from finedelta.errors import system_error

DEFAULT_CACHE_SIZE = 64 << 30

_KEY = re.compile("[0-9a-f]{64}")

_held: dict[Path, int] = {}
"""The open, locked file `used` of every entry that this process was handed."""


class Cache:
    def __init__(self, folder: Path | None = None, size: int = DEFAULT_CACHE_SIZE) -> None:
        """`folder` is $FINEDELTA_CACHE or ~/.cache/finedelta unless given, `size` the bytes to keep it
        within."""
        chosen = folder or os.environ.get("FINEDELTA_CACHE") or "~/.cache/finedelta"
        self._folder = Path(chosen).expanduser().absolute()
        self._size = size

    def model(
        self, key: str, size: int, is_complete: Callable[[Path], bool], build: Callable[[Path], None]
    ) -> Path:
        """The model of `key`. Where it is not there, or not complete, `build` makes it at a path, whole or
        not at all; `size` is about how many bytes it will have. Of several callers at once, one builds
        and the others wait."""
        entry = self._folder / key
        model = entry / "model"
        with self._locked(entry):
            if not is_complete(model):
                self._make_room(size)
                build(model)
                _make_read_only(model)
            self._hold(entry)
        return model

    @contextmanager
    def _locked(self, entry: Path) -> Iterator[None]:
        with self._explained():
            lock = _lock(entry)
        try:
            yield
        finally:
            os.close(lock)

    def _hold(self, entry: Path) -> None:
        used = entry / "used"
        with self._explained():
            if entry in _held and not _leads_to(used, _held[entry]):
                os.close(_held.pop(entry))  # the folder was removed by hand
            if entry not in _held:
                _held[entry] = _open(used)
            # Waits for nobody: who locks it otherwise has the entry's lock, as we do now.
            fcntl.flock(_held[entry], fcntl.LOCK_SH)
            with suppress(OSError):  # in a folder that is read-only
                os.utime(_held[entry])

    def _make_room(self, size: int) -> None:
        """Removes what killed builders left, and the entries whose last use is longest ago until `size`
        bytes more will fit: as far as they are not in use."""
        with self._explained():
            entries = [entry for entry in self._folder.iterdir() if _KEY.fullmatch(entry.name)]
            sizes = {entry: _bytes_in(entry) for entry in entries}
            total = size + sum(sizes.values())
            for entry in sorted(entries, key=_last_use):
                if total <= self._size and (entry / "model").exists():
                    continue
                if _remove(entry):
                    total -= sizes[entry]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise system_error(
                error,
                f"the cache {str(self._folder)!r} can't be used: {error.strerror}; name another folder"
                " with cache= or in FINEDELTA_CACHE",
            ) from error


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS):
            raise
        return os.open(path, os.O_RDONLY)


def _leads_to(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at `path`."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _lock(entry: Path) -> int:
    """Makes the entry's folder where it is not there, and takes its lock; to be closed."""
    while True:
        entry.mkdir(parents=True, exist_ok=True)
        try:
            lock = _open(entry / "lock")
        except FileNotFoundError:  # the entry was removed just now
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _leads_to(entry / "lock", lock):
                return lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)  # it was removed while we waited


def _remove(entry: Path) -> bool:
    """Removes the entry unless somebody uses it or builds it."""
    descriptors = []
    try:
        for name in ("lock", "used"):
            descriptors.append(_open(entry / name))
            fcntl.flock(descriptors[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in entry.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
        (entry / "used").unlink()
        (entry / "lock").unlink()  # last: who gets this lock now sees that it leads nowhere
        entry.rmdir()
    except OSError:  # in use; or another process removes it, or makes it anew
        return False
    finally:
        for descriptor in descriptors:
            os.close(descriptor)
    return True


def _last_use(entry: Path) -> float:
    try:
        return (entry / "used").stat().st_mtime
    except FileNotFoundError:  # nobody was handed it yet
        return 0


def _bytes_in(folder: Path) -> int:
    size = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                size += os.lstat(os.path.join(parent, name)).st_size
    return size


def _make_read_only(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) & ~0o222)
