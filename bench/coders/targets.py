#!/usr/bin/env python3
"""Runs finedelta-bench with the vectors of CPUs without AVX-512 and prints Markdown.

Usage: targets.py FINEDELTA_BENCH PAIRS    (the folder of real pairs)
"""

import os
import sys
import tempfile
from pathlib import Path

from run import SYNTHETIC, measure, synthetic_words, words_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pairs"))

from pair_list import real_pair  # noqa: E402

TARGET = "AVX2"
REAL = ["tinyllama base -> sft", "rife HD -> anime"]
MADE_UP = "synthetic: Gaussian steps of 1e-4"


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, root = sys.argv[1:]
    os.environ["FINEDELTA_TARGET"] = TARGET
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        jobs = [words_of(real_pair(name, Path(root), scratch)) for name in REAL]
        jobs.append(synthetic_words(MADE_UP, SYNTHETIC[MADE_UP]))
        for words in jobs:
            measure(program, [*words, "--coders", "bitx,finedelta"], scratch)


if __name__ == "__main__":
    main()
