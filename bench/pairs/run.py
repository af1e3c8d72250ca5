#!/usr/bin/env python3
"""Packs, verifies and unpacks every real pair, and prints a Markdown table of what it took.

Usage: run.py PROGRAM PEAK_MEMORY PAIRS

PROGRAM is finedelta, PEAK_MEMORY the small program of that name in the build directory, PAIRS the
folder of pairs. Every rebuilt file is compared by SHA-256; a difference ends the run. Times are
medians of three runs of the whole process, with one thread, files in the page cache.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from pair_list import NAMES, Pair, estimate_error, real_pair, total_bytes, tree, wheel_pair

RUNS = 3


@dataclass
class Step:
    seconds: list[float] = field(default_factory=list)
    peak_kib: int = 0

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


def timed(step: Step, peak_memory: str, *command: object) -> None:
    start = time.perf_counter()
    done = subprocess.run([peak_memory, *map(str, command)], capture_output=True, text=True)
    step.seconds.append(time.perf_counter() - start)
    if done.returncode != 0:
        sys.exit(f"{command} failed: {done.stderr}")
    step.peak_kib = max(step.peak_kib, int(done.stderr.split()[-1]))


def row(pair: Pair, program: str, peak_memory: str, scratch: Path) -> tuple[str, float]:
    """A line of the table, and the error of the estimate."""
    archive, output = scratch / "archive", scratch / "output"
    pack, verify, unpack = Step(), Step(), Step()
    quiet = ["-q", "--threads", "1"]
    for _ in range(RUNS):
        timed(
            pack, peak_memory, program, "pack", *pair.bases, pair.fine_tune, "-o", archive,
            "--force", *quiet,
        )
        bases = [word for base in pair.bases for word in ("--base", base)]
        timed(verify, peak_memory, program, "verify", archive, *bases, *quiet)
        timed(unpack, peak_memory, program, "unpack", *pair.bases, archive, "-o", output, *quiet)
        if tree(output) != tree(pair.fine_tune):
            sys.exit(f"{pair.name}: what was unpacked differs")
        shutil.rmtree(output) if output.is_dir() else output.unlink()
    size, packed = total_bytes(pair.fine_tune), archive.stat().st_size
    peak = max(pack.peak_kib, verify.peak_kib, unpack.peak_kib) / 1024
    error = estimate_error(program, pair, archive)
    text = (
        f"| {pair.name} | {size:,} | {packed:,} | {size / packed:.3f} | {pack.median:.3f} | "
        f"{verify.median:.3f} | {unpack.median:.3f} | {peak:.0f} | "
        f"{100 * error:+.1f} % |"
    )
    return text, error


def main() -> None:
    program, peak_memory, root = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        scratch = Path(folder)
        pairs = [real_pair(name, Path(root), scratch) for name in NAMES]
        wheels = wheel_pair(scratch)
        print("| pair | bytes | archive | ratio | pack s | verify s | unpack s | peak MiB | "
              "estimate |")  # fmt: skip
        print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
        errors = []
        for pair in [*pairs, *([wheels] if wheels else [])]:
            text, error = row(pair, program, peak_memory, scratch)
            errors.append(abs(error))
            print(text, flush=True)
        print(f"\nMedian error of the estimates, whatever its sign: "
              f"{100 * statistics.median(errors):.1f} %.")  # fmt: skip
        if not wheels:
            print("\nMiniLM -> SRE is left out: its packages could not be downloaded.")


if __name__ == "__main__":
    main()
