"""The checkpoints and the archive that the tests share."""

from dataclasses import replace

import pytest

import checkpoints
from checkpoints import Pair, changed, generate, noise, shard, write_tree
from lies import MATRIX
from writer import Options, Writer

SMALL_OPTIONS = Options(low_rank=(2, 2.0**-20))  # of the only matrix


@pytest.fixture(scope="session", params=checkpoints.MAKERS, ids=lambda make: make.__name__)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return generate(request.param, tmp_path_factory.mktemp(request.param.__name__))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair whose archive is small and has all kinds of files and all coders."""
    root = tmp_path_factory.mktemp("small")
    base = {"a": ("F32", (8,), noise(32, 1)), "b": ("BF16", (16,), noise(32, 2))}
    fine = base | {"a": ("F32", (9,), noise(3, 3) + noise(32, 1)[3:] + bytes(4))}
    fine["c"] = ("F16", (16,), noise(32, 4))
    fine["d"] = ("I64", (40,), bytes(160) + bytes(range(160)))
    ones = b"\x80\x3f" * (MATRIX[0] * MATRIX[1])
    base["e"], fine["e"] = ("BF16", MATRIX, ones), ("BF16", MATRIX, changed(ones, 5))
    words = b"".join(b"%d, " % (number * number) for number in range(1000))
    base_files = {"model.safetensors": shard(base), "same.txt": words, "merges.txt": words}
    files = {"model.safetensors": shard(fine), "same.txt": words, "merges.txt": b"1" + words}
    files |= {"config.json*": b"{}", "zeros.bin": bytes(5000), "empty/": b""}
    write_tree(root / "base", base_files)
    write_tree(root / "fine", files)
    return Pair("small", [root / "base"], root / "fine")


@pytest.fixture(scope="session")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A pair of which a lossy archive has something to lose."""
    return generate(checkpoints.tuned, tmp_path_factory.mktemp("tuned"))


@pytest.fixture(scope="session")
def lossy_archive(small: Pair) -> bytes:
    options = replace(SMALL_OPTIONS, adaptive=True, lossy=True)
    return Writer(small.bases, small.fine_tune, options).archive()


@pytest.fixture(scope="session")
def progressive_archive(small: Pair) -> bytes:
    options = replace(SMALL_OPTIONS, adaptive=True, lossy=True, progressive=True)
    return Writer(small.bases, small.fine_tune, options).archive()


@pytest.fixture(scope="session")
def archive(small: Pair) -> bytes:
    return Writer(small.bases, small.fine_tune, SMALL_OPTIONS).archive()
