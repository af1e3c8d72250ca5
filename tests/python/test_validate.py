"""What the validation report is made of."""

import math
import zlib

import numpy as np
import pytest
import safetensors.numpy

import finedelta
import safetensors
from finedelta.validate.measured.baselines import BASELINES, DTYPES, FP16_INT8, NUMPY_ZLIB, floats
from finedelta.validate.measured.native import measure
from finedelta.validate.models import synthetic
from finedelta.validate.models.shapes import LAYOUTS, Layout, Tensor


@pytest.mark.parametrize(
    ("model", "tensors", "weights", "dtype"),
    [("gpt2-124m", 148, 124_439_808, "F32"), ("llama-2-7b", 291, 6_738_415_616, "F16")],
)
def test_layouts_are_those_of_the_models(model, tensors, weights, dtype):
    layout = LAYOUTS[model]()
    names = [tensor.name for tensor in layout.tensors()]
    assert len(names) == len(set(names)) == tensors
    assert sum(math.prod(tensor.shape) for tensor in layout.tensors()) == weights
    assert layout.dtype == dtype


@pytest.fixture(params=["F32", "F16"])
def tiny(monkeypatch, request):
    """A layout of two shards; its first matrix is read in several pieces."""
    shards = (
        (Tensor("embed", (60, 40), "embedding"), Tensor("q", (70, 50), "attention")),
        (Tensor("up", (30, 20), "mlp"), Tensor("norm", (40,), "norm"), Tensor("b", (40,), "bias")),
    )
    monkeypatch.setitem(LAYOUTS, "tiny", lambda: Layout(request.param, {"model_type": "tiny"}, shards))
    monkeypatch.setattr(synthetic, "_PIECE", 1000)
    return request.param


def weights_of(folder):
    tensors = {}
    for shard in sorted(folder.glob("*.safetensors")):
        tensors |= safetensors.numpy.load_file(shard)
    return tensors


def test_synthetic_checkpoints_are_models(tiny, tmp_path):
    synthetic.write_base("tiny", tmp_path / "base")
    tensors = weights_of(tmp_path / "base")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {
        "embed": (60, 40), "q": (70, 50), "up": (30, 20), "norm": (40,), "b": (40,)}
    assert all(tensor.dtype == {"F32": np.float32, "F16": np.float16}[tiny] for tensor in tensors.values())
    assert tensors["q"].std() == pytest.approx(0.02, rel=0.05)
    assert tensors["norm"].mean() == pytest.approx(1, abs=0.02)
    # No piece is another's.
    assert len(np.unique(tensors["q"].ravel()[::1000])) == 4
    report = finedelta.diff(tmp_path / "base", tmp_path / "base")
    assert report.identical and report.equal == 5


def test_synthetic_checkpoints_are_the_same_for_one_seed(tiny, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        synthetic.write_base("tiny", tmp_path / name, seed)
        synthetic.write_fine_tune("tiny", "full-sft", tmp_path / f"{name}-tuned", seed)
    assert finedelta.diff(tmp_path / "a", tmp_path / "b").identical
    assert finedelta.diff(tmp_path / "a-tuned", tmp_path / "b-tuned").identical
    assert not finedelta.diff(tmp_path / "a", tmp_path / "c").identical


def test_trainings_differ_in_what_they_change(tiny, tmp_path):
    synthetic.write_base("tiny", tmp_path / "base")
    found = {}
    for training in synthetic.TRAININGS:
        synthetic.write_fine_tune("tiny", training, tmp_path / training)
        found[training] = finedelta.diff(tmp_path / "base", tmp_path / training, rank=True)
    assert 0.005 < found["rl"].changed_share < 0.015
    merged = {tensor.name: tensor for tensor in found["lora-merged"].tensors}
    assert [name for name, tensor in merged.items() if tensor.status == "changed"] == ["q"]
    assert merged["q"].effective_rank.value < 17
    light, full = found["light-sft"], found["full-sft"]
    assert full.changed_share > 0.95
    assert 5 < full.relative_norm / light.relative_norm < 15


@pytest.mark.parametrize("baseline", BASELINES, ids=lambda baseline: baseline.name)
@pytest.mark.parametrize("dtype", ["F16", "F32", "BF16"])
def test_baselines_give_back_what_they_say(baseline, dtype):
    generator = np.random.default_rng(1)
    base = generator.normal(0, 0.02, 10_000).astype(np.float32)
    tune = base + generator.normal(0, 2e-4, base.shape).astype(np.float32)
    if dtype == "BF16":
        base, tune = ((array.view(np.uint32) >> 16).astype(np.uint16) for array in (base, tune))
    else:
        base, tune = (array.astype(DTYPES[dtype]) for array in (base, tune))
    stored = baseline.compress(base, tune)
    restored = baseline.decompress(base, stored)
    assert restored.dtype == tune.dtype and restored.shape == tune.shape
    if baseline.is_exact:
        assert restored.tobytes() == tune.tobytes()
    else:
        assert np.abs(floats(restored).astype(np.float64) - floats(tune)).max() < 2e-5
    assert sum(map(len, stored)) < tune.nbytes


def test_bfloat16_is_rounded_to_the_nearest():
    """Ties go to the even one: 1 + 3/256 lies between 1 + 1/128 and 1 + 2/128."""
    base = np.array([0x3F80, 0x3F80, 0x3F80], np.uint16)  # 1, 1, 1
    tune = np.array([0x3F81, 0xC000, 0x7F80], np.uint16)  # 1.0078125, -2, infinity
    assert NUMPY_ZLIB.decompress(base, NUMPY_ZLIB.compress(base, tune)).tolist() == tune.tolist()
    halves = [zlib.compress(np.array([1 / 256, 3 / 256, 1e-9], np.float32))]
    assert NUMPY_ZLIB.decompress(base, halves).tolist() == [0x3F80, 0x3F82, 0x3F80]


def test_two_baselines_are_not_exact():
    """Which is what the report says of them."""
    base = np.array([1, 1, 1], np.float32)
    tune = np.array([2**-30, np.nan, 1.001], np.float32)
    for baseline in (NUMPY_ZLIB, FP16_INT8):
        tuned = tune[[0, 2]] if baseline is FP16_INT8 else tune
        restored = baseline.decompress(base[: len(tuned)], baseline.compress(base[: len(tuned)], tuned))
        assert restored.tobytes() != tuned.tobytes()


def test_native_parts_are_measured():
    generator = np.random.default_rng(1)
    base = generator.normal(0, 0.02, (300, 1000)).astype(np.float32)
    tune = base + generator.normal(0, 1e-5, base.shape).astype(np.float32)
    frozen = base.copy()
    frozen.flags.writeable = False
    measured = measure([("F32", frozen, tune), ("F32", base, base)])
    assert measured.bytes == 2 * base.nbytes
    assert 0 < measured.stored_bytes < base.nbytes
    assert min(measured.delta_seconds, measured.compress_seconds, measured.decompress_seconds) > 0
    with pytest.raises(finedelta.UsageError, match="none of one shape"):
        measure([("F32", base, tune[1:])])
