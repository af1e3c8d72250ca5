#!/usr/bin/env python3
"""Packs, verifies and unpacks a made-up pair on one core, with one thread and with two; before that,
runs the coder alone once and twice at a time.

Usage: threads.py PROGRAM BENCH FOLDER [GIB]

BENCH is finedelta-bench.

FOLDER should be in memory (/dev/shm), so that no disk is measured; it needs about four times GIB (1
unless given). The pair is that of run.py. All take turns, and times are medians of five runs, after
one that is not counted.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from run import make_pair, same

RUNS = 5
CORE = str(min(os.sched_getaffinity(0)))
# The words before the program, and how many threads it is given.
VARIANTS = [(["taskset", "-c", CORE], 1), ([], 1), ([], 2)]


def seconds_of(before: list[str], program: str, words: list[object], threads: int) -> float:
    command = [*before, program, *map(str, words), "-q", "--threads", str(threads)]
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def row(program: str, words: list[object]) -> str:
    rounds = [[seconds_of(before, program, words, threads) for before, threads in VARIANTS]
              for _ in range(RUNS + 1)]  # fmt: skip
    core, one, two = (statistics.median(times) for times in zip(*rounds[1:], strict=True))
    return (f"| {words[0]} | {core:.2f} | {one:.2f} | {two:.2f} | {core / two:.2f} | "
            f"{one / two:.2f} |")  # fmt: skip


def coder_speeds(bench: str, at_once: int) -> list[float]:
    """Encoding and decoding, GB/s of all that run at once."""
    command = [bench, "--synthetic", "bf16:step=1e-4,n=32M", "--coders", "finedelta",
               "--rounds", "15", "--json", "-"]  # fmt: skip
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(at_once)]
    coders = [json.loads(process.communicate()[0])["coders"][0] for process in running]
    return [sum(coder[key] for coder in coders) for key in ("encode_gbs", "decode_gbs")]


def print_coder(bench: str) -> None:
    print("| coder alone | one, GB/s | two at once, GB/s | ratio |\n|---|---:|---:|---:|")
    speeds = zip(coder_speeds(bench, 1), coder_speeds(bench, 2), strict=True)
    for way, (one, two) in zip(("encode", "decode"), speeds, strict=True):
        print(f"| {way} | {one:.2f} | {two:.2f} | {two / one:.2f} |")
    print(flush=True)


def main() -> None:
    program, bench, folder = sys.argv[1:4]
    size = int(float(sys.argv[4] if len(sys.argv) > 4 else "1") * (1 << 30))
    print_coder(bench)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        base, tune, archive, output = (Path(scratch) / name for name in ("base", "tune", "x", "out"))
        make_pair(Path(scratch), size)
        print("| step | 1 core, s | 1 thread, s | 2 threads, s | 2 threads / 1 core | "
              "2 threads / 1 thread |\n|---|---:|---:|---:|---:|---:|")  # fmt: skip
        for words in (
            ["pack", base, tune, "-o", archive, "--force"],
            ["verify", archive, "--base", base],
            ["unpack", base, archive, "-o", output, "--force"],
        ):
            print(row(program, words), flush=True)
        if not same(tune, output):
            sys.exit("the rebuilt fine-tune differs")


if __name__ == "__main__":
    main()
