"""The C++ program against the Python reader and writer: lossy and progressive archives."""

import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from archive import open_archive
from checkpoints import Pair, floats_of, shard, tree, write_tree
from finedelta_reader import check, unpack
from lies import matrix, with_factors
from losses import compare, near
from lossy_lies import ADAPTIVE_LIES, LOSSY_LIES, with_body
from primitives import DamagedError
from program import DAMAGED, expect_damaged, finedelta_pack, finedelta_unpack, reader_code
from progressive_lies import PROGRESSIVE_LIES, REBUILT_LIES
from records import Coder, encode_body
from writer import Options, Writer, always


@pytest.mark.parametrize("adaptive", [False, True])
def test_program_unpacks_lossy_archives(tuned: Pair, adaptive: bool, tmp_path: Path) -> None:
    options = Options(low_rank=(3, 2.0**-14), adaptive=adaptive, lossy=True)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "reader")
    done = finedelta_unpack(tuned, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(tmp_path / "reader")


@pytest.mark.parametrize("chunk_log2", [12, 18])
@pytest.mark.parametrize("low_rank", [None, (3, 2.0**-20)], ids=str)
@pytest.mark.parametrize("step", [2.0**-9, 2.0**-7, 0.03])
def test_program_unpacks_steps(
    tuned: Pair,
    chunk_log2: int,
    low_rank: tuple[int, float] | None,
    step: float,
    tmp_path: Path,
) -> None:
    options = Options(chunk_log2=chunk_log2, low_rank=low_rank, lossy=True, step=step)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    chunks = open_archive(archive).index.chunks
    assert Coder.STEPS in {chunk.coder for chunk in chunks if chunk.of_tensor}
    unpack(tuned.bases, archive, tmp_path / "reader")
    done = finedelta_unpack(tuned, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(tmp_path / "reader")


def test_program_rejects_steps_in_version_1(tuned: Pair, tmp_path: Path) -> None:
    options = Options(lossy=True, step=2.0**-7)
    written = Writer(tuned.bases, tuned.fine_tune, options).archive()
    index = open_archive(written).index
    index.lossy = False
    done = finedelta_unpack(tuned, with_body(written, encode_body(index), 1), tmp_path)
    assert done.returncode == DAMAGED
    assert "a coder is unknown" in done.stderr


@pytest.mark.parametrize("bits", ["1.5", "4"])
def test_reader_unpacks_lossy_archives_of_the_program(
    tuned: Pair, bits: str, tmp_path: Path
) -> None:
    archive = finedelta_pack(tuned, tmp_path / "archive", "--lossy", "--bits", bits)
    unpack(tuned.bases, archive, tmp_path / "out")
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    assert (opened.header.version, opened.header.oldest_reader) == (2, 2)
    losses = compare(tuned, opened, tmp_path / "out")
    for tensor in opened.index.tensors():
        assert near(losses[tensor.name], tensor.loss), tensor.name
    assert {b"vector", b"same", b"NaN", b"new"} <= {name for name in losses if not losses[name]}
    assert sum(loss is not None for loss in losses.values()) >= 9
    for file in opened.index.shards():
        packed = (tuned.fine_tune / file.path.decode()).read_bytes()
        assert file.packed_sha256 == hashlib.sha256(packed).digest()


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("coder", [Coder.RAW, Coder.PLANES])
def test_program_unpacks_progressive_archives(
    tuned: Pair, adaptive: bool, coder: int, tmp_path: Path
) -> None:
    options = Options(
        low_rank=(3, 2.0**-14),
        adaptive=adaptive,
        lossy=True,
        progressive=True,
        chunk_log2=12,
        tensor_coder=always(coder),
    )
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    unpack(tuned.bases, archive, tmp_path / "reader", layers=1)
    for layers, wanted in (("2", tuned.fine_tune), ("1", tmp_path / "reader")):
        done = finedelta_unpack(
            tuned, archive, tmp_path, "--sha256", "--layers", layers, "--force"
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert tree(tmp_path / "out") == tree(wanted)


@pytest.mark.parametrize("bits", ["1.5", "4"])
def test_reader_unpacks_progressive_archives_of_the_program(
    tuned: Pair, bits: str, tmp_path: Path
) -> None:
    options = ("--lossy", "--bits", bits)
    archive = finedelta_pack(tuned, tmp_path / "archive", *options, "--progressive")
    opened = check(archive)
    assert encode_body(opened.index) == opened.body
    assert (opened.header.version, opened.header.oldest_reader) == (2, 2)
    assert opened.index.progressive
    unpack(tuned.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)
    unpack(tuned.bases, archive, tmp_path / "first", layers=1)
    unpack(tuned.bases, finedelta_pack(tuned, tmp_path / "lossy", *options), tmp_path / "other")
    assert tree(tmp_path / "first") == tree(tmp_path / "other")


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """A trained matrix of several chunks; its last rows are as in the base."""
    root = tmp_path_factory.mktemp("large")
    random = np.random.default_rng(1)
    base = random.normal(0, 0.02, (700, 400))
    change = random.normal(0, 0.005, (700, 4)) @ random.normal(0, 1, (4, 400))
    change[650:] = 0
    for name, values in (("base", base), ("fine", base + change)):
        tensor = {"w": ("BF16", values.shape, floats_of("BF16", values))}
        write_tree(root / name, {"m.safetensors": shard(tensor)})
    return Pair("large", [root / "base"], root / "fine")


def test_second_layers_of_several_chunks(large: Pair, tmp_path: Path) -> None:
    archive = finedelta_pack(
        large, tmp_path / "archive", "--lossy", "--bits", "0.5", "--progressive"
    )
    assert len(open_archive(archive).index.second_layer) == 2
    unpack(large.bases, archive, tmp_path / "reader")
    assert tree(tmp_path / "reader") == tree(large.fine_tune)
    options = Options(low_rank=(1, 2.0**-30), lossy=True, progressive=True, chunk_log2=12)
    archive = Writer(large.bases, large.fine_tune, options).archive()
    second_layer = open_archive(archive).index.second_layer
    assert len(second_layer) == 69
    assert {chunk.coder for chunk in second_layer} == {Coder.IDENTICAL, Coder.PLANES}
    assert finedelta_unpack(large, archive, tmp_path, "--sha256").returncode == 0
    assert tree(tmp_path / "out") == tree(large.fine_tune)


@pytest.mark.parametrize("lie", [lie[0] for lie in LOSSY_LIES.values()], ids=LOSSY_LIES.keys())
def test_program_rejects_lies_in_lossy_archives(
    small: Pair, lossy_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, lie(lossy_archive), tmp_path)
    expect_damaged(done, tmp_path)


@pytest.mark.parametrize(
    "lie", [lie[0] for lie in PROGRESSIVE_LIES.values()], ids=PROGRESSIVE_LIES.keys()
)
def test_program_rejects_lies_in_progressive_archives(
    small: Pair, progressive_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, lie(progressive_archive), tmp_path)
    expect_damaged(done, tmp_path)


@pytest.mark.parametrize("lie", [lie[0] for lie in REBUILT_LIES.values()], ids=REBUILT_LIES.keys())
def test_program_rejects_lies_in_second_layers(
    small: Pair, progressive_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, lie(progressive_archive), tmp_path, "--sha256")
    expect_damaged(done, tmp_path)
    done = finedelta_unpack(small, lie(progressive_archive), tmp_path, "--sha256", "--layers", "1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("lie", [lie[0] for lie in ADAPTIVE_LIES.values()], ids=ADAPTIVE_LIES.keys())
def test_program_rejects_lies_in_adaptive_factors(
    small: Pair, lossy_archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, with_factors(lossy_archive, lie), tmp_path)
    expect_damaged(done, tmp_path)


def test_program_rejects_adaptive_factors_in_version_1(small: Pair, tmp_path: Path) -> None:
    options = Options(low_rank=(2, 1.0), adaptive=True)
    written = Writer(small.bases, small.fine_tune, options).archive()
    assert finedelta_unpack(small, written, tmp_path).returncode == 0
    older = with_body(written, open_archive(written).body, 1)
    done = finedelta_unpack(small, older, tmp_path, "--force")
    assert done.returncode == DAMAGED, done.stderr


def test_program_and_reader_agree_on_flipped_adaptive_factors(
    small: Pair, lossy_archive: bytes, tmp_path: Path
) -> None:
    """Records that lie in one bit are rejected by both, or are other factors for both."""
    opened = open_archive(lossy_archive)
    record = opened.factors[id(matrix(opened.index))]
    found = {False: 0, True: 0}
    for bit in random.Random(3).sample(range(8 * len(record)), 200):
        flipped = bytearray(record)
        flipped[bit // 8] ^= 1 << bit % 8
        lie = with_factors(lossy_archive, lambda _, lie=bytes(flipped): lie)
        folder = tmp_path / str(bit)
        folder.mkdir()
        done = finedelta_unpack(small, lie, folder)
        assert done.returncode == reader_code(small, lie, folder / "reader"), bit
        try:
            check(lie)
        except DamagedError:
            rejected = True
        else:
            rejected = False
        assert ("low-rank factors" in done.stderr) == rejected, (bit, done.stderr)
        found[rejected] += 1
    assert min(found.values()) > 10, found
