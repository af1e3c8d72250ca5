#!/usr/bin/env python3
"""Runs finedelta-bench at every level on two pairs and prints Markdown.

Usage: levels.py FINEDELTA_BENCH PAIRS    (the folder of real pairs)
"""

import sys
import tempfile
from pathlib import Path

from run import SYNTHETIC, measure, synthetic_words, words_of

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "pairs"))

from pair_list import real_pair  # noqa: E402

REAL = "tinyllama base -> sft"
MADE_UP = "synthetic: Gaussian steps of 1e-4"
CODERS = ",".join(["bitx", *(f"finedelta:{level}" for level in range(1, 10))])


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    program, root = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        for words in (
            words_of(real_pair(REAL, Path(root), scratch)),
            synthetic_words(MADE_UP, SYNTHETIC[MADE_UP]),
        ):
            measure(program, [*words, "--coders", CODERS], scratch)


if __name__ == "__main__":
    main()
