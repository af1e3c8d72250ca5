"""bench/quality without PyTorch: a small pair of models, and its modules to import."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench" / "quality"))

from pair import Pair  # noqa: E402
from weights import rounded  # noqa: E402

SHAPES = {
    "lm_head.weight": (48, 16),
    "model.layers.0.down.weight": (16, 40),
    "model.layers.0.norm.weight": (16,),
    "model.layers.0.up.weight": (40, 16),
    "model.norm.weight": (16,),
}


def make_pair(seed: int) -> Pair:
    """bf16 weights; a step of a hundredth in each, of rank 1 for the most part; a row that is unchanged."""
    random = np.random.default_rng(seed)
    base, fine = {}, {}
    for name, shape in SHAPES.items():
        base[name] = rounded(random.normal(size=shape) * 0.1)
        step = random.normal(size=shape) * 0.001
        if len(shape) == 2:
            step += np.outer(random.normal(size=shape[0]), random.normal(size=shape[1])) * 0.003
        fine[name] = rounded(base[name] + step)
    fine["lm_head.weight"][5] = base["lm_head.weight"][5]
    return Pair(base, fine)


@pytest.fixture(scope="session")
def pair() -> Pair:
    return make_pair(1)
