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
import json
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

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
    entries: dict[str, object] = {}
    offset = 0
    for number, part in enumerate(PARTS):
        count = size // 2 * part // sum(PARTS)
        end = offset + 2 * count
        entries[f"{path.stem}.{number}"] = {
            "dtype": "BF16", "shape": [count], "data_offsets": [offset, end],
        }  # fmt: skip
        offset = end
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        while offset > 0:
            file.write(memoryview(tile)[:offset])
            offset -= min(offset, len(tile))


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


def run_step(command: list[str], size: int, verb: str) -> None:
    start = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"{verb} failed: {done.stderr}")
    peak = int(done.stderr.splitlines()[-1]) / 1024
    print(f"| {verb} | {seconds:.1f} | {size / seconds / 1e6:.0f} | {peak:.0f} |", flush=True)


def run(arguments: argparse.Namespace, folder: Path) -> None:
    make_pair(folder, int(arguments.gib * (1 << 30)))
    base, tune, archive, output = (str(folder / name) for name in ("base", "tune", "x.fd", "out"))
    size = sum(path.stat().st_size for path in (folder / "tune").iterdir())

    print("| step | seconds | MB/s of the fine-tune | peak memory, MiB |")
    print("|---|---:|---:|---:|")
    for words in (
        ["pack", base, tune, "-o", archive],
        ["verify", archive, "--base", base],
        ["unpack", base, archive, "-o", output],
    ):
        command = [arguments.peak_memory, arguments.program, words[0], "-q", *words[1:]]
        run_step(command + arguments.options, size, words[0])
    packed = Path(archive).stat().st_size
    if not same(folder / "tune", folder / "out"):
        sys.exit("the rebuilt fine-tune differs")
    print(f"\n{size / 1e6:.1f} MB into {packed / 1e6:.1f} MB ({size / packed:.2f}x); "
          "the rebuilt files are the same, byte for byte.")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("program")
    parser.add_argument("peak_memory")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--gib", type=float, default=4)
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:end])
    arguments.options = words[end + 1 :]
    needed = 3.2 * arguments.gib * (1 << 30)
    if shutil.disk_usage(arguments.folder).free < needed:
        sys.exit(f"{arguments.folder} has less than {needed / 1e9:.0f} GB free")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as scratch:
        run(arguments, Path(scratch))


if __name__ == "__main__":
    main()
