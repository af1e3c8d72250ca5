#!/usr/bin/env python3
"""Packs, verifies and unpacks a large made-up pair, and prints a Markdown table of what it took.

Usage: run.py PROGRAM PEAK_MEMORY FOLDER [--gib SIZE] [-- OPTION...]

PROGRAM is finedelta, PEAK_MEMORY the small program of that name in the build directory. In FOLDER,
which needs about three times SIZE (4 GiB unless given) of free space, a base and a fine-tune are
made and removed again. Options after `--` go to every step, for instance `--memory 64M`.

The pair: bf16, two shards of seven tensors each, one of them a quarter of all. The base is Gaussian
with a deviation of 0.02, the fine-tune adds Gaussian steps of 1e-4 before rounding. Values repeat
after 16 Mi of them, further apart than the program looks. The rebuilt files are compared byte for
byte. Times are of single runs, of whole processes, up to the output being on disk.
"""

import argparse
import filecmp
import sys
from pathlib import Path

import numpy as np
from common import in_scratch, parse, run_steps, shard_start

TILE = 1 << 24
PARTS = [8, 2, 2, 1, 1, 1, 1]  # sixteenths of a shard


def to_bf16(values: np.ndarray) -> np.ndarray:
    """Rounded to nearest, ties to even."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def make_tiles(seed: int) -> tuple[bytes, bytes]:
    """Values of a base and of its fine-tune."""
    random = np.random.default_rng(seed)
    base = to_bf16(random.standard_normal(TILE, np.float32) * np.float32(0.02))
    exact = (base.astype(np.uint32) << 16).view(np.float32)
    step = random.standard_normal(TILE, np.float32) * np.float32(1e-4)
    return base.tobytes(), to_bf16(exact + step).tobytes()


def write_shard(path: Path, size: int, tile: bytes) -> None:
    counts = [size // 2 * part // sum(PARTS) for part in PARTS]
    shapes = {f"{path.stem}.{number}": (count,) for number, count in enumerate(counts)}
    left = 2 * sum(counts)
    with path.open("wb") as file:
        file.write(shard_start("BF16", shapes))
        while left > 0:
            file.write(memoryview(tile)[:left])
            left -= min(left, len(tile))


def make_pair(folder: Path, size: int) -> None:
    for shard in range(2):
        for model, tile in zip(("base", "tune"), make_tiles(shard), strict=True):
            (folder / model).mkdir(exist_ok=True)
            write_shard(folder / model / f"model-{shard}.safetensors", size // 2, tile)


def same(left: Path, right: Path) -> bool:
    names = sorted(path.name for path in left.iterdir())
    if names != sorted(path.name for path in right.iterdir()):
        return False
    return filecmp.cmpfiles(left, right, names, shallow=False) == (names, [], [])


def run(arguments: argparse.Namespace, folder: Path) -> None:
    make_pair(folder, int(arguments.gib * (1 << 30)))
    base, tune, archive, output = (str(folder / name) for name in ("base", "tune", "x.fd", "out"))
    size = sum(path.stat().st_size for path in (folder / "tune").iterdir())
    steps = [
        ["pack", base, tune, "-o", archive],
        ["verify", archive, "--base", base],
        ["unpack", base, archive, "-o", output],
    ]
    run_steps(arguments, size, [(words[0], words + arguments.options) for words in steps])
    packed = Path(archive).stat().st_size
    if not same(folder / "tune", folder / "out"):
        sys.exit("the rebuilt fine-tune differs")
    print(f"\n{size / 1e6:.1f} MB into {packed / 1e6:.1f} MB ({size / packed:.2f}x); "
          "the rebuilt files are the same, byte for byte.")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--gib", type=float, default=4)
    arguments = parse(parser)
    needed = 3.2 * arguments.gib * (1 << 30)
    in_scratch(arguments.folder, needed, lambda folder: run(arguments, folder))


if __name__ == "__main__":
    main()
