"""Models and archives for the tests of the Python package."""

import os

import ml_dtypes
import numpy as np
import pytest

import finedelta
from models import make_model, nudged, random_bf16, write_safetensors

# The user's own cache is not to be found.
os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(autouse=True)
def no_user_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))


@pytest.fixture
def pair(tmp_path):
    """The folders `base` and `tune`: three tensors, one of them of several chunks, two changed."""
    weight = random_bf16(1, 600 * 1000)
    bias = random_bf16(2, 64)
    square = random_bf16(3, 128 * 128)
    make_model(
        tmp_path / "base",
        {
            "weight": ("BF16", [600, 1000], weight),
            "bias": ("BF16", [64], bias),
            "square": ("BF16", [128, 128], square),
        },
    )
    make_model(
        tmp_path / "tune",
        {
            "weight": ("BF16", [600, 1000], nudged(weight, 3)),
            "bias": ("BF16", [64], bias),
            "square": ("BF16", [128, 128], nudged(square, 4)),
        },
    )
    (tmp_path / "tune" / "notes").mkdir()
    (tmp_path / "tune" / "notes" / "training.txt").write_text("three epochs\n")
    return tmp_path / "base", tmp_path / "tune"


@pytest.fixture
def trained(tmp_path):
    """The folders `base` and `tune`, all of whose weights differ a little."""
    generator = np.random.default_rng(5)
    older = {name: generator.normal(0, 0.02, (256, 192)) for name in ("q_proj", "k_proj")}
    newer = {name: old + generator.normal(0, 3e-4, old.shape) for name, old in older.items()}
    for folder, tensors in (("base", older), ("tune", newer)):
        make_model(tmp_path / folder, {
            f"model.layers.0.self_attn.{name}.weight":
                ("BF16", list(tensor.shape), tensor.astype(ml_dtypes.bfloat16).tobytes())
            for name, tensor in tensors.items()
        })
    return tmp_path / "base", tmp_path / "tune"


@pytest.fixture
def archive(pair, tmp_path):
    """The archive of the pair."""
    finedelta.pack(*pair, tmp_path / "tune.fd")
    return tmp_path / "tune.fd"


@pytest.fixture
def single(tmp_path):
    """single(tensors): a base and an archive of one file with these tensors (as `write_safetensors` takes
    them) against them."""

    def make(tensors):
        write_safetensors(tmp_path / "base.safetensors", tensors)
        write_safetensors(tmp_path / "tune.safetensors", tensors)
        finedelta.pack(
            tmp_path / "base.safetensors",
            tmp_path / "tune.safetensors",
            tmp_path / "single.fd",
            force=True,
        )
        return tmp_path / "base.safetensors", tmp_path / "single.fd"

    return make
