"""Every real pair comes back byte for byte, by SHA-256 of every file; estimates are near the truth.

FINEDELTA_PROGRAM names the program, FINEDELTA_PAIRS the folder of pairs; without the latter only the
demo's pair in examples/ is tried.
"""

import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "pairs"))

from pair_list import NAMES, Pair, estimate_error, real_pair, tree  # noqa: E402

PROGRAM = os.environ["FINEDELTA_PROGRAM"]
PAIRS = os.environ.get("FINEDELTA_PAIRS")


# Vectors of lesser CPUs, and none at all.
TARGETS = ["AVX2", "SSE4", "SCALAR"] if platform.machine() == "x86_64" else ["SCALAR"]


def run(*arguments: object, target: str = "") -> None:
    done = subprocess.run([PROGRAM, *map(str, arguments), "-q"], capture_output=True, text=True,
                          env=os.environ | {"FINEDELTA_TARGET": target})  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", ""), arguments


def check(pair: Pair, folder: Path) -> None:
    archive, output = folder / "archive", folder / "output"
    run("pack", *pair.bases, pair.fine_tune, "-o", archive)
    run("verify", archive)
    run("verify", archive, *(word for base in pair.bases for word in ("--base", base)))
    run("unpack", *pair.bases, archive, "-o", output, "--sha256")
    assert tree(output) == tree(pair.fine_tune)
    run("unpack", *pair.bases, archive, "-o", folder / "weights", "--weights-only")


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("derived")


@pytest.mark.skipif(not PAIRS, reason="FINEDELTA_PAIRS is not set")
@pytest.mark.parametrize("name", NAMES)
def test_pair_comes_back(name: str, scratch: Path, tmp_path: Path) -> None:
    check(real_pair(name, Path(PAIRS), scratch), tmp_path)


@pytest.mark.skipif(not PAIRS, reason="FINEDELTA_PAIRS is not set")
@pytest.mark.parametrize("name", NAMES)
def test_pair_is_the_same_on_other_cpus(name: str, scratch: Path, tmp_path: Path) -> None:
    pair, archive, other = real_pair(name, Path(PAIRS), scratch), tmp_path / "a", tmp_path / "b"
    run("pack", *pair.bases, pair.fine_tune, "-o", archive)
    for target in TARGETS:
        run("pack", *pair.bases, pair.fine_tune, "-o", other, "--force", target=target)
        assert other.read_bytes() == archive.read_bytes(), target
        bases = [word for base in pair.bases for word in ("--base", base)]
        run("verify", archive, *bases, target=target)


@pytest.mark.skipif(not PAIRS, reason="FINEDELTA_PAIRS is not set")
def test_estimates_are_near_the_truth(scratch: Path, tmp_path: Path) -> None:
    errors = {}
    for name in NAMES:
        pair, archive = real_pair(name, Path(PAIRS), scratch), tmp_path / "archive"
        run("pack", *pair.bases, pair.fine_tune, "-o", archive, "--force")
        errors[name] = estimate_error(PROGRAM, pair, archive)
    assert statistics.median(map(abs, errors.values())) < 0.03, errors


def test_demo_pair_comes_back(tmp_path: Path) -> None:
    demo = ROOT / "examples" / "demo"
    base, fine_tune = sorted(demo.glob("*.safetensors"))
    check(Pair("demo", [base], fine_tune), tmp_path)
