#!/usr/bin/env python3
"""Measures every way to store one fine-tune of the tinyllama family with loss, and writes a JSON report.

Usage: run.py PAIRS FINE_TUNE OUTPUT.json [FINEDELTA]

PAIRS is the folder of real pairs. Without the program FINEDELTA only the baselines are measured. Every
file is written to disk, counted there, and read back: what is measured is what comes out of it.
"""

import json
import os
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import baselines
import finedelta
from methods import Method, measure
from model import TEXTS, Evaluator, weights_file
from pair import Pair
from results import Report
from weights import read_state


def main() -> None:
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__)
    pairs, name, output, *program = sys.argv[1:]
    base, fine = weights_file(pairs, "base"), weights_file(pairs, name)
    pair = Pair(read_state(base), read_state(fine))
    methods: list[Method] = [*baselines.all_points()]
    if program:
        # First, so that a program that can't do it fails at once.
        methods = [*finedelta.points(Path(program[0]), base, fine), *methods]
    evaluators = {text: Evaluator(pairs, name, text) for text in TEXTS[name]}
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        rows = [measure(method, pair, evaluators, Path(folder)) for method in methods]
    report = Report(
        name,
        pair.weights,
        {text: evaluator.measure(pair.base) for text, evaluator in evaluators.items()},
        {text: evaluator.measure(pair.fine) for text, evaluator in evaluators.items()},
        rows,
    )
    Path(output).write_text(json.dumps(asdict(report), indent=1))


if __name__ == "__main__":
    main()
