"""What the measurements of large pairs share: the command line, a scratch folder, shards, timed steps."""

import argparse
import json
import math
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """`parser` with PROGRAM, PEAK_MEMORY and FOLDER; `options` is what stands behind `--`."""
    parser.add_argument("program")
    parser.add_argument("peak_memory")
    parser.add_argument("folder", type=Path)
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:end])
    arguments.options = words[end + 1 :]
    return arguments


def in_scratch(folder: Path, needed: float, run: Callable[[Path], None]) -> None:
    """Runs in a new folder, which is removed again, if there are so many bytes of free space."""
    if shutil.disk_usage(folder).free < needed:
        sys.exit(f"{folder} has less than {needed / 1e9:.0f} GB free")
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        run(Path(scratch))


def shard_start(dtype: str, shapes: dict[str, tuple[int, ...]]) -> bytes:
    """Length and header of a shard of tensors of 2-byte elements, in that order."""
    entries: dict[str, object] = {}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * math.prod(shape)
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}
        offset = end
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    return struct.pack("<Q", len(header)) + header


def run_steps(
    arguments: argparse.Namespace, size: int, steps: list[tuple[str, list[str]]]
) -> None:
    """Prints a row of a Markdown table for each step, a name and the words for the program."""
    print("| step | seconds | MB/s of the fine-tune | peak memory, MiB |")
    print("|---|---:|---:|---:|")
    for name, words in steps:
        command = [arguments.peak_memory, arguments.program, words[0], "-q", *words[1:]]
        start = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            sys.exit(f"{name} failed: {done.stderr}")
        peak = int(done.stderr.splitlines()[-1]) / 1024
        print(f"| {name} | {seconds:.1f} | {size / seconds / 1e6:.0f} | {peak:.0f} |", flush=True)
