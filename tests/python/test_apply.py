"""Updating arrays in memory, in place."""

import ml_dtypes
import numpy as np
import pytest

import finedelta
from models import read_safetensors
from safetensors.numpy import save_file


@pytest.fixture
def model(tmp_path):
    """model(level): arrays of a base, those of its fine-tune, and the archive."""

    def make(level):
        generator = np.random.default_rng(3)
        base = {
            "w": generator.normal(0, 0.02, (600, 1000)).astype(ml_dtypes.bfloat16),
            "same": generator.normal(0, 1, 100).astype(np.float32),
            "count": np.array(7, np.int64),
            "empty": np.zeros((0, 3), np.float16),
        }
        tune = {name: array.copy() for name, array in base.items()}
        few = generator.random(tune["w"].shape) < 0.01
        tune["w"].view(np.uint16)[few] += 1
        tune["count"] += 5
        save_file(base, tmp_path / "base.safetensors")
        save_file(tune, tmp_path / "tune.safetensors")
        finedelta.pack(tmp_path / "base.safetensors", tmp_path / "tune.safetensors", tmp_path / "a.fd",
                       level=level, force=True)
        return base, tune, tmp_path / "a.fd"

    return make


def assert_same(got, expected):
    for name, array in expected.items():
        assert got[name].tobytes() == array.tobytes(), name


@pytest.mark.parametrize("check", ["full", "touched"])
@pytest.mark.parametrize("level", [1, 3])
def test_arrays_become_those_of_the_fine_tune(model, level, check):
    base, tune, archive = model(level)
    places = {name: array.ctypes.data for name, array in base.items()}
    report = finedelta.apply_(base, archive, check=check)
    assert_same(base, tune)
    assert places == {name: array.ctypes.data for name, array in base.items()}
    assert (report.tensors, report.changed_tensors, report.lossy) == (4, 2, False)
    assert report.bytes == sum(array.nbytes for array in tune.values())


def test_full_reads_weights_twice_and_touched_hardly(model):
    base, _, archive = model(1)
    copy = {name: array.copy() for name, array in base.items()}
    assert finedelta.apply_(base, archive, check="full").bytes_read <= 2.01 * 1200808
    assert finedelta.apply_(copy, archive, check="touched").bytes_read < 0.03 * 1200808


@pytest.mark.parametrize("check", ["full", "touched"])
@pytest.mark.parametrize("level", [1, 3])
def test_another_base_changes_nothing(model, level, check):
    base, tune, archive = model(level)
    before = {name: array.copy() for name, array in tune.items()}
    with pytest.raises(finedelta.WrongBaseError, match="'(w|count)' in memory differs"):
        finedelta.apply_(tune, archive, check=check)
    assert_same(tune, before)
    content = bytearray(archive.read_bytes())
    content[900] ^= 1
    archive.write_bytes(content)
    before = {name: array.copy() for name, array in base.items()}
    with pytest.raises(finedelta.CorruptError):
        finedelta.apply_(base, archive, check=check)
    assert_same(base, before)


def test_what_stops_progress_changes_nothing_or_says_so(model):
    base, tune, archive = model(3)
    before = {name: array.copy() for name, array in base.items()}

    def refuse(done, total):
        raise LookupError("enough")

    with pytest.raises(LookupError) as caught:
        finedelta.apply_(base, archive, progress=refuse)
    was_done = bool(getattr(caught.value, "__notes__", []))
    assert_same(base, tune if was_done else before)


def test_arrays_that_share_memory_are_updated_once(model, tmp_path):
    base, tune, archive = model(1)
    base["tied"] = base["w"]
    finedelta.apply_(base, archive)
    assert_same(base, {**tune, "tied": tune["w"]})


def test_what_can_not_be_updated_is_refused(model):
    base, _, archive = model(1)
    def error(arrays, **options):
        with pytest.raises(finedelta.UsageError) as caught:
            finedelta.apply_(arrays, archive, **options)
        return str(caught.value)

    assert "neither 'full' nor 'touched'" in error(base, check="none")
    assert "is not contiguous" in error({**base, "w": np.asfortranarray(base["w"])})
    frozen = base["w"].copy()
    frozen.flags.writeable = False
    assert "not to be written to" in error({**base, "w": frozen})
    assert "'more' is in memory, but not in the archive" in error({**base, "more": np.zeros(3)})
    assert "of the archive is not in memory" in error({"same": base["same"]})
    assert "another type or shape" in error({**base, "w": base["w"].reshape(1000, 600)})
    assert "which safetensors does not have" in error({**base, "w": np.zeros(3, np.complex128)})


def test_the_archive_of_a_directory(pair, tmp_path):
    base, tune = pair
    finedelta.pack(base, tune, tmp_path / "a.fd", level=1)

    def arrays(folder):
        return {name: np.frombuffer(bytearray(data), ml_dtypes.bfloat16).reshape(shape)
                for name, (_, shape, data) in read_safetensors(folder / "model.safetensors").items()}

    model = arrays(base)
    finedelta.apply_(model, tmp_path / "a.fd")
    assert_same(model, arrays(tune))
