#!/usr/bin/env python3
"""Measures published Python packages on a pair, with the columns of finedelta-bench.

Usage: packages.py BASE FINE_TUNE [--rounds N] [--only PACKAGE,...] [--venv FOLDER]

BASE and FINE_TUNE are .safetensors files, or directories with one. Packages are installed into a
virtual environment in build/ (zipnn brings PyTorch, gigabytes of it); what can't be had or fails is
listed with the reason. Each runs in a process of its own, with one thread where that can be set, on
the files in memory (bigsmall on temporary files). Times hold what Python adds: compare ratios with
finedelta-bench's, and speeds with care.
"""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "zipnn": ["zipnn==0.5.4"],
    "z4ai": ["z4ai==0.2.0"],
    "bigsmall": ["bigsmall==4.0.0"],
    "hdiffpatch": ["hdiffpatch==2.6.0"],
}
COLUMNS = ["coder", "bits/weight", "ratio", "encode GB/s", "decode GB/s", "encode / BitX",
           "decode / BitX", "extra MiB", "exact"]  # fmt: skip
BITS = {"BF16": 16, "F16": 16, "F32": 32}


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no output"])[-1]


def install(venv: Path, requirements: list[str]) -> None:
    python = venv / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    command = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", *requirements]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"not installed: {last_line(done.stderr)}")


def run(venv: Path, package: str, files: list[Path], rounds: int) -> dict[str, Any]:
    script = Path(__file__).with_name("package_runs.py")
    command = [venv / "bin" / "python", script, package, *files, str(rounds)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(last_line(done.stderr))
    return json.loads(last_line(done.stdout))


def weights_in(file: Path) -> int:
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    header.pop("__metadata__", None)
    weights = 0
    for entry in header.values():
        begin, end = entry["data_offsets"]
        weights += (end - begin) * 8 // BITS.get(entry["dtype"], 8)
    return weights


def row(package: str, result: dict[str, Any], file: Path) -> str:
    size, stored = file.stat().st_size, result["stored_bytes"]
    speeds = [size / statistics.median(result[step + "_seconds"]) / 1e9
              for step in ("encode", "decode")]  # fmt: skip
    cells = [package, f"{8 * stored / weights_in(file):.3f}", f"{size / stored:.3f}",
             *(f"{speed:.3f}" for speed in speeds), "-", "-", "-",
             "yes" if result["exact"] else "NO"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def weights_file(path: Path) -> Path:
    if path.is_file():
        return path
    [file] = path.glob("*.safetensors")
    return file


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("base", type=Path)
    parser.add_argument("fine_tune", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default=",".join(PACKAGES))
    parser.add_argument("--venv", type=Path, default=ROOT / "build" / "packages-venv")
    arguments = parser.parse_args()
    files = [weights_file(arguments.base), weights_file(arguments.fine_tune)]

    print(f"| {' | '.join(COLUMNS)} |\n|---{'|---:' * (len(COLUMNS) - 2)}|---|")
    skipped = []
    for package in arguments.only.split(","):
        try:
            install(arguments.venv, PACKAGES[package])
            result = run(arguments.venv, package, files, arguments.rounds)
            print(row(package, result, files[1]), flush=True)
        except (RuntimeError, subprocess.CalledProcessError) as error:
            skipped.append(f"{package} is left out: {error}")
    print("".join(f"\n{line}\n" for line in skipped), end="")


if __name__ == "__main__":
    main()
