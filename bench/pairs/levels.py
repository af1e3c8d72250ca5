#!/usr/bin/env python3
"""Packs the weights of every real pair at several levels, and prints Markdown tables.

Usage: levels.py PROGRAM PAIRS

Only the fine-tune's .safetensors file is packed, against the bases' files, so that ratios are of
weights. Every archive is verified with its bases. One thread; times are of single runs.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pair_list import NAMES, Pair, real_pair, wheel_pair

LEVELS = (1, 3, 6, 9)


def weights(model: Path) -> Path:
    """The one shard of a model, or nothing that is a file."""
    return model / "model.safetensors" if model.is_dir() else model


def pack(program: str, pair: Pair, level: int, archive: Path) -> tuple[int, float]:
    """Bytes of the archive, and seconds."""
    bases = [weights(base) for base in pair.bases]
    common = ["-q", "--threads", "1"]
    start = time.perf_counter()
    command = [program, "pack", *bases, weights(pair.fine_tune), "-o", archive, "--force"]
    subprocess.run([*command, "--level", str(level), *common], check=True)
    seconds = time.perf_counter() - start
    given = [word for base in bases for word in ("--base", base)]
    subprocess.run([program, "verify", archive, *given, *common], check=True, capture_output=True)
    return archive.stat().st_size, seconds


def row(program: str, pair: Pair, archive: Path) -> str:
    size = weights(pair.fine_tune).stat().st_size
    packed = [pack(program, pair, level, archive) for level in LEVELS]
    ratios = [f"{size / bytes:.3f}" for bytes, _ in packed]
    speeds = [f"{size / 1e6 / seconds:.0f}" for _, seconds in packed]
    return f"| {pair.name} | {' | '.join(ratios)} | {' / '.join(speeds)} |"


def main() -> None:
    program, root = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        pairs = [real_pair(name, Path(root), scratch) for name in NAMES]
        wheels = wheel_pair(scratch)
        print(f"| pair | {' | '.join(f'-{level}' for level in LEVELS)} | pack MB/s |")
        print(f"|---|{'---:|' * (len(LEVELS) + 1)}")
        for pair in [*pairs, *([wheels] if wheels else [])]:
            models = [*pair.bases, pair.fine_tune]
            if all(weights(model).is_file() for model in models):
                print(row(program, pair, scratch / "archive"), flush=True)


if __name__ == "__main__":
    main()
