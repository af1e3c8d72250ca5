"""The C++ program against the Python reader and writer.

FINEDELTA_PROGRAM names the program; FINEDELTA_PAIRS a folder of real pairs, which are left out
where it is not set.
"""

import os
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import checkpoints
import pairs
from archive import HEADER_SIZE, open_archive
from bases import BaseSet, is_tensor
from checkpoints import (
    Maker,
    Pair,
    changed,
    generate,
    lookalikes,
    noise,
    shard,
    tree,
    write_tree,
)
from finedelta_reader import check, unpack
from lies import (
    FACTOR_LIES,
    LIES,
    STORED_LIES,
    Change,
    Lie,
    resealed,
    with_factors,
    with_stored,
)
from primitives import WrongBaseError
from program import (
    DAMAGED,
    USAGE,
    WRONG_BASE,
    expect_damaged,
    finedelta_pack,
    finedelta_unpack,
    reader_code,
)
from records import Coder, Predictor, encode_body
from writer import Options, Writer, always, seal_body

PAIRS = os.environ.get("FINEDELTA_PAIRS", "")

ALL_PAIRS = [*checkpoints.MAKERS, *(pairs.NAMES if PAIRS else [])]


def pair_id(source: str | Maker) -> str:
    return source if isinstance(source, str) else source.__name__


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pairs")


@pytest.fixture(scope="module", params=ALL_PAIRS, ids=pair_id)
def any_pair(request: pytest.FixtureRequest, scratch: Path) -> Pair:
    """A generated pair or a real one."""
    if isinstance(request.param, str):
        return pairs.real_pair(request.param, Path(PAIRS), scratch)
    return generate(request.param, scratch / request.param.__name__)


def test_base_tensors_are_fingerprinted(any_pair: Pair, tmp_path: Path) -> None:
    index = open_archive(finedelta_pack(any_pair, tmp_path / "archive")).index
    bases = BaseSet(any_pair.bases)
    assert all(is_tensor(tensor, bases.tensor(tensor)) for tensor in index.base_tensors)


def test_reader_unpacks_what_the_program_packs(any_pair: Pair, tmp_path: Path) -> None:
    archive = finedelta_pack(any_pair, tmp_path / "archive")
    unpack(any_pair.bases, archive, tmp_path / "out")
    assert tree(tmp_path / "out") == tree(any_pair.fine_tune)


def test_program_writes_what_the_specification_spells(any_pair: Pair, tmp_path: Path) -> None:
    opened = check(finedelta_pack(any_pair, tmp_path / "archive"))
    assert encode_body(opened.index) == opened.body
    assert (opened.header.version, opened.header.oldest_reader) == (1, 1)
    assert opened.index.chunk_log2 == 18


def test_archives_are_safetensors_files(any_pair: Pair, tmp_path: Path) -> None:
    finedelta_pack(any_pair, tmp_path / "archive")
    with safe_open(tmp_path / "archive", "np") as opened:
        names = ["finedelta.index", "finedelta.payload", "finedelta.side"]
        assert sorted(opened.keys()) == names


@pytest.mark.parametrize("chunk_log2", [12, 18])
@pytest.mark.parametrize("canonical", [False, True])
def test_program_unpacks_what_the_writer_packs(
    any_pair: Pair, chunk_log2: int, canonical: bool, tmp_path: Path
) -> None:
    options = Options(chunk_log2=chunk_log2, canonical=canonical)
    archive = Writer(any_pair.bases, any_pair.fine_tune, options).archive()
    done = finedelta_unpack(any_pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert tree(tmp_path / "out") == tree(any_pair.fine_tune)


@pytest.mark.parametrize("coder", [Coder.RAW, Coder.IDENTICAL, Coder.PLANES, Coder.SPARSE])
@pytest.mark.parametrize("make", checkpoints.MAKERS, ids=pair_id)
def test_program_unpacks_every_coder(make: Maker, coder: int, tmp_path: Path) -> None:
    pair = generate(make, tmp_path / "pair")
    options = Options(tensor_coder=always(coder), sized_frames=True, name=b"org/name")
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    done = finedelta_unpack(pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


@pytest.mark.parametrize("factors", [(0.7,), (1.9999999,), (0.3, -0.7), (4, 2**-16)], ids=str)
@pytest.mark.parametrize("make", checkpoints.MAKERS, ids=pair_id)
def test_program_unpacks_every_predictor(
    make: Maker, factors: tuple[float, ...], tmp_path: Path
) -> None:
    pair = generate(make, tmp_path / "pair")
    options = Options(factors=factors, tensor_coder=always(Coder.PLANES))
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    done = finedelta_unpack(pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


LOW_RANK = [(1, 2.0**-20), (3, 1.0), (5, 2.0**-100), (8, 2.0**40), (9, 2.0**63)]


@pytest.mark.parametrize("low_rank", LOW_RANK, ids=str)
@pytest.mark.parametrize("make", checkpoints.MAKERS, ids=pair_id)
def test_program_unpacks_low_rank_predictions(
    make: Maker, low_rank: tuple[int, float], tmp_path: Path
) -> None:
    pair = generate(make, tmp_path / "pair")
    options = Options(low_rank=low_rank, tensor_coder=always(Coder.PLANES))
    archive = Writer(pair.bases, pair.fine_tune, options).archive()
    done = finedelta_unpack(pair, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


@pytest.mark.parametrize("low_rank", LOW_RANK, ids=str)
def test_program_unpacks_adaptive_factors(
    tuned: Pair, low_rank: tuple[int, float], tmp_path: Path
) -> None:
    options = Options(low_rank=low_rank, adaptive=True)
    archive = Writer(tuned.bases, tuned.fine_tune, options).archive()
    done = finedelta_unpack(tuned, archive, tmp_path, "--sha256")
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(tuned.fine_tune)


def test_program_chooses_every_predictor(tmp_path: Path) -> None:
    pair = generate(checkpoints.merge, tmp_path / "pair")
    index = check(finedelta_pack(pair, tmp_path / "archive")).index
    chosen = {tensor.predictor for file in index.files for tensor in file.tensors}
    assert chosen == set(Predictor)


@pytest.mark.parametrize("change", [lie[0] for lie in LIES.values()], ids=LIES.keys())
def test_program_rejects_lies(small: Pair, archive: bytes, change: Change, tmp_path: Path) -> None:
    done = finedelta_unpack(small, resealed(archive, change), tmp_path, "--sha256")
    expect_damaged(done, tmp_path)


@pytest.mark.parametrize("lie", STORED_LIES.values(), ids=STORED_LIES.keys())
def test_program_rejects_lies_in_stored_bytes(
    small: Pair, archive: bytes, lie: Lie, tmp_path: Path
) -> None:
    done = finedelta_unpack(small, with_stored(archive, lie), tmp_path)
    expect_damaged(done, tmp_path)


@pytest.mark.parametrize("lie", [lie[0] for lie in FACTOR_LIES.values()], ids=FACTOR_LIES.keys())
def test_program_rejects_lies_in_factors(
    small: Pair, archive: bytes, lie: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    done = finedelta_unpack(small, with_factors(archive, lie), tmp_path)
    expect_damaged(done, tmp_path)


def test_program_rejects_flipped_bits(small: Pair, archive: bytes, tmp_path: Path) -> None:
    for bit in random.Random(1).sample(range(len(archive) * 8), 400):
        damaged = bytearray(archive)
        damaged[bit // 8] ^= 1 << bit % 8
        done = finedelta_unpack(small, bytes(damaged), tmp_path)
        assert done.returncode == DAMAGED, (bit, done.stderr)
        assert not (tmp_path / "out").exists()


def test_program_rejects_truncations(small: Pair, archive: bytes, tmp_path: Path) -> None:
    for length in [*range(0, len(archive), 37), len(archive) - 1]:
        done = finedelta_unpack(small, archive[:length], tmp_path)
        assert done.returncode == DAMAGED, (length, done.stderr)


@pytest.mark.parametrize("kind", ["archive", "progressive_archive"])
def test_reader_and_program_agree(
    small: Pair, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Archives that lie in one bit of the index are rejected alike, or give the same bytes."""
    archive = request.getfixturevalue(kind)
    opened = open_archive(archive)
    side = HEADER_SIZE + opened.header.payload
    regions = archive[HEADER_SIZE:side], archive[side : side + opened.header.side]
    for bit in random.Random(2).sample(range(len(opened.body) * 8), 600):
        folder = tmp_path / str(bit)
        folder.mkdir()
        body = bytearray(opened.body)
        body[bit // 8] ^= 1 << bit % 8
        lie = seal_body(bytes(body), *regions, opened.header.oldest_reader)
        done = finedelta_unpack(small, lie, folder, "--sha256")
        code = reader_code(small, lie, folder / "reader")
        assert done.returncode == code, (bit, done.stderr)
        if done.returncode == 0:
            assert tree(folder / "out") == tree(folder / "reader")


def test_program_tells_a_wrong_base(small: Pair, archive: bytes, tmp_path: Path) -> None:
    wrong = {"a": ("F32", (8,), bytes(32)), "b": ("BF16", (16,), noise(32, 2))}
    write_tree(tmp_path / "base", {"model.safetensors": shard(wrong)})
    done = finedelta_unpack(Pair("wrong", [tmp_path / "base"], small.fine_tune), archive, tmp_path)
    assert done.returncode == WRONG_BASE, done.stderr


def test_program_tells_a_base_that_is_wrong_outside_the_sample(tmp_path: Path) -> None:
    data = noise(100_000, 1)
    for name, content in {"base": data, "wrong": b"x" + data[1:], "fine": changed(data, 2)}.items():
        write_tree(tmp_path / name, {"m.safetensors": shard({"w": ("U8", (100_000,), content)})})
    archive = finedelta_pack(Pair("", [tmp_path / "base"], tmp_path / "fine"), tmp_path / "packed")
    wrong = Pair("", [tmp_path / "wrong"], tmp_path / "fine")
    assert finedelta_unpack(wrong, archive, tmp_path).returncode == WRONG_BASE


def weights(seed: int) -> bytes:
    """100,000 numbers of BF16 like a model's."""
    values = np.random.default_rng(seed).normal(0, 0.02, 100_000).astype(np.float32)
    return (values.view(np.uint32) >> 16).astype("<u2").tobytes()


def test_wrong_base_with_which_a_chunk_does_not_decode(tmp_path: Path) -> None:
    """Exponents of the base say in which order symbols of coder wavelet come."""
    data = weights(1)
    wrong = bytes(byte ^ at & 1 if at < 50_000 else byte for at, byte in enumerate(data))
    for name, content in {"base": data, "wrong": wrong, "fine": changed(data, 2)}.items():
        write_tree(tmp_path / name, {"m.safetensors": shard({"w": ("BF16", (100_000,), content)})})
    archive = finedelta_pack(Pair("", [tmp_path / "base"], tmp_path / "fine"), tmp_path / "packed")
    assert open_archive(archive).index.chunks[0].coder == Coder.WAVELET
    wrong_pair = Pair("", [tmp_path / "wrong"], tmp_path / "fine")
    assert finedelta_unpack(wrong_pair, archive, tmp_path).returncode == WRONG_BASE
    with pytest.raises(WrongBaseError, match="the base tensor 'w' differs: tensor 'w': "):
        unpack(wrong_pair.bases, archive, tmp_path / "out")


def test_program_finds_the_right_base_among_lookalikes(tmp_path: Path) -> None:
    pair = lookalikes(tmp_path)
    archive = Writer(pair.bases[1:], pair.fine_tune, Options()).archive()
    done = finedelta_unpack(pair, archive, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(pair.fine_tune)


def test_program_reads_a_newer_version_that_it_may(
    small: Pair, archive: bytes, tmp_path: Path
) -> None:
    newer = replace(open_archive(archive).header, version=3).encode() + archive[HEADER_SIZE:]
    done = finedelta_unpack(small, newer, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert tree(tmp_path / "out") == tree(small.fine_tune)


def test_program_names_the_version_that_it_lacks(
    small: Pair, archive: bytes, tmp_path: Path
) -> None:
    header = replace(open_archive(archive).header, version=9, oldest_reader=7)
    done = finedelta_unpack(small, header.encode() + archive[HEADER_SIZE:], tmp_path)
    assert done.returncode == USAGE
    assert "reads archive format 7, and this one reads up to 2" in done.stderr


def test_program_refuses_version_0(small: Pair, archive: bytes, tmp_path: Path) -> None:
    header = replace(open_archive(archive).header, version=0, oldest_reader=0)
    done = finedelta_unpack(small, header.encode() + archive[HEADER_SIZE:], tmp_path)
    assert done.returncode == USAGE
    assert "archive format 0, which no release reads" in done.stderr
