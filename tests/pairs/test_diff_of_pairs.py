"""What `diff` says of real pairs is what NumPy finds.

FINEDELTA_PROGRAM names the program, FINEDELTA_PAIRS the folder of pairs; without the latter only the
demo's pair in examples/ is tried.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "pairs"))

from models import read_safetensors  # noqa: E402
from pair_list import NAMES, Pair, real_pair  # noqa: E402

PROGRAM = os.environ["FINEDELTA_PROGRAM"]
PAIRS = os.environ.get("FINEDELTA_PAIRS")
UNSIGNED = {"F16": "<u2", "BF16": "<u2", "F32": "<u4", "F64": "<u8"}
MANTISSA = {"F16": 10, "BF16": 7, "F32": 23, "F64": 52}


def tensors(path: Path) -> dict:
    files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    return {name: tensor for file in files for name, tensor in read_safetensors(file).items()}


def numbers(dtype: str, bits: np.ndarray) -> np.ndarray:
    if dtype == "BF16":
        return (bits.astype("<u4") << 16).view("<f4").astype("f8")
    return bits.view({"F16": "<f2", "F32": "<f4", "F64": "<f8"}[dtype]).astype("f8")


def ordered(dtype: str, bits: np.ndarray) -> list[int]:
    width = 8 * bits.itemsize
    magnitude = (bits & bits.dtype.type((1 << (width - 1)) - 1)).astype("i8")
    return np.where(bits >> (width - 1) != 0, -magnitude - 1, magnitude)


def check_floats(found: dict, dtype: str, base: np.ndarray, fine: np.ndarray) -> None:
    x, y = numbers(dtype, base), numbers(dtype, fine)
    norm = np.linalg.norm
    assert found["base_norm"] == pytest.approx(norm(x), rel=1e-12)
    assert found["fine_tune_norm"] == pytest.approx(norm(y), rel=1e-12)
    assert found["delta_norm"] == pytest.approx(norm(y - x), rel=1e-12)
    assert found["largest_delta"] == np.abs(y - x).max(initial=0)
    if norm(x) > 0 and norm(y) > 0:
        assert found["cosine"] == pytest.approx(x @ y / norm(x) / norm(y), abs=1e-12)
    differing = base ^ fine
    bits = [int((differing >> b & 1).sum()) for b in range(8 * base.itemsize)]
    mantissa = MANTISSA[dtype]
    assert found["mantissa_bits"] + found["exponent_bits"] + [found["sign_bit"]] == bits
    assert len(found["mantissa_bits"]) == mantissa
    distance = np.abs(ordered(dtype, fine) - ordered(dtype, base))
    steps = np.bincount([int(d).bit_length() for d in distance], minlength=1)
    assert found["steps"] == steps.tolist()


def check_rank(found: dict | None, dtype: str, shape: list, base, fine) -> None:
    delta = (numbers(dtype, fine) - numbers(dtype, base)).reshape(shape)
    if not delta.any():
        assert found is None
        return
    squares = np.linalg.svd(delta, compute_uv=False) ** 2
    expected = squares.sum() ** 2 / (squares**2).sum()
    assert found["value"] == pytest.approx(expected, rel=0.03 if found["estimated"] else 1e-4)


def diff(pair: Pair, *options: str, target: str = "") -> dict:
    done = subprocess.run([PROGRAM, "diff", "--json", *pair.bases, pair.fine_tune, *options],
                          capture_output=True, text=True,
                          env=os.environ | {"FINEDELTA_TARGET": target})  # fmt: skip
    assert (done.returncode, done.stderr) == (3, "")
    report = json.loads(done.stdout)
    del report["seconds"]
    return report


def check(pair: Pair) -> None:
    (base_path,) = pair.bases
    report = diff(pair, "--rank")
    base, fine = tensors(base_path), tensors(pair.fine_tune)
    assert {tensor["name"] for tensor in report["tensors"]} == set(base) | set(fine)
    compared = 0
    for tensor in report["tensors"]:
        if tensor["status"] not in ("equal", "changed", "resized"):
            continue
        dtype, shape, new = fine[tensor["name"]]
        assert (tensor["dtype"], tensor["shape"]) == (dtype, shape)
        size = min(len(new), len(base[tensor["name"]][2]))
        if dtype not in UNSIGNED:
            assert (tensor["floats"], tensor["effective_rank"]) == (None, None)
            continue
        x, y = (np.frombuffer(data[:size], UNSIGNED[dtype]) for data in (base[tensor["name"]][2], new))
        compared += 1
        assert (tensor["elements"], tensor["changed"]) == (len(x), int((x != y).sum()))
        check_floats(tensor["floats"], dtype, x, y)
        if len(shape) == 2 and dtype != "F64":
            rows = min(shape[0], tensor["base_shape"][0])
            check_rank(tensor["effective_rank"], dtype, [rows, shape[1]], x, y)
    assert compared > 0 or report["not_comparable"] > 0


# Of the same type and names; pairs of many more weights would take NumPy long.
TRIED = ["ani base -> ft", "rife HD -> anime", "realcugan no-denoise -> conservative",
         "merlin -> astra", "tinyllama base -> sft", "tinyllama base -> lora-merged",
         "tinyllama base -> vocab", "tinyllama vocab -> base", "tinyllama rl-00 -> rl-01",
         "tinyllama base -> sft-fp32"]  # fmt: skip


@pytest.mark.skipif(not PAIRS, reason="FINEDELTA_PAIRS is not set")
@pytest.mark.parametrize("name", TRIED)
def test_pair(name: str, tmp_path: Path) -> None:
    assert name in NAMES
    check(real_pair(name, Path(PAIRS), tmp_path))


def demo() -> Pair:
    base, fine_tune = sorted((ROOT / "examples" / "demo").glob("*.safetensors"))
    return Pair("demo", [base], fine_tune)


def test_demo_pair() -> None:
    check(demo())


# Vectors of lesser CPUs, and none at all.
TARGETS = ["AVX2", "SSE4", "SCALAR"] if platform.machine() == "x86_64" else ["SCALAR"]


@pytest.mark.parametrize("target", TARGETS)
def test_the_same_on_other_cpus(target: str) -> None:
    assert diff(demo(), target=target) == diff(demo())
