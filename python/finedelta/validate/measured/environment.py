"""What a run was measured on and with."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import zlib
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import finedelta
from finedelta import _core

_PACKAGES = ("numpy", "zstandard", "torch", "safetensors", "transformers")


@dataclass(frozen=True)
class Environment:
    date: str
    """UTC."""
    cpu: str
    cores: int
    """That the process may use, by its affinity and the limits of its control groups."""
    machine_cores: int
    memory_bytes: int
    system: str
    libc: str
    finedelta: str
    python: str
    packages: dict[str, str | None]
    """Versions; None: not installed."""
    scratch_file_system: str


def look_around(scratch: Path) -> Environment:
    return Environment(
        date=datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        cpu=_cpu(),
        cores=_core.default_threads(),
        machine_cores=os.cpu_count() or 0,
        memory_bytes=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        system=f"{platform.system()} {platform.release()}, {platform.machine()}",
        libc=" ".join(platform.libc_ver()),
        finedelta=finedelta.__version__,
        python=f"{platform.python_implementation()} {platform.python_version()}",
        packages={**{name: _version(name) for name in _PACKAGES}, "zlib": zlib.ZLIB_RUNTIME_VERSION},
        scratch_file_system=_file_system(scratch),
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or "unknown"


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _file_system(folder: Path) -> str:
    """That of the longest mount point above the folder."""
    best = ("", "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, point, kind, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        if len(point) >= len(best[0]) and folder.resolve().is_relative_to(point):
            best = (point, kind)
    return best[1]
