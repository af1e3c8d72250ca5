"""Small models for the tests of the command line, and what those tests share with others."""

import pytest

from models import (  # noqa: F401
    make_model,
    nudged,
    random_bf16,
    read_safetensors,
    read_tree,
    write_safetensors,
)
from programs import PROGRAM, Outcome, assert_error, environment, run, start  # noqa: F401

VERBS = ("pack", "unpack", "verify", "inspect", "plan", "extract", "lora", "diff")


@pytest.fixture
def pair(tmp_path):
    """The folders `base` and `tune`: two tensors of 8192 and 64 weights, one of them changed."""
    weight = random_bf16(1, 8192)
    bias = random_bf16(2, 64)
    make_model(tmp_path / "base",
               {"weight": ("BF16", [128, 64], weight), "bias": ("BF16", [64], bias)})
    make_model(tmp_path / "tune",
               {"weight": ("BF16", [128, 64], nudged(weight, 3)), "bias": ("BF16", [64], bias)})
    (tmp_path / "tune" / "notes").mkdir()
    (tmp_path / "tune" / "notes" / "training.txt").write_text("three epochs\n")
    return tmp_path / "base", tmp_path / "tune"


@pytest.fixture
def archive(run, pair, tmp_path):
    """The archive `tune.fd` of the pair."""
    outcome = run("pack", "-q", "base", "tune", "-o", "tune.fd")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    return tmp_path / "tune.fd"
