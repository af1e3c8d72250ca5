"""Writes the golden archives of tests/golden, and what they are made of:

  build/venv/bin/python tests/golden/make.py build/release/finedelta

An archive is called by the version of finedelta that wrote it. It is added where none of those
that are there already is what the program writes now; those of other versions stay for ever. Those
of low_rank and the lossy ones may be others on another machine.
"""

import shutil
import subprocess
import sys
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent
sys.path.insert(0, str(GOLDEN.parent / "reader"))

from inputs import CASES, OPTIONS  # noqa: E402


def write_inputs() -> None:
    for case in CASES:
        folder = GOLDEN / case.__name__
        for old in [*folder.glob("base*"), *folder.glob("fine-tune*")]:
            if old.is_dir():
                shutil.rmtree(old)
            else:
                old.unlink()
        case(folder)


def pack(program: str, folder: Path, name: str) -> None:
    bases = sorted(folder.glob("base*")) or ["--no-base"]
    (fine_tune,) = folder.glob("fine-tune*")
    archive = folder / "new"
    options = OPTIONS.get(folder.name, [])
    subprocess.run([program, "pack", "-q", *options, *bases, fine_tune, "-o", archive], check=True)
    if any(old.read_bytes() == archive.read_bytes() for old in folder.glob("*.fd")):
        archive.unlink()
        return
    archive.rename(folder / f"{name}.fd")
    print(f"{folder.name}/{name}.fd is new")


def main() -> None:
    (program,) = sys.argv[1:]
    write_inputs()
    answer = subprocess.run([program, "--version"], check=True, capture_output=True, text=True)
    for folder in sorted(path.parent for path in GOLDEN.glob("*/fine-tune*")):
        pack(program, folder, answer.stdout.split()[1])


if __name__ == "__main__":
    main()
