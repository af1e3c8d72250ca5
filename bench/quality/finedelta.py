"""finedelta itself as a way to store a fine-tune: with loss at a number of bits a weight, or without."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pair import Pair
from results import BUDGETS, LOSSLESS
from weights import State, read_state

# For each weight: those of the tables, and some between them for the plots.
BITS = sorted({*BUDGETS, 0.075, 0.15, 0.3, 0.75, 1.5})


@dataclass(frozen=True)
class Finedelta:
    program: Path
    base: Path  # .safetensors files
    fine: Path
    words: tuple[str, ...]  # for `pack`
    family = "finedelta"

    @property
    def setting(self) -> str:
        return " ".join(self.words) or LOSSLESS

    def store(self, pair: Pair, file: Path) -> None:
        self._run("pack", *self.words, self.base, self.fine, "-o", file, "--force")

    def restore(self, base: State, file: Path) -> State:
        output = file.with_suffix(".safetensors")
        self._run("unpack", self.base, file, "-o", output, "--force")
        return read_state(output)

    def _run(self, *words: str | Path) -> None:
        command = [self.program, *words, "-q", "--threads", "1"]
        if subprocess.run(command).returncode != 0:
            sys.exit(f"{' '.join(map(str, command))} failed")


def points(program: Path, base: Path, fine: Path) -> list[Finedelta]:
    words = [(), *(("--lossy", "--bits", f"{bits:g}") for bits in BITS)]
    return [Finedelta(program, base, fine, each) for each in words]
