#!/usr/bin/env python3
"""Runs finedelta-bench at every level on two pairs, and at two on a merged adapter; prints Markdown.

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
ADAPTER = "synthetic: an adapter of rank 16, merged into matrices of 2048 x 2048"
ADAPTER_SPEC = "bf16:lora=16,rows=2048,cols=2048,n=16M"


def coders(*levels: int) -> list[str]:
    return ["--coders", ",".join(["bitx", *(f"finedelta:{level}" for level in levels)])]


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
            measure(program, [*words, *coders(*range(1, 10))], scratch)
        measure(program, [*synthetic_words(ADAPTER, ADAPTER_SPEC), *coders(3, 9)], scratch)


if __name__ == "__main__":
    main()
