"""finedelta itself as a way to store a fine-tune: with loss at a number of bits a weight, or without."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pair import Pair
from results import LOSSLESS
from weights import State, read_state

BITS = (0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2)  # for each weight


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
