"""Reading tensors out of archives."""

import threading

import ml_dtypes
import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import finedelta
from finedelta.frameworks import ITEM_BYTES
from finedelta.indexing import Window
from models import read_safetensors

NUMPY = {"BF16": ml_dtypes.bfloat16, "F8_E4M3": ml_dtypes.float8_e4m3fn,
         "F8_E5M2": ml_dtypes.float8_e5m2, "F8_E4M3FNUZ": ml_dtypes.float8_e4m3fnuz,
         "F8_E5M2FNUZ": ml_dtypes.float8_e5m2fnuz, "F8_E8M0": ml_dtypes.float8_e8m0fnu,
         "F16": np.float16, "F32": np.float32, "F64": np.float64, "C64": np.complex64,
         "BOOL": np.bool_, **{f"I{b}": f"int{b}" for b in (8, 16, 32, 64)},
         **{f"U{b}": f"uint{b}" for b in (8, 16, 32, 64)}}


def expected_tensors(tune):
    return {name: np.frombuffer(data, NUMPY[dtype]).reshape(shape)
            for name, (dtype, shape, data) in read_safetensors(tune / "model.safetensors").items()}


def assert_equal(got, expected):
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert got.tobytes() == expected.tobytes()


def test_tensors_are_those_that_were_packed(pair, archive):
    base, tune = pair
    expected = expected_tensors(tune)
    with finedelta.open(archive, base, framework="np") as opened:
        assert opened.keys() == list(expected)
        for name in opened.keys():
            assert_equal(opened.get_tensor(name), expected[name])


def test_load_file_gives_them_all(pair, archive):
    base, tune = pair
    heard = []
    tensors = finedelta.load_file(archive, base, framework="np",
                                  progress=lambda done, total: heard.append((done, total)))
    expected = expected_tensors(tune)
    assert list(tensors) == list(expected)
    for name, tensor in tensors.items():
        assert_equal(tensor, expected[name])
        tensor[...] = tensor  # they are the caller's own
    total = sum(tensor.nbytes for tensor in expected.values())
    assert heard[-1] == (total, total)


def test_more_than_one_step(pair, archive, monkeypatch):
    base, tune = pair
    monkeypatch.setattr("finedelta.reader._STEP", 70_000)
    heard = []
    tensors = finedelta.load_file(archive, base, framework="np", threads=1,
                                  progress=lambda done, total: heard.append(done))
    for name, expected in expected_tensors(tune).items():
        assert_equal(tensors[name], expected)
    assert len(heard) > 15 and heard == sorted(heard)


@pytest.mark.parametrize("name", sorted(NUMPY))
def test_every_type(single, name):
    size = ITEM_BYTES[name]
    data = bytes(range(6 * size)) if name != "BOOL" else bytes([0, 1, 1, 0, 1, 0])
    base, archive = single({"t": (name, [2, 3], data), "empty": (name, [0, 3], b""),
                            "scalar": (name, [], data[:size])})
    expected = np.frombuffer(data, NUMPY[name]).reshape(2, 3)
    with finedelta.open(archive, base, framework="np") as opened:
        assert opened.get_slice("t").get_dtype() == name
        assert_equal(opened.get_tensor("t"), expected)
        assert_equal(opened.get_slice("t")[1, 1:], expected[1, 1:])
        assert opened.get_tensor("empty").shape == (0, 3)
        assert opened.get_tensor("scalar").tobytes() == data[:size]
    with finedelta.open(archive, base, framework="dlpack") as opened:
        view = opened.get_tensor("t")
        assert view.__dlpack_device__() == (1, 0)
        if name not in ("BF16",) and not name.startswith("F8"):
            assert_equal(np.from_dlpack(view), expected)


def test_types_that_frameworks_lack(single):
    base, archive = single({"four": ("F4", [2, 4], b"abcd"), "odd": ("F4", [2, 3], b"abc"),
                            "six": ("F6_E2M3", [4, 4], b"abcdefghijkl"), "deep": ("U8", [1] * 64, b"a")})
    with finedelta.open(archive, base, framework="np") as opened:
        for name, reason in (("four", "no type for F4"), ("odd", "not whole bytes"),
                             ("six", "which no framework has"), ("deep", "64 dimensions")):
            with pytest.raises(finedelta.UsageError, match=reason):
                opened.get_tensor(name)


def test_without_ml_dtypes(pair, archive, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    with finedelta.open(archive, pair[0], framework="np") as opened:
        with pytest.raises(finedelta.UsageError, match="install ml_dtypes"):
            opened.get_tensor("weight")


def test_dlpack_keeps_its_memory(single):
    data = np.arange(1000, dtype=np.float32)
    base, archive = single({"t": ("F32", [1000], data.tobytes())})
    with finedelta.open(archive, base, framework="dlpack") as opened:
        array = np.from_dlpack(opened.get_slice("t")[::3])
    assert_equal(array, data[::3])


def test_only_what_is_needed_is_read(pair, archive):
    """A damaged chunk matters to those rows alone that are in it."""
    base, tune = pair
    content = bytearray(archive.read_bytes())
    content[1000] ^= 1  # in the first chunk of the payload
    archive.write_bytes(content)
    expected = expected_tensors(tune)
    with finedelta.open(archive, base, framework="np") as opened:
        first = opened.keys()[0]
        assert first == "weight"
        assert_equal(opened.get_slice("weight")[300:], expected["weight"][300:])
        assert_equal(opened.get_tensor("bias"), expected["bias"])
        with pytest.raises(finedelta.CorruptError):
            opened.get_slice("weight")[100]


def test_a_base_is_needed_only_for_what_is_coded_against_it(pair, archive, tmp_path):
    with finedelta.open(archive, framework="np") as opened:
        with pytest.raises(finedelta.FineDeltaError, match="base is needed"):
            opened.get_tensor("weight")
    with finedelta.open(archive, pair[1], framework="np") as opened:
        with pytest.raises(finedelta.WrongBaseError):
            opened.get_tensor("weight")


def test_metadata(tmp_path):
    expected = {"format": "pt", "step": "7 \u00e9"}
    safetensors.numpy.save_file({"a": np.zeros(3)}, tmp_path / "m.safetensors", metadata=expected)
    finedelta.pack(None, tmp_path / "m.safetensors", tmp_path / "m.fd")
    with finedelta.open(tmp_path / "m.fd", framework="np") as opened:
        assert opened.metadata() == expected
        assert opened.summary.files[0].metadata == expected
    safetensors.numpy.save_file({"a": np.zeros(3)}, tmp_path / "m.safetensors")
    finedelta.pack(None, tmp_path / "m.safetensors", tmp_path / "m.fd", force=True)
    with finedelta.open(tmp_path / "m.fd", framework="np") as opened:
        assert opened.metadata() is None


def test_what_is_not_there(pair, archive):
    with finedelta.open(archive, pair[0], framework="np") as opened:
        with pytest.raises(finedelta.UsageError, match="no tensor 'nothing'"):
            opened.get_tensor("nothing")
        part = opened.get_slice("weight")
        for index in (600, -601, (0, 0, 0), (..., ...), "a", 1.5, slice(None, None, -1), None, [1, 2]):
            with pytest.raises(finedelta.UsageError):
                part[index]
    with pytest.raises(finedelta.UsageError, match="is closed"):
        part[0]
    with pytest.raises(finedelta.UsageError, match="is not one of pt, np, dlpack"):
        finedelta.open(archive, framework="tf")
    with pytest.raises(finedelta.UsageError, match="no device"):
        finedelta.load_file(archive, pair[0], framework="np", device="cuda")
    with pytest.raises(finedelta.CorruptError):
        finedelta.open(pair[0] / "model.safetensors", framework="np")
    with pytest.raises(finedelta.FineDeltaError):
        finedelta.open("nothing-here.fd", framework="np")


def test_from_many_threads(pair, archive):
    base, tune = pair
    expected = expected_tensors(tune)
    failures = []

    def work(opened):
        try:
            for name in opened.keys():
                assert_equal(opened.get_tensor(name), expected[name])
        except Exception as error:
            failures.append(error)

    with finedelta.open(archive, base, framework="np") as opened:
        threads = [threading.Thread(target=work, args=(opened,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures


@st.composite
def shape_and_index(draw):
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    items = []
    for size in shape[: draw(st.integers(0, len(shape)))]:
        if size and draw(st.booleans()):
            items.append(draw(st.integers(-size, size - 1)))
        else:
            bound = st.none() | st.integers(-6, 6)
            items.append(slice(draw(bound), draw(bound), draw(st.none() | st.integers(1, 3))))
    if draw(st.booleans()):
        items.insert(draw(st.integers(0, len(items))), ...)
        # Behind the dots, items count from the last dimension.
        dots = items.index(...)
        for i in range(dots + 1, len(items)):
            if isinstance(items[i], int):
                size = shape[len(shape) - (len(items) - i)]
                items[i] = items[i] % size if size else slice(None)
    return shape, items[0] if len(items) == 1 and draw(st.booleans()) else tuple(items)


@given(shape_and_index())
def test_windows_pick_what_numpy_picks(case):
    shape, index = case
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape)
    window = Window(shape, index)
    count = int(np.prod(window.shape, dtype=int))
    read = array.reshape(-1)[window.first : window.first + count].reshape(window.shape)
    np.testing.assert_array_equal(read[window.index], array[index])
    # No more than from the first to the last row that is needed.
    if array[index].size == array.size:
        assert count == array.size
    if array[index].size == 0:
        assert count == 0


def test_a_window_is_no_larger_than_it_must_be():
    assert Window((10, 20, 30), (3, slice(5, 7))).shape == (1, 2, 30)
    assert Window((10, 20, 30), (3, 5, 7)).shape == (1, 1, 1)
    assert Window((10, 20, 30), (slice(2, 9, 3),)).shape == (7, 20, 30)
    assert Window((10, 20, 30), (3, 5, 7)).first == 3 * 600 + 5 * 30 + 7


@settings(max_examples=30, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_tensors_equal_those_of_the_safetensors_package(tmp_path, data):
    dtypes = st.sampled_from(["float64", "float32", "float16", "int64", "uint8", "bool", "complex64"])
    generator = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    tensors = {}
    for name in data.draw(st.lists(st.text(st.characters(codec="utf-8"), max_size=8), unique=True,
                                   max_size=5)):
        if name == "__metadata__":
            continue
        shape = data.draw(st.lists(st.integers(0, 9), max_size=3))
        tensors[name] = generator.integers(0, 100, shape).astype(data.draw(dtypes))
    path = tmp_path / "m.safetensors"
    safetensors.numpy.save_file(tensors, path)
    finedelta.pack(None, path, tmp_path / "m.fd", force=True, threads=1)
    with (finedelta.open(tmp_path / "m.fd", framework="np") as ours,
          safetensors.safe_open(path, "np") as theirs):
        assert sorted(ours.keys()) == sorted(theirs.keys())
        for name in theirs.keys():
            assert ours.get_slice(name).get_shape() == list(theirs.get_slice(name).get_shape())
            assert ours.get_slice(name).get_dtype() == theirs.get_slice(name).get_dtype()
            assert_equal(ours.get_tensor(name), theirs.get_tensor(name))
